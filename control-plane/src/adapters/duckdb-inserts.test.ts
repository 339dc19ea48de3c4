import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { schemaStatements } from '../projection/tables.ts';
import { appendCells, type RowCells } from './duckdb-cells.ts';
import { INSERT_ROWS_MAX, PlannedInserts, STATEMENTS_MAX } from './duckdb-inserts.ts';

let instance: DuckDBInstance;
let connection: DuckDBConnection;

beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  connection = await instance.connect();
  for (const statement of schemaStatements()) await connection.run(statement);
});
afterAll(() => {
  connection.closeSync();
  instance.closeSync();
});

const text = fc.option(fc.string({ unit: 'binary' }));
const integer = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const real = fc.option(fc.double());
const flag = fc.option(fc.boolean());
/** Columns of gate_slices: every type but JSON text, which is written as text is. */
const gateSlice: fc.Arbitrary<RowCells> = fc.tuple(
  fc.bigInt({ min: 1n, max: 2n ** 53n }),
  text,
  text,
  real,
  real,
  integer,
  integer,
  flag,
  real,
  text,
);

async function take(): Promise<unknown> {
  const rows = (await connection.runAndReadAll('SELECT * FROM gate_slices')).getRowsJson();
  await connection.run('DELETE FROM gate_slices');
  return rows;
}

it('a planned insert leaves the same rows as an appender, whatever cells have no value', async () => {
  using inserts = new PlannedInserts(connection);
  await fc.assert(
    fc.asyncProperty(fc.array(gateSlice, { minLength: 1, maxLength: INSERT_ROWS_MAX }), async (rows) => {
      await inserts.insert('gate_slices', rows);
      const inserted = await take();
      const appender = await connection.createAppender('gate_slices');
      for (const row of rows) appendCells(appender, 'gate_slices', row);
      appender.closeSync();
      expect(inserted).toEqual(await take());
    }),
    { numRuns: 200 },
  );
});

it('writes rows of more shapes than it keeps statements for, and of the first shapes again', async () => {
  using inserts = new PlannedInserts(connection);
  const values = ['name', '', 0.5, -0.5, 1n, -1n, true, 2, 'passed'];
  const shapes = Array.from({ length: 2 ** values.length }, (_, shape) => [
    1n,
    ...values.map((value, column) => (((shape >> column) & 1) === 1 ? null : value)),
  ]);
  expect(shapes.length).toBeGreaterThan(STATEMENTS_MAX);
  for (const cells of shapes) await inserts.insert('gate_slices', [cells]);
  const first = await take();
  for (const cells of shapes) await inserts.insert('gate_slices', [cells]);
  expect(first).toHaveLength(shapes.length);
  expect(await take()).toEqual(first);
});
