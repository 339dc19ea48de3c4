/** Why: what a fit needs of a reference is read from its Parquet files: an even sample of the numbers, and every category. */
import type { DriftMonitor } from './drift-monitor.ts';
import { doublesOf } from './parquet-chunks.ts';
import { ParquetTable } from './parquet-table.ts';
import { joined, type ReferenceSample } from './reference-sample.ts';
import { CATEGORIES_MAX, type CategoryFeature } from './sketch-definition.ts';

/** Rows of the reference that bin edges are taken from. */
export const SAMPLE_ROWS_MAX = 65_536;
/** Values of all features in a sample: 256 MiB as doubles. With more than 512 features the rows are fewer. */
const SAMPLE_VALUES_MAX = 2 ** 25;
/** Knuth's multiplicative hash of the row number: an even sample that no period of the rows can meet. */
const KNUTH = 2_654_435_761;
const WORD = 4_294_967_296;

/** Whether bins or categories are to be taken from the reference at all. */
export function needsSample({ features }: DriftMonitor): boolean {
  return features.some((feature) =>
    feature.kind === 'numeric' ? !Array.isArray(feature.bins) : feature.categories === undefined,
  );
}

/** Rows of Parquet files, by their footers. @throws FleetError DRIFT_INPUT */
export async function countRows(paths: readonly string[], signal: AbortSignal): Promise<number> {
  await using table = await ParquetTable.open(paths, signal);
  // Awaited here: the table is closed as soon as this function returns.
  return await rowsOf(table);
}

/**
 * Reads what a fit needs of these files; `rowsInAll` are the rows of all files of the reference, where these are only some.
 * @throws FleetError DRIFT_INPUT
 */
export async function sampleReference(
  paths: readonly string[],
  { monitor, rowsInAll }: { readonly monitor: DriftMonitor; readonly rowsInAll?: number },
  signal: AbortSignal,
): Promise<ReferenceSample> {
  await using table = await ParquetTable.open(paths, signal);
  const numeric = monitor.features.filter((feature) => feature.kind === 'numeric' && !Array.isArray(feature.bins));
  const values = new Map(numeric.map((feature) => [feature.name, [] as Float64Array[]]));
  if (numeric.length > 0) {
    const columns = numeric.map((feature) => (feature.kind === 'numeric' ? table.double(feature.column) : 'NULL'));
    const chosen = samplePredicate(rowsInAll ?? (await rowsOf(table)), numeric.length);
    await table.eachChunk(`SELECT ${columns.join(', ')} FROM ${table.source} WHERE ${chosen}`, (chunk) =>
      numeric.forEach(({ name }, index) => values.get(name)?.push(doublesOf(chunk, index).filter(Number.isFinite))),
    );
  }
  const categories = new Map<string, readonly string[]>();
  for (const feature of monitor.features) {
    if (feature.kind === 'category' && feature.categories === undefined) {
      categories.set(feature.name, await distinctValues(table, feature));
    }
  }
  return { numeric: new Map([...values].map(([name, parts]) => [name, joined(parts)])), categories };
}

async function rowsOf(table: ParquetTable): Promise<number> {
  let rows = 0;
  await table.eachChunk(`SELECT count(*) FROM ${table.source}`, (chunk) => (rows = Number(chunk.getRows()[0]?.[0])));
  return rows;
}

/** By the number of the row in its own file: other files change nothing in what is chosen of this one. */
function samplePredicate(rowsInAll: number, features: number): string {
  const rowsMax = Math.min(SAMPLE_ROWS_MAX, Math.floor(SAMPLE_VALUES_MAX / features));
  const share = Math.min(1, rowsMax / Math.max(1, rowsInAll));
  return share === 1 ? 'true' : `(file_row_number % 2147483648 * ${KNUTH}) % ${WORD} < ${Math.floor(share * WORD)}`;
}

async function distinctValues(
  table: ParquetTable,
  feature: Pick<CategoryFeature, 'columns'>,
): Promise<readonly string[]> {
  const query = `SELECT DISTINCT ${table.category(feature)} AS value FROM ${table.source} WHERE value IS NOT NULL LIMIT ${CATEGORIES_MAX + 1}`;
  const values: string[] = [];
  await table.eachChunk(query, (chunk) => values.push(...chunk.getRows().map(([value]) => value as string)));
  return values;
}
