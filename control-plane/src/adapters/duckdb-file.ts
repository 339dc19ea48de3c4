/** Why: one DuckDB file of the projection. A batch of entries and the sequence it reaches are one transaction, so that a crash anywhere leaves a file that says truthfully how far it is. */
import { rm } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance, StatementType } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import { rowsOf } from '../projection/rows-of.ts';
import {
  type Cell,
  columnsOf,
  type ColumnType,
  indexStatements,
  PROJECTION_VERSION,
  schemaStatements,
  TABLE_NAMES,
  type TableName,
  type TableRow,
} from '../projection/tables.ts';
import type { Row, StoredEntry } from '../ports.ts';

const MEMORY_LIMIT = '1GB';
const THREADS = '2';
/** Entries that are written in one go; a batch may hold more. */
const SLICE_ENTRIES = 200;
/** Rows that one query may return; ask for a page where there are more. */
export const QUERY_ROWS_MAX = 100_000;

export type TableDigest = { readonly table: string; readonly rows: number; readonly digest: string };
export type QueryParameters = Readonly<Record<string, string | number | boolean | null>>;

/** An open file. Mutates as entries are applied. */
export class DuckdbFile implements AsyncDisposable {
  readonly path: string;
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #names: Map<string, string>;
  #applied: number;
  #readers = 0;
  #unused = Promise.withResolvers<void>();

  private constructor(
    path: string,
    parts: { instance: DuckDBInstance; writer: DuckDBConnection; names: Map<string, string>; applied: number },
  ) {
    this.path = path;
    this.#instance = parts.instance;
    this.#writer = parts.writer;
    this.#names = parts.names;
    this.#applied = parts.applied;
  }

  /** Opens a file, creating it when absent; undefined when it is damaged or of another version. */
  static async open(path: string): Promise<DuckdbFile | undefined> {
    let instance: DuckDBInstance | undefined;
    try {
      instance = await DuckDBInstance.create(path, {
        memory_limit: MEMORY_LIMIT,
        threads: THREADS,
        enable_external_access: 'false',
      });
      const writer = await instance.connect();
      await createWhenEmpty(writer);
      const [state] = await rowsFrom(writer, 'SELECT projection_version, sequence FROM applied');
      if (Number(state?.['projection_version']) !== PROJECTION_VERSION)
        throw new Error('another version of the projection');
      const names = new Map(
        (await rowsFrom(writer, 'SELECT name, node FROM names ORDER BY sequence')).map((row) => [
          String(row['name']),
          String(row['node']),
        ]),
      );
      return new DuckdbFile(path, { instance, writer, names, applied: Number(state?.['sequence']) });
    } catch {
      // Nothing is lost: whatever the file held is in the ledger.
      instance?.closeSync();
      return undefined;
    }
  }

  /** Opens the file; a damaged one or one of another version is dropped and made anew. `index` has to follow. */
  static async openOrReplace(path: string): Promise<DuckdbFile> {
    return (await DuckdbFile.open(path)) ?? DuckdbFile.createBare(path);
  }

  /** Makes an empty file, dropping what was there. */
  static async create(path: string): Promise<DuckdbFile> {
    const file = await DuckdbFile.createBare(path);
    await file.index();
    return file;
  }

  /** Makes an empty file without indexes, for a long replay: `index` has to follow. */
  static async createBare(path: string): Promise<DuckdbFile> {
    await removeDuckdbFile(path);
    const file = await DuckdbFile.open(path);
    if (file === undefined)
      throw new FleetError(
        'INTERNAL_UNEXPECTED',
        `DuckDB cannot create ${path}: is the disk full or the folder read-only?`,
      );
    return file;
  }

  /** Makes the indexes that questions are asked by, where they are missing. */
  async index(): Promise<void> {
    for (const statement of indexStatements()) await this.#writer.run(statement);
  }

  get applied(): number {
    return this.#applied;
  }

  /**
   * Applies consecutive entries in one transaction; one writer at a time.
   * @throws FleetError INTERNAL_UNEXPECTED when the entries do not follow on what is applied
   */
  async apply(entries: readonly StoredEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    if (entries[0]?.sequence !== this.#applied + 1) {
      throw new FleetError(
        'INTERNAL_UNEXPECTED',
        `the projection is at ${this.#applied} and was given entry ${entries[0]?.sequence}`,
      );
    }
    const added = new Map<string, string>();
    await this.#writer.run('BEGIN TRANSACTION');
    try {
      await this.#append(entries, added);
      await this.#writer.run(`UPDATE applied SET sequence = ${last.sequence}`);
      await this.#writer.run('COMMIT');
    } catch (error) {
      await this.#writer.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
    for (const [name, node] of added) this.#names.set(name, node);
    this.#applied = last.sequence;
  }

  /** Runs one SELECT. @throws FleetError REQUEST_INVALID when it is not one, does not parse, or gives too many rows */
  async query(sql: string, parameters: QueryParameters = {}): Promise<readonly Row[]> {
    try {
      return await this.#read(async (connection) => select(connection, sql, parameters));
    } catch (error) {
      throw FleetError.from(error, 'REQUEST_INVALID');
    }
  }

  /** Digest over all rows of each table. */
  async digests(): Promise<TableDigest[]> {
    return this.#read(async (connection) => {
      const digests: TableDigest[] = [];
      for (const table of TABLE_NAMES) digests.push(await digestOfTable(connection, table));
      return digests;
    });
  }

  /** Closes after the last query has been answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#readers > 0) await this.#unused.promise;
    this.#writer.closeSync();
    this.#instance.closeSync();
  }

  /** A connection for each reader: a second query on one connection silently ends a result that is still being read. */
  async #read<Result>(work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
    this.#readers += 1;
    try {
      const connection = await this.#instance.connect();
      try {
        return await work(connection);
      } finally {
        connection.closeSync();
      }
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) {
        this.#unused.resolve();
        this.#unused = Promise.withResolvers();
      }
    }
  }

  async #append(entries: readonly StoredEntry[], added: Map<string, string>): Promise<void> {
    const appenders = new Map<TableName, DuckDBAppender>();
    try {
      for (const [index, entry] of entries.entries()) {
        // Questions are answered between the slices of a large batch.
        if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) await nextTurn();
        for (const row of rowsOf(entry, (name) => added.get(name) ?? this.#names.get(name))) {
          if (row.table === 'names') added.set(textOf(row.values['name']), textOf(row.values['node']));
          const appender = appenders.get(row.table) ?? (await this.#writer.createAppender(row.table));
          appenders.set(row.table, appender);
          appendRow(appender, row, entry.sequence);
        }
      }
    } finally {
      for (const appender of appenders.values()) appender.closeSync();
    }
  }
}

async function select(connection: DuckDBConnection, sql: string, parameters: QueryParameters): Promise<readonly Row[]> {
  const statement = await connection.prepare(sql);
  try {
    if (statement.statementType !== StatementType.SELECT) {
      throw new FleetError('REQUEST_INVALID', 'the projection answers SELECT only');
    }
    statement.bind({ ...parameters });
    const reader = await statement.streamAndReadUntil(QUERY_ROWS_MAX + 1);
    if (reader.currentRowCount > QUERY_ROWS_MAX) {
      throw new FleetError('REQUEST_INVALID', `the query gives over ${QUERY_ROWS_MAX} rows: ask for a page`);
    }
    return reader.getRowObjectsJS() as readonly Row[];
  } finally {
    statement.destroySync();
  }
}

/** Removes a file with its write-ahead log. */
export async function removeDuckdbFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.wal`, { force: true });
}

async function createWhenEmpty(connection: DuckDBConnection): Promise<void> {
  const [count] = await rowsFrom(connection, 'SELECT count(*) AS tables FROM duckdb_tables()');
  if (Number(count?.['tables']) > 0) return;
  await connection.run('BEGIN TRANSACTION');
  for (const statement of schemaStatements()) await connection.run(statement);
  await connection.run('COMMIT');
}

async function rowsFrom(connection: DuckDBConnection, sql: string): Promise<readonly Row[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS() as readonly Row[];
}

function appendRow(appender: DuckDBAppender, { table, values }: TableRow, sequence: number): void {
  appender.appendBigInt(BigInt(sequence));
  for (const [name, type] of columnsOf(table).slice(1)) appendCell(appender, type, values[name] ?? null);
  appender.endRow();
}

function appendCell(appender: DuckDBAppender, type: ColumnType, cell: Cell): void {
  if (cell === null) appender.appendNull();
  else if (type === 'text') appender.appendVarchar(textOf(cell));
  else if (type === 'json') appender.appendVarchar(JSON.stringify(cell));
  else if (type === 'integer') appender.appendBigInt(BigInt(cell as number | bigint));
  else if (type === 'real') appender.appendDouble(Number(cell));
  else appender.appendBoolean(cell === true);
}

/**
 * The sum of DuckDB's 64-bit hashes of all rows: the same for the same rows in whatever order they lie, rows that are
 * there twice count twice, and nothing has to be sorted or brought into this process. It finds faults, not forgeries: what
 * proves anything is in the ledger.
 */
async function digestOfTable(connection: DuckDBConnection, table: TableName): Promise<TableDigest> {
  const [digest] = await rowsFrom(
    connection,
    `SELECT count(*) AS rows, coalesce(sum(hash(row)::HUGEINT), 0) AS digest FROM "${table}" AS row`,
  );
  if (digest === undefined) throw new FleetError('INTERNAL_UNEXPECTED', `DuckDB did not count the table ${table}`);
  const hex = BigInt(digest['digest'] as bigint).toString(16);
  return { table, rows: Number(digest['rows']), digest: hex.padStart(24, '0') };
}

function textOf(cell: Cell | undefined): string {
  if (typeof cell === 'string') return cell;
  throw new FleetError('INTERNAL_UNEXPECTED', `a text column was given a ${typeof cell}`);
}
