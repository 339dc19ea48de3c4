/** Bins are the same whoever sampled which partition of a reference: what lets the work fan out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { canonicalJson, type JsonValue } from '@fleetloop/schemas';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDriftMonitor } from './drift-monitor.ts';
import { fitDefinition } from './fit-definition.ts';
import { mergeSamples, parseSample, type ReferenceSample, sampleToBytes } from './reference-sample.ts';
import { countRows, needsSample, sampleReference } from './sample-reference.ts';

const PARTITIONS = 6;
const ROWS = 700;
/** As if the reference were so large that about every third row is sampled. */
const ROWS_IN_ALL = 200_000;
const { signal } = new AbortController();
const monitor = parseDriftMonitor({
  kind: 'drift-monitor',
  name: 'speeds',
  version: 1,
  owner: 'perception',
  session: null,
  features: [
    { kind: 'numeric', name: 'speed', bins: 16 },
    { kind: 'numeric', name: 'load', bins: [0, 1, 2] },
    { kind: 'category', name: 'ground' },
  ],
});

let folder: string;
let paths: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-reference-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  paths = Array.from({ length: PARTITIONS }, (_, part) => join(folder, `${part}.parquet`));
  for (const [part, path] of paths.entries())
    await connection.run(`COPY (SELECT CASE WHEN i % 11 = 0 THEN NULL ELSE ${part} + sin(i * 7919.0) END AS speed, 0.5 AS load,
      'ground ' || (${part} * 3 + i % 5) AS ground FROM range(${ROWS}) t(i)) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const sampleOf = async (some: readonly string[]): Promise<ReferenceSample> =>
  sampleReference(some, { monitor, rowsInAll: ROWS_IN_ALL }, signal);
const definitionOf = (sample: ReferenceSample): string => canonicalJson(fitDefinition(monitor, sample) as JsonValue);

describe('a sample of a reference', () => {
  it('gives the same bins in one piece and in pieces, stored, in any order', async () => {
    const whole = await sampleOf(paths);
    const drawn = whole.numeric.get('speed')?.length ?? 0;
    expect(drawn).toBeGreaterThan(PARTITIONS * ROWS * 0.2);
    expect(drawn).toBeLessThan(PARTITIONS * ROWS * 0.45);
    const pieces = await Promise.all(
      [paths.slice(4), paths.slice(0, 1), paths.slice(1, 4)].map(async (some) =>
        parseSample(sampleToBytes(await sampleOf(some))),
      ),
    );
    expect(definitionOf(mergeSamples(pieces))).toBe(definitionOf(whole));
    expect(definitionOf(mergeSamples(pieces.toReversed()))).toBe(definitionOf(whole));
  });

  it('takes every row of a reference that is not large, and knows how many there are', async () => {
    expect(await countRows(paths, signal)).toBe(PARTITIONS * ROWS);
    const whole = await sampleReference(paths, { monitor }, signal);
    const missing = PARTITIONS * Math.ceil(ROWS / 11);
    expect(whole.numeric.get('speed')).toHaveLength(PARTITIONS * ROWS - missing);
  });

  it('is not needed where all bins and categories are named', () => {
    expect(needsSample(monitor)).toBe(true);
    const named = { ...monitor, features: monitor.features.filter(({ name }) => name === 'load') };
    expect(needsSample(named)).toBe(false);
  });

  it('comes back from its bytes as it was, with the values in order', () => {
    const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });
    fc.assert(
      fc.property(values, values, fc.uniqueArray(fc.string(), { maxLength: 10 }), (left, right, categories) => {
        const numeric = new Map([
          ['left', Float64Array.from(left)],
          ['right', Float64Array.from(right)],
        ]);
        const parsed = parseSample(sampleToBytes({ numeric, categories: new Map([['ground', categories]]) }));
        expect(parsed.numeric.get('left')).toEqual(Float64Array.from(left).toSorted());
        expect(parsed.numeric.get('right')).toEqual(Float64Array.from(right).toSorted());
        expect(parsed.categories.get('ground')).toEqual(categories.toSorted());
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['no header', 'abc\n'],
    ['fewer values than it says', '{"kind":"reference-sample","numeric":[["a",2]],"categories":[]}\n12345678'],
    ['more values than it says', '{"kind":"reference-sample","numeric":[],"categories":[]}\n12345678'],
  ])('is refused when it is %s', (_, text) => {
    expect(() => parseSample(Buffer.from(text))).toThrow(/not a sample/);
  });
});
