import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quoteText, readParquet, withDuckDb } from '../training/parquet.ts';
import { joinPointInTime, type PointInTimeJoin } from './point-in-time.ts';

const NS_PER_MS = 1_000_000n;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-join-'));
});
afterEach(async () => rm(folder, { recursive: true }));

type Asked = { readonly vehicle: string; readonly atMs: number };
type Known = {
  readonly vehicle: string;
  readonly endMs: number;
  readonly availableMs?: number | null;
  readonly value: number;
};

/** Writes rows through DuckDB, so that the file is what any tool writes. */
async function table(
  name: string,
  columns: string,
  rows: readonly (readonly (string | number | bigint | null)[])[],
): Promise<string> {
  const path = join(folder, `${name}.parquet`);
  await withDuckDb(async (connection) => {
    await connection.run(`CREATE TABLE rows (${columns})`);
    const cell = (value: string | number | bigint | null): string =>
      typeof value === 'string' ? quoteText(value) : String(value);
    if (rows.length > 0)
      await connection.run(`INSERT INTO rows VALUES ${rows.map((row) => `(${row.map(cell).join(', ')})`).join(', ')}`);
    await connection.run(`COPY rows TO ${quoteText(path)} (FORMAT parquet)`);
  });
  return path;
}

const entityTable = async (asked: readonly Asked[]): Promise<string> =>
  table(
    'entities',
    'vehicle VARCHAR, event_time_ns BIGINT, note INTEGER',
    asked.map(({ vehicle, atMs }, index) => [vehicle, BigInt(atMs) * NS_PER_MS, index]),
  );

async function featureTable(
  known: readonly Known[],
  name = 'features',
  hasArrival = known.some((row) => row.availableMs !== undefined),
): Promise<string> {
  const columns = `vehicle VARCHAR, window_start_ns BIGINT, window_end_ns BIGINT${hasArrival ? ', available_ns BIGINT' : ''}, "mean" DOUBLE`;
  return table(
    name,
    columns,
    known.map(({ vehicle, endMs, availableMs, value }) => {
      const end = BigInt(endMs) * NS_PER_MS;
      const arrival = availableMs === undefined || availableMs === null ? null : BigInt(availableMs) * NS_PER_MS;
      return [vehicle, end - NS_PER_MS, end, ...(hasArrival ? [arrival] : []), value];
    }),
  );
}

const asking = (entities: string, features: string, changed: Partial<PointInTimeJoin> = {}): PointInTimeJoin => ({
  entities,
  features: [{ path: features }],
  out: join(folder, 'out.parquet'),
  entityColumn: 'vehicle',
  timeColumn: 'event_time_ns',
  maxAgeMs: 1_000,
  delayMs: 0,
  ...changed,
});

const valuesOf = async (path = join(folder, 'out.parquet')): Promise<unknown[]> =>
  (await readParquet(path, ['mean'])).map((row) => row['mean']);

/** The definition, row by row. */
function naive(
  asked: Asked,
  known: readonly Known[],
  options: { readonly maxAgeMs: number; readonly delayMs: number; readonly hasArrival: boolean },
): number | null {
  let best: { readonly row: Known; readonly index: number } | undefined;
  for (const [index, row] of known.entries()) {
    if (row.vehicle !== asked.vehicle || row.endMs + options.delayMs > asked.atMs) continue;
    if (options.hasArrival && (row.availableMs ?? Number.POSITIVE_INFINITY) > asked.atMs) continue;
    const order = (left: Known, right: Known): number =>
      left.endMs - right.endMs || (options.hasArrival ? (left.availableMs ?? 0) - (right.availableMs ?? 0) : 0);
    if (best === undefined || order(row, best.row) >= 0) best = { row, index };
  }
  if (best === undefined || asked.atMs - best.row.endMs > options.maxAgeMs) return null;
  return best.row.value;
}

describe('a point-in-time join', () => {
  it('takes the newest row that had ended, including one that ended at the instant itself', async () => {
    const entities = await entityTable([
      { vehicle: 'a', atMs: 99 },
      { vehicle: 'a', atMs: 100 },
      { vehicle: 'a', atMs: 250 },
    ]);
    const features = await featureTable([
      { vehicle: 'a', endMs: 100, value: 1 },
      { vehicle: 'a', endMs: 200, value: 2 },
      { vehicle: 'a', endMs: 300, value: 3 },
    ]);
    const report = await joinPointInTime(asking(entities, features));
    expect(await valuesOf()).toEqual([null, 1, 2]);
    expect(report).toEqual({ entities: 3, tables: [{ path: features, features: 1, matched: 2, tooOld: 0 }] });
  });

  it('leaves out what is older than the maximum age and says how often', async () => {
    const entities = await entityTable([
      { vehicle: 'a', atMs: 1_100 },
      { vehicle: 'a', atMs: 1_101 },
    ]);
    const features = await featureTable([{ vehicle: 'a', endMs: 100, value: 1 }]);
    const { tables } = await joinPointInTime(asking(entities, features));
    expect(await valuesOf()).toEqual([1, null]);
    expect(tables[0]).toMatchObject({ matched: 1, tooOld: 1 });
  });

  it('does not see a row before it arrived, and does not prefer an old window that arrived late', async () => {
    const entities = await entityTable([
      { vehicle: 'a', atMs: 250 },
      { vehicle: 'a', atMs: 400 },
      { vehicle: 'a', atMs: 600 },
    ]);
    const features = await featureTable([
      { vehicle: 'a', endMs: 100, availableMs: 500, value: 1 },
      { vehicle: 'a', endMs: 200, availableMs: 300, value: 2 },
      { vehicle: 'a', endMs: 210, availableMs: null, value: 3 },
    ]);
    await joinPointInTime(asking(entities, features));
    expect(await valuesOf()).toEqual([null, 2, 2]);
  });

  it('knows a window only after its delay', async () => {
    const entities = await entityTable([
      { vehicle: 'a', atMs: 149 },
      { vehicle: 'a', atMs: 150 },
    ]);
    await joinPointInTime(
      asking(entities, await featureTable([{ vehicle: 'a', endMs: 100, value: 1 }]), { delayMs: 50 }),
    );
    expect(await valuesOf()).toEqual([null, 1]);
  });

  it('keeps rows without entity or instant, in the order of the file, with nulls', async () => {
    const entities = await table('entities', 'vehicle VARCHAR, event_time_ns BIGINT', [
      ['b', 5_000_000n],
      [null, 5_000_000n],
      ['a', null],
      ['a', 5_000_000n],
    ]);
    await joinPointInTime(asking(entities, await featureTable([{ vehicle: 'a', endMs: 1, value: 7 }])));
    expect(await valuesOf()).toEqual([null, null, null, 7]);
  });

  it('refuses two columns of one name, and tells them apart by the tables’ names', async () => {
    const entities = await entityTable([{ vehicle: 'a', atMs: 10 }]);
    const [left, right] = [
      await featureTable([{ vehicle: 'a', endMs: 1, value: 1 }], 'left'),
      await featureTable([{ vehicle: 'a', endMs: 2, value: 2 }], 'right'),
    ];
    await expect(
      joinPointInTime(asking(entities, left, { features: [{ path: left }, { path: right }] })),
    ).rejects.toMatchObject({ code: 'FEATURE_TABLE_INVALID' });
    await joinPointInTime(
      asking(entities, left, {
        features: [
          { path: left, name: 'l' },
          { path: right, name: 'r' },
        ],
      }),
    );
    expect(await readParquet(join(folder, 'out.parquet'), ['l__mean', 'r__mean', 'r__feature_time_ns'])).toEqual([
      { l__mean: 1, r__mean: 2, r__feature_time_ns: 2_000_000n },
    ]);
  });

  it('refuses a table without the columns or types that it needs, naming file and column', async () => {
    const entities = await entityTable([{ vehicle: 'a', atMs: 10 }]);
    const other = await table('other', 'car VARCHAR, window_end_ns BIGINT, x DOUBLE', []);
    await expect(joinPointInTime(asking(entities, other))).rejects.toMatchObject({
      code: 'FEATURE_TABLE_INVALID',
      message: expect.stringContaining('no column vehicle'),
    });
    const typed = await table('typed', 'vehicle INTEGER, window_end_ns BIGINT, x DOUBLE', []);
    await expect(joinPointInTime(asking(entities, typed))).rejects.toMatchObject({
      message: expect.stringContaining('vehicle is INTEGER'),
    });
    const timed = await table('timed', 'vehicle VARCHAR, window_end_ns DOUBLE, x DOUBLE', []);
    await expect(joinPointInTime(asking(entities, timed))).rejects.toMatchObject({
      message: expect.stringContaining('window_end_ns is DOUBLE'),
    });
    await expect(joinPointInTime(asking(entities, join(folder, 'none.parquet')))).rejects.toMatchObject({
      code: 'FEATURE_TABLE_INVALID',
    });
  });

  it('writes the same bytes with one thread and with four', async () => {
    const vehicles = ['a', 'b', 'c'];
    const known = Array.from({ length: 20_000 }, (_, index) => ({
      vehicle: vehicles[index % 3] as string,
      endMs: (index * 7) % 9_000,
      value: index / 3,
    }));
    const asked = Array.from({ length: 5_000 }, (_, index) => ({
      vehicle: vehicles[(index * 2) % 3] as string,
      atMs: (index * 13) % 9_500,
    }));
    const [entities, features] = [await entityTable(asked), await featureTable(known)];
    const [one, four] = [join(folder, 'one.parquet'), join(folder, 'four.parquet')];
    await joinPointInTime(asking(entities, features, { out: one, threads: 1 }));
    await joinPointInTime(asking(entities, features, { out: four, threads: 4 }));
    expect((await readFile(one)).equals(await readFile(four))).toBe(true);
  });

  it('agrees with the definition for any rows', async () => {
    const vehicle = fc.constantFrom('a', 'b');
    const ms = fc.integer({ min: -30, max: 30 });
    const known = fc.record({
      vehicle,
      endMs: ms,
      value: fc.integer({ min: 0, max: 1_000 }),
      availableMs: fc.option(ms),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ vehicle, atMs: ms }), { minLength: 1, maxLength: 12 }),
        fc.array(known, { maxLength: 20 }),
        fc.record({
          maxAgeMs: fc.integer({ min: 0, max: 40 }),
          delayMs: fc.integer({ min: 0, max: 9 }),
          hasArrival: fc.boolean(),
        }),
        async (asked, rows, options) => {
          const features = await featureTable(rows, 'features', options.hasArrival);
          await joinPointInTime(asking(await entityTable(asked), features, options));
          expect(await valuesOf()).toEqual(asked.map((each) => naive(each, rows, options)));
        },
      ),
      { numRuns: 40 },
    );
  });
});
