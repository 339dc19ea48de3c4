/**
 * Why: DuckDB decodes Parquet, many threads at once, and the counting is done here over its vectors: one scan, no row becomes an
 * object. The counts are integers, so that neither threads nor the order of chunks can change a byte of the sketch.
 */
import { FleetError } from '@fleetloop/schemas';
import { quoteName } from '../training/parquet.ts';
import { compileNumeric, type RowOrder } from './numeric-cells.ts';
import { doublesOf, integersOf } from './parquet-chunks.ts';
import { ParquetTable } from './parquet-table.ts';
import { type CategoryFeature, groupOfSession, type SketchDefinition } from './sketch-definition.ts';
import { type CategoryCounts, leastNames, type SketchUnit, TableSketch } from './table-sketch.ts';

/** Sessions times values of the keys in one call. */
const SESSIONS_MAX = 1_000_000;
/** Distinct values of a category column that are told apart in one call. */
const DISTINCT_MAX = 100_000;
/**
 * Sketches the rows of Parquet files.
 * @throws FleetError DRIFT_INPUT when a column is absent or unusable, or when keys or categories take too many values
 */
export async function sketchParquet(
  paths: readonly string[],
  definition: SketchDefinition,
  signal: AbortSignal,
): Promise<TableSketch> {
  await using table = await ParquetTable.open(paths, signal);
  const sketch = new TableSketch(definition);
  const units = await assignUnits(table, sketch);
  await countNumeric(table, { sketch, units });
  let index = 0;
  for (const feature of definition.features) {
    if (feature.kind !== 'category') continue;
    await countCategory(table, { sketch, units, feature, index });
    index += 1;
  }
  return sketch;
}

type Units = { readonly list: readonly SketchUnit[]; readonly from: string; readonly unit: string };

/** Finds the unit of each row: a table of sessions and keys with their unit, that the rows are joined with. */
async function assignUnits(table: ParquetTable, sketch: TableSketch): Promise<Units> {
  const { keys, session } = sketch.definition;
  const columns = [
    ...keys.map((key, index) => `${table.key(key)} AS k${index}`),
    ...(session === null ? [] : [`COALESCE(${table.text(session)}, '') AS session_name`]),
  ];
  const names = [...keys.map((_, index) => `k${index}`), ...(session === null ? [] : ['session_name'])];
  if (names.length === 0) return { list: [sketch.unit([], 0)], from: table.source, unit: '0::INTEGER' };
  const list: SketchUnit[] = [];
  const positions = new Map<SketchUnit, number>();
  await table.connection.run(
    `CREATE TEMP TABLE unit_of (${names.map((each) => `${each} VARCHAR`).join(', ')}, unit INTEGER)`,
  );
  const appender = await table.connection.createAppender('unit_of');
  let sessions = 0;
  await table.eachChunk(`SELECT DISTINCT ${columns.join(', ')} FROM ${table.source}`, (chunk) => {
    sessions += chunk.rowCount;
    if (sessions > SESSIONS_MAX) throw new FleetError('DRIFT_INPUT', `more than ${SESSIONS_MAX} sessions in one table`);
    for (const row of chunk.getRows()) {
      const texts = row.map(String);
      const unit = sketch.unit(texts.slice(0, keys.length), session === null ? 0 : groupOfSession(texts.at(-1) ?? ''));
      if (!positions.has(unit)) positions.set(unit, list.push(unit) - 1);
      for (const text of texts) appender.appendVarchar(text);
      appender.appendInteger(positions.get(unit) ?? 0);
      appender.endRow();
    }
  });
  appender.closeSync();
  const from = `(SELECT *, ${columns.join(', ')} FROM ${table.source}) JOIN unit_of USING (${names.join(', ')})`;
  return { list, from, unit: 'unit' };
}

type Counting = { readonly sketch: TableSketch; readonly units: Units };

async function countNumeric(table: ParquetTable, { sketch, units }: Counting): Promise<void> {
  const { numeric } = sketch.layout;
  const counters = numeric.map(({ feature, from }) => compileNumeric(feature, from));
  const columns = numeric.map(({ feature }) => table.double(feature.column));
  const sorter = new RowSorter(units.list);
  await table.eachChunk(`SELECT ${[units.unit, ...columns].join(', ')} FROM ${units.from}`, (chunk) => {
    const rows = sorter.sort(integersOf(chunk, 0), chunk.rowCount);
    counters.forEach((count, index) => count(doublesOf(chunk, index + 1), rows));
  });
}

/** Orders the rows of each chunk by their unit, so that a column is counted block by block. Reuses its memory. */
class RowSorter {
  readonly #units: readonly SketchUnit[];
  readonly #ends: Int32Array;
  #order = new Int32Array();

  constructor(units: readonly SketchUnit[]) {
    this.#units = units;
    this.#ends = new Int32Array(units.length);
  }

  /** A counting sort; also counts the rows of the units. */
  sort(unitOf: Int32Array, rows: number): RowOrder {
    const ends = this.#ends.fill(0);
    if (this.#order.length < rows) this.#order = new Int32Array(rows);
    for (let row = 0; row < rows; row += 1) ends[unitOf[row] as number] = (ends[unitOf[row] as number] as number) + 1;
    const blocks: { readonly cells: Float64Array; readonly end: number }[] = [];
    let end = 0;
    for (const [index, unit] of this.#units.entries()) {
      const count = ends[index] as number;
      ends[index] = end;
      if (count === 0) continue;
      end += count;
      unit.rows += count;
      blocks.push({ cells: unit.cells, end });
    }
    for (let row = 0; row < rows; row += 1) {
      const unit = unitOf[row] as number;
      this.#order[ends[unit] as number] = row;
      ends[unit] = (ends[unit] as number) + 1;
    }
    return { order: this.#order, blocks };
  }
}

async function countCategory(
  table: ParquetTable,
  counting: Counting & { readonly feature: CategoryFeature; readonly index: number },
): Promise<void> {
  const { units, feature, index } = counting;
  const known = new Map(feature.categories.map((category, position) => [category, position]));
  const query = `SELECT ${units.unit} AS unit, ${table.category(feature)} AS value, count(*)::DOUBLE AS rows FROM ${units.from} GROUP BY ALL`;
  let groups = 0;
  await table.eachChunk(query, (chunk) => {
    groups += chunk.rowCount;
    if (groups > DISTINCT_MAX * units.list.length) {
      throw new FleetError(
        'DRIFT_INPUT',
        `${quoteName(feature.name)} has over ${DISTINCT_MAX} values: it is no category`,
      );
    }
    for (const [unit, value, rows] of chunk.getRows()) {
      const counts = units.list[Number(unit)]?.categories[index];
      if (counts !== undefined)
        countValue(counts, { value: value === null ? null : String(value), rows: Number(rows) }, known);
    }
  });
}

function countValue(
  counts: CategoryCounts,
  { value, rows }: { readonly value: string | null; readonly rows: number },
  known: ReadonlyMap<string, number>,
): void {
  if (value === null) {
    counts.missing += rows;
    return;
  }
  const position = known.get(value);
  if (position !== undefined) {
    counts.known[position] = (counts.known[position] as number) + rows;
    return;
  }
  counts.fresh += rows;
  counts.freshNames = leastNames([...counts.freshNames, value]);
}
