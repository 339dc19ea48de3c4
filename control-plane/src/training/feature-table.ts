/** Why: training reads one Parquet table with a row per window: where it came from, its split and label, and its features. */
import { DOUBLE, BIGINT, DuckDBDataChunk, VARCHAR } from '@duckdb/node-api';
import { type DatasetRecording, type Digest, type FeatureSet, FleetError } from '@fleetloop/schemas';
import type { FeatureRow } from '../ports.ts';
import { quoteName, quoteText, withDuckDb } from './parquet.ts';

/** Columns before the features. A sample is a window of one drive of one vehicle, however many recordings hold it. */
export const SAMPLE_COLUMNS = [
  'sample_id',
  'recording',
  'session',
  'split',
  'label',
  'vehicle',
  'hardware_revision',
  'software_version',
  'brief',
  'window_start_ns',
] as const;
const TYPES = [...SAMPLE_COLUMNS.slice(0, -1).map(() => VARCHAR), BIGINT];
const CHUNK_ROWS = 2_048;

type Cell = string | number | bigint;
export type FeatureTableRows = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly trainRows: number;
  readonly testRows: number;
};

/**
 * The rows of a dataset version, sorted by sample id. Two recordings of one drive that overlap hold the same windows:
 * each is taken once, from the recording with the lower digest.
 * @throws FleetError FEATURE_SET_INVALID when a feature has the name of a sample column
 */
export function featureTableRows(
  recordings: readonly DatasetRecording[],
  features: ReadonlyMap<Digest, readonly FeatureRow[]>,
  set: FeatureSet,
): FeatureTableRows {
  const clash = set.features.find((feature) => (SAMPLE_COLUMNS as readonly string[]).includes(feature.name));
  if (clash !== undefined)
    throw new FleetError(
      'FEATURE_SET_INVALID',
      `feature ${clash.name} of ${set.name} has the name of a sample column: rename it`,
    );
  const samples = new Map<string, readonly Cell[]>();
  let trainRows = 0;
  for (const entry of recordings) {
    for (const window of features.get(entry.recording as Digest) ?? []) {
      const id = `${entry.vehicle}/${entry.session}/${window.windowStartNs}`;
      if (samples.has(id)) continue;
      samples.set(id, [
        id,
        entry.recording,
        entry.session,
        entry.split,
        entry.label,
        entry.vehicle,
        entry.hardwareRevision,
        entry.softwareVersion,
        entry.brief ?? '',
        window.windowStartNs,
        ...window.values,
      ]);
      if (entry.split === 'train') trainRows += 1;
    }
  }
  const rows = [...samples.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
  return {
    columns: [...SAMPLE_COLUMNS, ...set.features.map((feature) => feature.name)],
    rows,
    trainRows,
    testRows: rows.length - trainRows,
  };
}

/** Writes the rows as Parquet; equal rows give equal bytes. */
export async function writeFeatureTable(table: FeatureTableRows, path: string): Promise<void> {
  await withDuckDb(async (connection) => {
    const types = [...TYPES, ...table.columns.slice(SAMPLE_COLUMNS.length).map(() => DOUBLE)];
    const columns = table.columns.map((name, index) => `${quoteName(name)} ${String(types[index])}`);
    await connection.run(`CREATE TABLE samples (${columns.join(', ')})`);
    const appender = await connection.createAppender('samples');
    for (let from = 0; from < table.rows.length; from += CHUNK_ROWS) {
      const chunk = DuckDBDataChunk.create(types);
      chunk.setRows(table.rows.slice(from, from + CHUNK_ROWS).map((row) => [...row]));
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    await connection.run(
      `COPY (SELECT * FROM samples ORDER BY sample_id) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  });
}

/** Writes the rows of one split of a feature table, with all its columns, in order of sample id. */
export async function writeSplit(source: string, split: 'train' | 'test', path: string): Promise<void> {
  await withDuckDb(async (connection) => {
    const query = `SELECT * FROM read_parquet(${quoteText(source)}) WHERE split = ${quoteText(split)} ORDER BY sample_id`;
    await connection.run(`COPY (${query}) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`);
  });
}
