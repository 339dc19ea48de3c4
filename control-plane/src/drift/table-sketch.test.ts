import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoteText, withDuckDb } from '../training/parquet.ts';
import { countRows } from './fixtures/count-rows.ts';
import { cellCount, clearExtremes, compileNumeric, momentsOf } from './numeric-cells.ts';
import {
  groupOfSession,
  type NumericFeature,
  parseSketchDefinition,
  SESSION_GROUPS,
  type SketchDefinition,
} from './sketch-definition.ts';
import { sketchParquet } from './sketch-parquet.ts';
import { parseTableSketch, TableSketch } from './table-sketch.ts';

const DEFINITION: SketchDefinition = parseSketchDefinition({
  kind: 'sketch-definition',
  version: 1,
  keys: [{ name: 'season', column: 'season', as: 'text' }],
  session: 'session',
  features: [
    {
      kind: 'numeric',
      name: 'speed',
      column: 'speed',
      edges: [-1, 0, 0.1, 2, 1_000],
      centre: 500,
      unitExponent: -10,
      range: { min: 0, max: 60 },
    },
    { kind: 'category', name: 'ground', columns: ['ground'], categories: ['ice', 'snow'] },
  ],
});

const SPEED = DEFINITION.features[0] as NumericFeature;

type Row = {
  readonly season: string;
  readonly session: string;
  readonly speed: number | null;
  readonly ground: string | null;
};
const row: fc.Arbitrary<Row> = fc.record({
  season: fc.constantFrom('summer', 'winter'),
  session: fc.constantFrom('drive 1', 'drive 2', 'drive 3', ''),
  speed: fc.oneof(
    fc.constantFrom(null, Number.NaN, Infinity, -Infinity, 0, -0, -1, 0.1, 1_000, 1e300, -1e-300),
    evenly(-5, 1_100),
  ),
  ground: fc.constantFrom(null, 'ice', 'snow', 'sand', 'asphalt', ''),
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-sketch-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

let files = 0;
async function writeRows(rows: readonly Row[]): Promise<string> {
  const path = join(folder, `${files++}.parquet`);
  const sqlText = (text: string | null): string => (text === null ? 'NULL' : quoteText(text));
  const sqlNumber = (value: number | null): string => (value === null ? 'NULL' : `'${value}'::DOUBLE`);
  const values = rows.map(
    (each) => `(${sqlText(each.season)}, ${sqlText(each.session)}, ${sqlNumber(each.speed)}, ${sqlText(each.ground)})`,
  );
  await withDuckDb(async (connection) => {
    await connection.run('CREATE TABLE t (season VARCHAR, session VARCHAR, speed DOUBLE, ground VARCHAR)');
    if (values.length > 0) await connection.run(`INSERT INTO t VALUES ${values.join(', ')}`);
    await connection.run(`COPY t TO ${quoteText(path)} (FORMAT parquet)`);
  });
  return path;
}

const signal = new AbortController().signal;
const sketchOf = async (rows: readonly Row[]): Promise<TableSketch> =>
  sketchParquet([await writeRows(rows)], DEFINITION, signal);

const countedOf = (rows: readonly Row[]): TableSketch =>
  countRows(
    DEFINITION,
    rows.map((each) => ({ ...each, key: [each.season] })),
  );

function merged(...sketches: readonly TableSketch[]): string {
  const sum = new TableSketch(DEFINITION);
  for (const each of sketches) sum.add(each);
  return Buffer.from(sum.toBytes()).toString('utf8');
}

describe('table sketches', () => {
  it('merge in any order and grouping to the bytes of the sketch of all rows', () => {
    const some = fc.array(row, { maxLength: 20 });
    fc.assert(
      fc.property(some, some, some, (a, b, c) => {
        const [first, second, third] = [countedOf(a), countedOf(b), countedOf(c)];
        const whole = merged(countedOf([...c, ...a, ...b]));
        expect(merged(first, second, third)).toBe(whole);
        expect(merged(third, first, second)).toBe(whole);
        const pair = parseTableSketch(Buffer.from(merged(second, third)), DEFINITION);
        expect(merged(pair, first)).toBe(whole);
      }),
      { numRuns: 200 },
    );
  });

  it('of Parquet files are the bytes of the same rows counted one by one, cut anywhere', async () => {
    const rows = fc.sample(row, { numRuns: 300, seed: 5 });
    const [front, back] = [rows.slice(0, 113), rows.slice(113)];
    const whole = merged(countedOf(rows));
    expect(merged(await sketchOf(rows))).toBe(whole);
    expect(merged(await sketchOf(back), await sketchOf(front))).toBe(whole);
    const both = await sketchParquet([await writeRows(front), await writeRows(back)], DEFINITION, signal);
    expect(merged(both)).toBe(whole);
  });

  it('read back from their bytes are the same sketch', async () => {
    const sketch = await sketchOf([{ season: 'winter', session: 'drive 1', speed: 3, ground: 'sand' }]);
    expect(parseTableSketch(sketch.toBytes(), DEFINITION).toBytes()).toEqual(sketch.toBytes());
  });

  it('count every value in the bin that its edges say, by comparison alone', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 2, maxLength: 40 }),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 30 }),
        (unsorted, others) => {
          const edges = [...new Set(unsorted.map((edge) => edge + 0))].toSorted((left, right) => left - right);
          fc.pre(edges.length >= 2);
          const feature = { ...SPEED, edges, centre: 0, unitExponent: 0 };
          const values = Float64Array.from([...others, ...edges]);
          const cells = new Float64Array(cellCount(feature));
          clearExtremes(cells, 0, feature);
          compileNumeric(feature, 0)(values, {
            order: Int32Array.from(values.keys()),
            blocks: [{ cells, end: values.length }],
          });
          const expected = Array.from({ length: edges.length + 1 }, () => 0);
          for (const value of values) {
            const above = edges.filter((edge) => edge <= value).length;
            const bin = value === edges.at(-1) ? edges.length - 1 : above;
            expected[bin] = (expected[bin] as number) + 1;
          }
          expect([...cells.subarray(0, edges.length + 1)]).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('tell missing, not finite and out of range apart', async () => {
    const speeds = [null, Number.NaN, Infinity, -0.5, 30, 61, 1e9];
    const sketch = await sketchOf(
      speeds.map((speed) => ({ season: 'winter', session: 'drive 1', speed, ground: null })),
    );
    const [unit] = sketch.units();
    // Seven bins and tail: below -1, [-1, 0), [0, 0.1), [0.1, 2), [2, 1000], above; missing, not finite, below range, above range.
    expect([...(unit?.cells.subarray(0, 10) ?? [])]).toEqual([0, 1, 0, 0, 2, 1, 1, 2, 1, 2]);
    expect(unit).toMatchObject({ key: ['winter'], group: groupOfSession('drive 1'), rows: 7 });
    expect(unit?.categories[0]).toMatchObject({ missing: 7 });
  });

  it('give mean and deviation within a step of the rows', async () => {
    const speeds = Array.from({ length: 500 }, (_, index) => 500 + 200 * Math.sin(index));
    const sketch = await sketchOf(speeds.map((speed) => ({ season: '', session: 'a', speed, ground: null })));
    const { feature, from } = sketch.layout.numeric[0] as (typeof sketch.layout.numeric)[number];
    const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
    const deviation = Math.sqrt(speeds.reduce((sum, speed) => sum + (speed - mean) ** 2, 0) / speeds.length);
    const moments = momentsOf(sketch.units()[0]?.cells ?? new Float64Array(), from, feature);
    expect(moments.mean).toBeCloseTo(mean, 2);
    expect(moments.standardDeviation).toBeCloseTo(deviation, 2);
    expect(moments).toMatchObject({ count: 500, min: Math.min(...speeds), max: Math.max(...speeds) });
  });

  it('keep the names of new categories, whatever came first', async () => {
    const fresh = Array.from({ length: 40 }, (_, index) => `ground ${index}`);
    const rows = fresh.map((ground) => ({ season: '', session: 'a', speed: 1, ground }));
    const [forwards, backwards] = [await sketchOf(rows), await sketchOf(rows.toReversed())];
    expect(forwards.units()[0]?.categories[0]?.freshNames).toHaveLength(16);
    expect(forwards.toBytes()).toEqual(backwards.toBytes());
  });

  it('of different definitions do not combine', async () => {
    const other = new TableSketch({ ...DEFINITION, session: null });
    expect(() => new TableSketch(DEFINITION).add(other)).toThrow(expect.objectContaining({ code: 'DRIFT_SKETCH' }));
    expect(() => parseTableSketch(other.toBytes(), DEFINITION)).toThrow(
      expect.objectContaining({ code: 'DRIFT_SKETCH' }),
    );
  });

  it('know the hour of the day on both sides of 1970', async () => {
    const path = join(folder, 'hours.parquet');
    const hours = [-24.5, -1, -0.5, 0, 0.5, 6, 30].map((hour) => `(${hour * 3_600_000_000_000}::BIGINT)`);
    await withDuckDb(async (connection) => {
      await connection.run(`COPY (SELECT * FROM (VALUES ${hours.join(', ')}) AS t (instant)) TO ${quoteText(path)}`);
    });
    const key = { name: 'part', column: 'instant', as: 'hour-of-day', hoursPerClass: 6, utcOffsetHours: 0 };
    const features = [{ ...SPEED, column: 'instant' }];
    const sketch = await sketchParquet(
      [path],
      parseSketchDefinition({ ...DEFINITION, keys: [key], session: null, features }),
      signal,
    );
    expect(sketch.units().map(({ key: value, rows }) => [...value, rows])).toEqual([
      ['00-06', 2],
      ['06-12', 2],
      ['18-24', 3],
    ]);
  });

  it('refuse a key that takes too many values', () => {
    const sketch = new TableSketch(DEFINITION);
    expect(() => {
      for (let value = 0; value < 30_000; value += 1) sketch.unit([String(value)], 0);
    }).toThrow(expect.objectContaining({ code: 'DRIFT_INPUT' }));
  });

  it('spread sessions evenly over the groups', () => {
    const counts = Array.from({ length: SESSION_GROUPS }, () => 0);
    for (let drive = 0; drive < 6_400; drive += 1) {
      const group = groupOfSession(`drive ${drive}`);
      counts[group] = (counts[group] as number) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(145);
  });
});

describe('columns that cannot be sketched', () => {
  it.each([
    ['an absent one', { session: 'drive' }, 'no column drive'],
    ['text where a number is needed', { features: [{ ...DEFINITION.features[0], column: 'ground' }] }, 'VARCHAR'],
  ])('are named: %s', async (_, change, words) => {
    const path = await writeRows([{ season: '', session: '', speed: 1, ground: 'ice' }]);
    const definition = parseSketchDefinition({ ...DEFINITION, ...change });
    await expect(sketchParquet([path], definition, signal)).rejects.toMatchObject({
      code: 'DRIFT_INPUT',
      message: expect.stringContaining(words),
    });
  });

  it('nor can a file that has other columns than the first', async () => {
    const path = await writeRows([{ season: '', session: '', speed: 1, ground: 'ice' }]);
    const other = join(folder, 'other.parquet');
    await withDuckDb(async (connection) => {
      await connection.run(`COPY (SELECT '' AS season, '' AS session, 1 AS pace) TO ${quoteText(other)}`);
    });
    await expect(sketchParquet([path, other], DEFINITION, signal)).rejects.toMatchObject({
      code: 'DRIFT_INPUT',
      message: expect.stringContaining('other.parquet'),
    });
  });

  it('nor can a file that is no Parquet', async () => {
    await expect(sketchParquet([import.meta.filename], DEFINITION, signal)).rejects.toMatchObject({
      code: 'DRIFT_INPUT',
    });
  });
});
