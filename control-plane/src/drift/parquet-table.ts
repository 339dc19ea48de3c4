/**
 * Why: what is watched lies in Parquet files of other people: this checks that the columns are there and of a usable type, and
 * says them in SQL, so that the rest sees doubles and text only.
 */
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import { floorDivide } from '../features/sql-text.ts';
import { quoteName, quoteText } from '../training/parquet.ts';
import { CATEGORY_SEPARATOR, type CategoryFeature, type SketchKey } from './sketch-definition.ts';

/** Files in one table. */
export const PATHS_MAX = 10_000;
const DUCKDB_OPTIONS = { memory_limit: '768MB', threads: '2', preserve_insertion_order: 'false' };
const NS_PER_HOUR = 3_600_000_000_000;
const HOURS_PER_DAY = 24;
const WHOLE_TYPES = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BOOLEAN|DECIMAL\(.*\))$/;
const TEXT_LIKE_TYPES = /^(VARCHAR|ENUM\(.*\)|UUID|DATE|TIMESTAMP.*)$/;

/** Parquet files as one table, with a DuckDB of its own. */
export class ParquetTable implements AsyncDisposable {
  readonly connection: DuckDBConnection;
  /** For a FROM clause. */
  readonly source: string;
  readonly #instance: DuckDBInstance;
  readonly #types: ReadonlyMap<string, string>;
  readonly #paths: readonly string[];
  readonly #signal: AbortSignal;

  private constructor(parts: {
    readonly connection: DuckDBConnection;
    readonly instance: DuckDBInstance;
    readonly types: ReadonlyMap<string, string>;
    readonly paths: readonly string[];
    readonly signal: AbortSignal;
  }) {
    this.connection = parts.connection;
    this.#instance = parts.instance;
    this.#types = parts.types;
    this.#paths = parts.paths;
    this.#signal = parts.signal;
    this.source = sourceOf(parts.paths);
  }

  /** Ends queries that run when `signal` aborts. @throws FleetError DRIFT_INPUT when a file cannot be read as Parquet */
  static async open(paths: readonly string[], signal: AbortSignal): Promise<ParquetTable> {
    if (paths.length === 0) throw new FleetError('DRIFT_INPUT', 'no Parquet file was named: name at least one');
    if (paths.length > PATHS_MAX) throw new FleetError('DRIFT_INPUT', `${paths.length} files, at most ${PATHS_MAX}`);
    const instance = await DuckDBInstance.create(':memory:', DUCKDB_OPTIONS);
    try {
      const connection = await instance.connect();
      signal.addEventListener('abort', () => connection.interrupt(), { once: true });
      const types = await columnTypes(connection, paths);
      return new ParquetTable({ connection, instance, types, paths, signal });
    } catch (error) {
      instance.closeSync();
      throw error;
    }
  }

  /**
   * Hands each chunk of the answer to `work`, so that no row becomes an object and none are held. Files are read only now: one may break
   * off, or have other columns than the first.
   * @throws FleetError DRIFT_INPUT; the reason of the signal when it aborts
   */
  async eachChunk(query: string, work: (chunk: DuckDBDataChunk) => void): Promise<void> {
    const next = await this.#read(async () => {
      const result = await this.connection.stream(query);
      return async () => result.fetchChunk();
    });
    for (let chunk = await this.#read(next); chunk !== null && chunk.rowCount > 0; chunk = await this.#read(next))
      work(chunk);
  }

  async #read<Answer>(read: () => Promise<Answer>): Promise<Answer> {
    this.#signal.throwIfAborted();
    return read().catch((cause: unknown) => {
      this.#signal.throwIfAborted();
      throw unreadable(this.#name(), cause);
    });
  }

  /** A column as DOUBLE: NaN stands for missing, infinity for anything that is no finite number. @throws FleetError DRIFT_INPUT */
  double(column: string): string {
    const type = this.#typeOf(column);
    const name = quoteName(column);
    if (WHOLE_TYPES.test(type)) return `COALESCE(${name}::DOUBLE, 'nan'::DOUBLE)`;
    if (type !== 'DOUBLE' && type !== 'FLOAT') throw this.#unusable(column, type, 'a number');
    const value = `${name}::DOUBLE`;
    return `CASE WHEN ${name} IS NULL THEN 'nan'::DOUBLE WHEN isfinite(${name}) THEN ${value} ELSE 'inf'::DOUBLE END`;
  }

  /** A column as text, absent values included as NULL. @throws FleetError DRIFT_INPUT */
  text(column: string): string {
    const type = this.#typeOf(column);
    if (!TEXT_LIKE_TYPES.test(type) && !WHOLE_TYPES.test(type)) throw this.#unusable(column, type, 'a category');
    return `${quoteName(column)}::VARCHAR`;
  }

  /** NULL when any of the columns is. @throws FleetError DRIFT_INPUT */
  category({ columns }: Pick<CategoryFeature, 'columns'>): string {
    return columns.map((column) => this.text(column)).join(` || ${quoteText(CATEGORY_SEPARATOR)} || `);
  }

  /** The value of a key as text; where it is absent, ''. @throws FleetError DRIFT_INPUT */
  key(key: SketchKey): string {
    if (key.as === 'text') return `COALESCE(${this.text(key.column)}, '')`;
    const localNs = `(${this.#nanoseconds(key.column)} + ${Math.round(key.utcOffsetHours * NS_PER_HOUR)})`;
    if (key.as === 'month') return `COALESCE(strftime(make_timestamp_ns(${localNs}), '%m'), '')`;
    const hours = floorDivide(localNs, BigInt(NS_PER_HOUR));
    const hour = `((${hours} % ${HOURS_PER_DAY} + ${HOURS_PER_DAY}) % ${HOURS_PER_DAY})`;
    const from = `(${hour} // ${key.hoursPerClass} * ${key.hoursPerClass})`;
    return `COALESCE(printf('%02d-%02d', ${from}, ${from} + ${key.hoursPerClass}), '')`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.#instance.closeSync();
  }

  #nanoseconds(column: string): string {
    const type = this.#typeOf(column);
    if (type.startsWith('TIMESTAMP')) return `epoch_ns(${quoteName(column)})`;
    if (type !== 'BIGINT') throw this.#unusable(column, type, 'a time (BIGINT ns since the Unix epoch, or TIMESTAMP)');
    return quoteName(column);
  }

  #typeOf(column: string): string {
    const type = this.#types.get(column);
    if (type !== undefined) return type;
    const known = [...this.#types.keys()].slice(0, 20).join(', ');
    throw new FleetError('DRIFT_INPUT', `${this.#name()} has no column ${column}; it has ${known}`);
  }

  #unusable(column: string, type: string, wanted: string): FleetError {
    return new FleetError(
      'DRIFT_INPUT',
      `column ${column} of ${this.#name()} is ${type}: it cannot be read as ${wanted}`,
    );
  }

  #name(): string {
    const more = this.#paths.length > 1 ? ` and ${this.#paths.length - 1} more` : '';
    return `${this.#paths[0]}${more}`;
  }
}

const sourceOf = (paths: readonly string[]): string =>
  `read_parquet([${paths.map(quoteText).join(', ')}], file_row_number = true)`;

async function columnTypes(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  try {
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${sourceOf(paths)}`);
    return new Map(described.getRowsJS().map(([name, type]) => [name as string, type as string]));
  } catch (cause) {
    throw unreadable(paths[0] ?? '', cause);
  }
}

function unreadable(name: string, cause: unknown): FleetError {
  const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return new FleetError('DRIFT_INPUT', `${name} cannot be read as Parquet: ${why}`, { cause });
}
