/** The one form in which features are stored: sorted rows, a column each; equal rows give equal bytes, whichever engine gave them. */
import { type FeatureSet, FleetError } from '@fleetloop/schemas';
import { BIGINT, DOUBLE, DuckDBDataChunk, VARCHAR } from '@duckdb/node-api';
import type { FeatureRow } from '../ports.ts';
import { quoteName, quoteText, withDuckDb } from '../training/parquet.ts';
import { writeTableFile } from './table-file.ts';

/** DuckDB's vector size: rows per appended chunk. */
const CHUNK_ROWS = 2_048;
/** Most values of one table: windows times features. */
export const FEATURE_VALUES_MAX = 100_000_000;
const KEY_COLUMNS = ['session VARCHAR', 'window_start_ns BIGINT', 'window_end_ns BIGINT'];

/** A window of a session. */
export type SessionFeatureRow = FeatureRow & { readonly session: string };

/**
 * Writes session, window_start_ns, window_end_ns and one DOUBLE for each feature, NULL for a missing one, by session and time. The file
 * is there whole or not at all.
 * @throws FleetError FEATURE_LIMIT for more than FEATURE_VALUES_MAX values, FEATURE_TABLE_WRITE
 */
export async function writeFeatureParquet(
  path: string,
  featureSet: FeatureSet,
  rows: readonly SessionFeatureRow[],
): Promise<void> {
  checkValues(featureSet, rows.length);
  await writeTableFile(path, async (unfinished) =>
    withDuckDb(async (connection) => {
      const types = [VARCHAR, BIGINT, BIGINT, ...featureSet.features.map(() => DOUBLE)];
      const columns = [...KEY_COLUMNS, ...featureSet.features.map(({ name }) => `${quoteName(name)} DOUBLE`)];
      await connection.run(`CREATE TABLE features (${columns.join(', ')})`);
      const appender = await connection.createAppender('features');
      for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
        const chunk = DuckDBDataChunk.create(types);
        chunk.setRows(rows.slice(from, from + CHUNK_ROWS).map(toCells));
        appender.appendDataChunk(chunk);
      }
      appender.closeSync();
      const query = 'SELECT * FROM features ORDER BY session, window_start_ns';
      await connection.run(`COPY (${query}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`);
    }),
  );
}

/** @throws FleetError FEATURE_LIMIT */
export function checkValues(featureSet: FeatureSet, windows: number): void {
  if (windows * featureSet.features.length <= FEATURE_VALUES_MAX) return;
  throw new FleetError(
    'FEATURE_LIMIT',
    `${windows} windows of ${featureSet.features.length} features are more than ${FEATURE_VALUES_MAX} values: compute fewer recordings at once, or raise hopMs`,
  );
}

function toCells({
  session,
  windowStartNs,
  windowEndNs,
  values,
}: SessionFeatureRow): (string | bigint | number | null)[] {
  return [session, windowStartNs, windowEndNs, ...values.map((value) => (Number.isNaN(value) ? null : value))];
}
