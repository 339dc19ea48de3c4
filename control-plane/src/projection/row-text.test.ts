import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson, type JsonValue, type NewFact } from '@fleetloop/schemas';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckdbFile } from '../adapters/duckdb-file.ts';
import { checkedEntry } from '../ledger/checked-entry.ts';
import { encodeEntry } from '../ledger/entry-coding.ts';
import type { UncheckedEntry } from '../ports.ts';

const AT = new Date('2026-11-20T10:00:00.000Z');
const BATCH_ENTRIES = 7;
/** Making a file, and starting a thread, takes longer than filling it: few runs with much in each. */
const FACTS_MAX = 60;
const RUNS = 4;
const RUNS_THREADED = 2;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-row-text-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** Text that a reader of CSV, or of what we made of it, could take for something else. */
const hostile = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc
    .array(
      fc.constantFrom('\x1f', '\x02', '\x00', '\x01', '\n', '\r', '"', "'", ',', '\\', '\\n', '\u0085', 'ö', '𝄞', 'x'),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('', ' ', 'NULL', '\\N', '\x02\x02', '\x1f\n', '\ufeff', '-', '0'),
);
const facts = fc.array(fc.record({ place: hostile, reason: hostile }), {
  minLength: 1,
  maxLength: FACTS_MAX,
});

/** An enrolment, and a loss whose lineage says again what the fact says. */
function factsOf(texts: { readonly place: string; readonly reason: string }, index: number): NewFact[] {
  const vehicle = { vehicleId: `v-${index}`, publicKey: 'U', hardwareRevision: 'A', softwareVersion: '1' };
  const body = { ...vehicle, place: texts.place };
  return [
    { kind: 'vehicle.enrolled', key: `v-${index}`, actor: texts.place || 'a', reason: texts.reason, body },
    {
      kind: 'vehicle.revoked',
      key: `v-${index}`,
      actor: 'a',
      body: { vehicleId: `v-${index}`, publicKey: 'U', reason: texts.reason },
    },
  ];
}

function stored(all: readonly NewFact[]): UncheckedEntry[] {
  return all.map((fact, index) => {
    const { subject, bytes } = encodeEntry(fact, AT);
    return { sequence: index + 1, subject: `ledger.${subject}`, bytes };
  });
}

function hexOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex').toUpperCase();
}

async function* oneByOne(entries: readonly UncheckedEntry[]): AsyncIterable<UncheckedEntry> {
  yield* entries;
}

describe('rows as text', () => {
  it.each([
    ['each', false],
    ['whole', false],
    ['each', true],
    ['whole', true],
  ] as const)('loads what appending cell by cell writes (commit %s, on a thread: %s)', async (commit, isThreaded) => {
    await fc.assert(
      fc.asyncProperty(facts, async (texts) => {
        const entries = stored(texts.flatMap(factsOf));
        await using appended = await DuckdbFile.create(join(folder, 'appended.duckdb'));
        await appended.apply(entries.map(checkedEntry));
        await using loaded = await DuckdbFile.create(join(folder, 'loaded.duckdb'));
        await loaded.replay(oneByOne(entries), { commit, isThreaded, batchEntries: BATCH_ENTRIES });
        expect(loaded.applied).toBe(entries.length);
        expect(await loaded.digests()).toEqual(await appended.digests());
        const places = 'SELECT hex(place) AS place FROM vehicles ORDER BY sequence';
        expect((await loaded.query(places)).map((row) => row['place'])).toEqual(texts.map(({ place }) => hexOf(place)));
      }),
      { numRuns: isThreaded ? RUNS_THREADED : RUNS },
    );
  });

  it('leaves no file of its own behind', async () => {
    expect((await readdir(folder)).filter((name) => name.endsWith('.load'))).toEqual([]);
  });

  it.each([false, true])(
    'names an entry that is not ours, and nothing of it stays (on a thread: %s)',
    async (isThreaded) => {
      const entries = stored(factsOf({ place: 'Oulu', reason: '' }, 0));
      const [first] = entries;
      const forged = { sequence: 3, subject: 'ledger.vehicle.v-0', bytes: Buffer.from('{"actor":"mallory"}') };
      const strayed = { ...forged, subject: 'ledger.vehicle.v-1', bytes: first?.bytes ?? Buffer.alloc(0) };
      for (const bad of [forged, strayed]) {
        await using file = await DuckdbFile.create(join(folder, 'forged.duckdb'));
        await expect(file.replay(oneByOne([...entries, bad]), { commit: 'whole', isThreaded })).rejects.toMatchObject({
          code: 'LEDGER_TAMPERED',
          details: { sequence: 3 },
        });
        expect(file.applied).toBe(0);
        expect(await file.query('SELECT count(*) AS facts FROM facts')).toEqual([{ facts: 0n }]);
      }
    },
  );

  it('keeps the body of an entry as the text that it was written in', async () => {
    const entries = stored(factsOf({ place: 'x","evidence":[],"body":{', reason: '"body":1,"evidence":[' }, 0));
    await using file = await DuckdbFile.create(join(folder, 'bodies.duckdb'));
    await file.replay(oneByOne(entries), { commit: 'whole' });
    const bodies = (await file.query('SELECT body FROM facts ORDER BY sequence')).map((row) => row['body']);
    const documents = entries.map(
      ({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as { readonly body: unknown },
    );
    expect(bodies).toEqual(documents.map(({ body }) => canonicalJson(body as JsonValue)));
  });

  it('is refused when an entry is missing, and nothing of it stays', async () => {
    const [first, , third] = stored(
      factsOf({ place: 'Oulu', reason: '' }, 0).concat(factsOf({ place: '', reason: '' }, 1)),
    );
    await using file = await DuckdbFile.create(join(folder, 'gap.duckdb'));
    const entries = [first, third].filter((entry) => entry !== undefined);
    await expect(file.replay(oneByOne(entries), { commit: 'whole' })).rejects.toThrow('is at 1 and was given entry 3');
    expect(file.applied).toBe(0);
    expect(await file.query('SELECT count(*) AS facts FROM facts')).toEqual([{ facts: 0n }]);
  });
});
