/** Why: trainers and gates speak Parquet; DuckDB writes and reads it, one short-lived database in memory per call. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

const MEMORY_LIMIT = '256MB';

export type ParquetRow = Readonly<Record<string, unknown>>;

/** Runs work on a database of its own; one thread, so that equal rows give equal files. */
export async function withDuckDb<Result>(work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: MEMORY_LIMIT, threads: '1' });
  try {
    const connection = await instance.connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** All rows of a Parquet file, with the named columns. @throws whatever DuckDB says when the file or a column is not there */
export async function readParquet(
  path: string,
  columns: readonly string[],
  where = 'true',
): Promise<readonly ParquetRow[]> {
  return withDuckDb(async (connection) => {
    const result = await connection.runAndReadAll(
      `SELECT ${columns.map(quoteName).join(', ')} FROM read_parquet(${quoteText(path)}) WHERE ${where}`,
    );
    return result.getRowObjectsJS();
  });
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;
