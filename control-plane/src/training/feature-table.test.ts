import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatasetRecording, Digest, FeatureSet } from '@fleetloop/schemas';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatePredictions } from '../evaluation/gate-predictions.ts';
import { featureTableRows, writeFeatureTable, writeSplit } from './feature-table.ts';
import { readParquet, withDuckDb } from './parquet.ts';
import { checkPredictionsFile } from './trainer-output.ts';

const SET = { name: 'tiny', features: [{ name: 'ax_mean' }, { name: 'ax_std' }] } as unknown as FeatureSet;
const first = `sha256:${'1'.repeat(64)}` as Digest;
const second = `sha256:${'2'.repeat(64)}` as Digest;
const held = `sha256:${'3'.repeat(64)}` as Digest;

const entry = (recording: Digest, overrides: Partial<DatasetRecording> = {}): DatasetRecording => ({
  recording,
  session: 'ice/1',
  split: 'train',
  label: 'ICE',
  vehicle: 'v1',
  hardwareRevision: 'A',
  softwareVersion: '1.0.0',
  brief: null,
  ...overrides,
});
const row = (second_: number, ...values: number[]) => ({
  windowStartNs: BigInt(second_) * 10n ** 9n,
  windowEndNs: BigInt(second_ + 5) * 10n ** 9n,
  values,
});

const RECORDINGS = [entry(first), entry(second), entry(held, { session: "snow/2'", split: 'test', label: 'SNOW' })];
const FEATURES = new Map([
  [first, [row(0, 1.5, 2), row(5, 3, 4)]],
  [second, [row(5, 3, 4), row(10, 5, 6)]],
  [held, [row(0, 0.1, 0.2), row(5, 0.3, 1e-300)]],
]);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-table-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function writePredictions(rows: readonly (readonly [string, string, string, number])[]): Promise<string> {
  const path = join(folder, 'predictions.parquet');
  await withDuckDb(async (connection) => {
    await connection.run('CREATE TABLE p (sample_id VARCHAR, label VARCHAR, predicted VARCHAR, confidence DOUBLE)');
    for (const values of rows) await connection.run('INSERT INTO p VALUES (?, ?, ?, ?)', [...values]);
    await connection.run(`COPY p TO '${path}' (FORMAT parquet)`);
  });
  return path;
}

describe('feature table', () => {
  it('takes a window that two recordings of one drive hold once', () => {
    const table = featureTableRows(RECORDINGS, FEATURES, SET);
    expect(table).toMatchObject({ trainRows: 3, testRows: 2 });
    expect(table.rows.filter((cells) => cells[1] === second)).toHaveLength(1);
  });

  it('keeps every value exactly, and has the same bytes when written again', async () => {
    const table = featureTableRows(RECORDINGS, FEATURES, SET);
    const paths = [join(folder, 'a.parquet'), join(folder, 'b.parquet')] as const;
    for (const path of paths) await writeFeatureTable(table, path);
    const digests = await Promise.all(
      paths.map(async (path) =>
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ),
    );
    expect(digests[0]).toBe(digests[1]);
    const values = await readParquet(paths[0], ['ax_mean', 'ax_std', 'window_start_ns'], "split = 'test'");
    expect(values).toEqual([
      { ax_mean: 0.1, ax_std: 0.2, window_start_ns: 0n },
      { ax_mean: 0.3, ax_std: 1e-300, window_start_ns: 5_000_000_000n },
    ]);
  });

  it('refuses a feature that has the name of a sample column', () => {
    const clash = { name: 'bad', features: [{ name: 'label' }] } as unknown as FeatureSet;
    expect(() => featureTableRows(RECORDINGS, FEATURES, clash)).toThrow(
      expect.objectContaining({ code: 'FEATURE_SET_INVALID' }),
    );
  });
});

describe('predictions', () => {
  const ids = ["v1/snow/2'/0", "v1/snow/2'/5000000000"] as const;
  const expected = async (): Promise<{ labels: string[]; features: string[]; testTable: string }> => {
    const table = join(folder, 'table.parquet');
    await writeFeatureTable(featureTableRows(RECORDINGS, FEATURES, SET), table);
    await writeSplit(table, 'test', join(folder, 'test.parquet'));
    return { labels: ['ICE', 'SNOW'], features: [], testTable: join(folder, 'test.parquet') };
  };
  const good = ids.map((id) => [id, 'SNOW', 'ICE', 0.9] as const);

  it('are accepted when they cover exactly the test samples', async () => {
    await expect(
      checkPredictionsFile(await writePredictions(good), 'predictions.parquet', await expected()),
    ).resolves.toBeUndefined();
  });

  it.each([
    ['leave a sample out', good.slice(1)],
    ['name a sample twice', [...good, good[0]]],
    ['invent a sample', [...good, ['v1/ice/1/0', 'ICE', 'ICE', 0.9] as const]],
    ['change a label', [good[0], [ids[1], 'ICE', 'ICE', 0.9] as const]],
    ['answer with a label that is none', [good[0], [ids[1], 'SNOW', 'LAVA', 0.9] as const]],
    ['have a confidence over 1', [good[0], [ids[1], 'SNOW', 'ICE', 1.5] as const]],
    ['have no rows', []],
  ])('are refused when they %s', async (_title, rows) => {
    const path = await writePredictions(rows.filter((cells) => cells !== undefined));
    await expect(checkPredictionsFile(path, 'predictions.parquet', await expected())).rejects.toMatchObject({
      code: 'TRAINING_OUTPUT_INVALID',
    });
  });

  it('reach the gate with labels and attributes of our table', async () => {
    const { testTable } = await expected();
    const predictions = await gatePredictions(
      testTable,
      await writePredictions(
        good.map(([id, , predicted, confidence]) => [id, 'FORGED', predicted, confidence] as const),
      ),
    );
    expect(predictions[0]).toMatchObject({
      label: 'SNOW',
      predicted: 'ICE',
      session: "snow/2'",
      attributes: { hardwareRevision: 'A' },
    });
  });
});
