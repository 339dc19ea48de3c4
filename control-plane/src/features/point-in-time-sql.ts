/** Why: which row of a feature table is known from when on, as SQL over its keys alone. */
import { quoteText } from '../training/parquet.ts';
import type { FeatureTable } from './point-in-time-tables.ts';

/** Place of a row in its file: what equal keys are told apart by. */
export const POSITION = 'file_row_number';

export function rowsSql(path: string): string {
  return `read_parquet(${quoteText(path)}, file_row_number = true)`;
}

/**
 * One row for each instant at which the best known row of an entity changes: entity, known_ns, end_ns, row. The best is the one whose
 * window ended last; of several windows with one end the one that arrived last, then the one that stands last in the file.
 */
export function knownSql({ path, entity, endNs, availableNs }: FeatureTable, delayNs: bigint): string {
  const rows = `SELECT ${entity} AS entity, ${endNs} AS end_ns, ${availableNs ?? 'NULL::BIGINT'} AS available_ns, ${POSITION} AS row FROM ${rowsSql(path)}`;
  if (availableNs === undefined) {
    return `SELECT entity, end_ns + ${delayNs} AS known_ns, end_ns, max(row) AS row FROM (${rows})
      WHERE entity IS NOT NULL AND end_ns IS NOT NULL GROUP BY entity, end_ns`;
  }
  // A row whose arrival is not known cannot be shown to have been there.
  return `SELECT entity, known_ns, best.end_ns AS end_ns, best.row AS row FROM (
      SELECT entity, known_ns, max(newest) OVER (PARTITION BY entity ORDER BY known_ns) AS best FROM (
        SELECT entity, greatest(end_ns + ${delayNs}, available_ns) AS known_ns,
          max({end_ns: end_ns, available_ns: available_ns, row: row}) AS newest
        FROM (${rows}) WHERE entity IS NOT NULL AND end_ns IS NOT NULL AND available_ns IS NOT NULL GROUP BY ALL))`;
}
