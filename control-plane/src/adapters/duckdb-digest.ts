/** Why: two files of the projection are compared by one number for each table, so that no row has to be sorted or brought into this process. */
import type { DuckDBConnection } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import { TABLE_NAMES, type TableName } from '../projection/tables.ts';

export type TableDigest = { readonly table: string; readonly rows: number; readonly digest: string };

/** Digest over all rows of each table. */
export async function digestsOf(connection: DuckDBConnection): Promise<TableDigest[]> {
  const digests: TableDigest[] = [];
  for (const table of TABLE_NAMES) digests.push(await digestOfTable(connection, table));
  return digests;
}

/**
 * The sum of DuckDB's 64-bit hashes of all rows: the same for the same rows in whatever order they lie, and rows that are
 * there twice count twice. It finds faults, not forgeries: what proves anything is in the ledger.
 */
async function digestOfTable(connection: DuckDBConnection, table: TableName): Promise<TableDigest> {
  const reader = await connection.runAndReadAll(
    `SELECT count(*) AS rows, coalesce(sum(hash(row)::HUGEINT), 0) AS digest FROM "${table}" AS row`,
  );
  const [digest] = reader.getRowObjectsJS();
  if (digest === undefined) throw new FleetError('INTERNAL_UNEXPECTED', `DuckDB did not count the table ${table}`);
  const hex = BigInt(digest['digest'] as bigint).toString(16);
  return { table, rows: Number(digest['rows']), digest: hex.padStart(24, '0') };
}
