import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewFact } from '@fleetloop/schemas';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeEntry } from '../ledger/entry-coding.ts';
import { type RawBatch, RawBatchBuilder } from '../projection/text-batch.ts';
import { type FileBatch, RowFiles } from './row-files.ts';
import { ThreadedRowFiles } from './threaded-row-files.ts';

const ENTRIES = 4;
/** Batches after the thread has taken over. */
const GIVEN = 3;
const at = new Date(1_790_000_000_000);
const digestOf = (number: number): string => `sha256:${String(number).padStart(64, '0')}`;

/** Each model stands for its digest in the entries behind it; what comes between speaks of the first one. */
function factOf(sequence: number): NewFact {
  if (sequence % 2 === 0) return { kind: 'regression.added', key: `r-${sequence}`, actor: 'anna', body: regression() };
  const named = { name: `model-${sequence}`, version: 1, model: digestOf(sequence), runId: 'run' };
  const body = { ...named, dataset: digestOf(0), featureSet: digestOf(0), datasetName: 'd', featureSetName: 'f' };
  return { kind: 'model.registered', key: named.name, actor: 'worker', body };
}

function regression(): Extract<NewFact, { kind: 'regression.added' }>['body'] {
  const slice = { name: 'ice', where: 'label == "ICE"', countMin: 1, runsMin: 1, lowerBoundMin: 0.5 };
  return { regressionId: 'r', anomalyId: 'a', policyName: 'p', slice, formerModel: digestOf(1) };
}

function batchFrom(fromSequence: number): RawBatch {
  const batch = new RawBatchBuilder(fromSequence, ENTRIES);
  for (let sequence = fromSequence; sequence < fromSequence + ENTRIES; sequence += 1) {
    const { subject, bytes } = encodeEntry(factOf(sequence), at);
    batch.add({ sequence, subject: `ledger.${subject}`, bytes });
  }
  return batch.finish();
}

async function contentsOf({ sequence, names, files }: FileBatch): Promise<unknown> {
  const tables = await Promise.all(
    files.map(async ({ table, path }) => [table, await readFile(path, 'utf8')] as const),
  );
  return { sequence, names: [...names], tables };
}

describe('rows that are made on a thread', () => {
  let folder: string;
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  it('are those that are made here, before and after the thread has taken over', async () => {
    folder = await mkdtemp(join(tmpdir(), 'row-files-'));
    const start = { folder, names: new Map([['x', 'y']]), batches: 0 };
    await using threaded = new ThreadedRowFiles(start);
    const made: unknown[] = [];
    let given = 0;
    while (given < GIVEN) {
      const batch = batchFrom(1 + made.length * ENTRIES);
      made.push(await contentsOf(await threaded.make(batch)));
      // What is moved to the thread is no longer here.
      given += batch.bytes.length === 0 ? 1 : 0;
    }
    const here = new RowFiles(start);
    for (const [index, contents] of made.entries())
      expect(contents).toEqual(await contentsOf(await here.make(batchFrom(1 + index * ENTRIES))));
    expect(made.length).toBeGreaterThan(GIVEN);
    expect(JSON.stringify(made.at(-1))).toContain('holds_against\\u001fmodel:model-1@1');
  });
});
