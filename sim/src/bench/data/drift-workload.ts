/** What both are given: two tables of normal values in fifty columns, one column in ten moved by a tenth, in four hundred sessions. */
import { DuckDBInstance } from '@duckdb/node-api';

export const DRIFT_ROWS = 1_000_000;
export const DRIFT_COLUMNS = 50;
const ROWS_PER_VISIT = 500;
const SESSIONS = 400;
const MOVED_EVERY = 10;
const MOVED_BY = 0.1;

export const driftColumn = (index: number): string => `f${String(index).padStart(2, '0')}`;

export async function writeDriftTables(paths: { readonly reference: string; readonly current: string }): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await connection.run('SELECT setseed(0.25)');
    await connection.run(tableSql(paths.reference, 0));
    await connection.run(tableSql(paths.current, MOVED_BY));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function tableSql(path: string, movedBy: number): string {
  const columns = Array.from({ length: DRIFT_COLUMNS }, (_, index) => {
    const normal = 'sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())';
    const shift = index % MOVED_EVERY === 0 ? movedBy : 0;
    return `${normal} * ${1 + (index % 5)} + ${index + shift} AS ${driftColumn(index)}`;
  });
  return `COPY (SELECT 'drive ' || (i // ${ROWS_PER_VISIT} % ${SESSIONS}) AS session, ${columns.join(', ')}
    FROM range(${DRIFT_ROWS}) t(i)) TO '${path}' (FORMAT parquet)`;
}
