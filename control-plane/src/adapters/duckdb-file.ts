/** Why: one DuckDB file of the projection. A batch of entries and the sequence it reaches are one transaction, so that a crash anywhere leaves a file that says truthfully how far it is. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, StatementType } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import { PROJECTION_VERSION, schemaStatements } from '../projection/tables.ts';
import type { Row, StoredEntry, UncheckedEntry } from '../ports.ts';
import { LiveRows } from './duckdb-append.ts';
import { digestsOf, type TableDigest } from './duckdb-digest.ts';
import { loadAll, LOAD_ENTRIES_MAX, loadEntries, loadFolder, type LoadOptions, type Reached } from './duckdb-load.ts';

const MEMORY_LIMIT = '1GB';
/**
 * Each connection works on the thread that asks. With others beside them, DuckDB lets those that ask spin while they wait, on cores
 * that everything else needs: a third of what a small recording cost.
 */
const THREADS = '1';
/** Each is tried on every column of a checkpoint, takes as long as writing it, and saves a fifth of the file. */
const COMPRESSION_NOT_TRIED = 'fsst,dict_fsst,alp,alprd,chimp,patas';
/** Rows that one query may return; ask for a page where there are more. */
export const QUERY_ROWS_MAX = 100_000;
/**
 * The write-ahead log of a replay may grow to this, so that few checkpoints write the same blocks again; opening the file
 * after a crash reads it.
 */
const REPLAY_LOG_LIMIT = '256MB';
/** Where one transaction is all of a replay, its rows go into the file at once instead of into the log and then into the file. */
const WHOLE_LOG_LIMIT = '1KB';

export type ReplayOptions = {
  /** Entries of one batch, at most LOAD_ENTRIES_MAX. */
  readonly batchEntries?: number | undefined;
  /** `each`: every batch is a transaction that a crash leaves there; `whole`: all of it is one, for a file that a crash makes worthless. */
  readonly commit: 'each' | 'whole';
  /** Whether the entries are read on a thread of their own; starting one takes as long as some thousand of them. */
  readonly isThreaded?: boolean | undefined;
  readonly onApplied?: () => void;
};
export type QueryParameters = Readonly<Record<string, string | number | boolean | null>>;

/** An open file. Mutates as entries are applied. */
export class DuckdbFile implements AsyncDisposable {
  readonly path: string;
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #rows: LiveRows;
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
    this.#rows = new LiveRows(parts.writer);
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
      });
      const writer = await instance.connect();
      // Given with the options above, it is taken and forgotten.
      await writer.run(`SET disabled_compression_methods = '${COMPRESSION_NOT_TRIED}'`);
      await closeToOutside(writer, path);
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

  /** Opens the file; a damaged one or one of another version is dropped and made anew. */
  static async openOrReplace(path: string): Promise<DuckdbFile> {
    return (await DuckdbFile.open(path)) ?? DuckdbFile.create(path);
  }

  /** Makes an empty file, dropping what was there. */
  static async create(path: string): Promise<DuckdbFile> {
    await removeDuckdbFile(path);
    const file = await DuckdbFile.open(path);
    if (file === undefined)
      throw new FleetError(
        'INTERNAL_UNEXPECTED',
        `DuckDB cannot create ${path}: is the disk full or the folder read-only?`,
      );
    return file;
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
    await this.#transaction(async () => ({
      sequence: last.sequence,
      names: await this.#rows.append(entries, (name) => this.#names.get(name)),
    }));
  }

  /**
   * Applies many consecutive entries; one writer at a time. Memory holds a few batches beside DuckDB's own limit.
   * @throws FleetError INTERNAL_UNEXPECTED when the entries do not follow on what is applied
   */
  async replay(entries: AsyncIterable<UncheckedEntry>, options: ReplayOptions): Promise<void> {
    const { commit, batchEntries = LOAD_ENTRIES_MAX, isThreaded = false, onApplied } = options;
    const load = {
      connection: this.#writer,
      path: this.path,
      applied: this.#applied,
      names: this.#names,
      batchEntries: Math.min(batchEntries, LOAD_ENTRIES_MAX),
      isThreaded,
    };
    const takeOne: LoadOptions['take'] = async (batch, run) => {
      await this.#transaction(async () => {
        await run();
        return batch;
      });
      onApplied?.();
    };
    await this.#withLogLimit(commit === 'whole' ? WHOLE_LOG_LIMIT : REPLAY_LOG_LIMIT, async () => {
      if (commit === 'whole') await this.#transaction(async () => loadAll(entries, load));
      else await loadEntries(entries, { ...load, take: takeOne });
    });
  }

  /** Runs one SELECT. @throws FleetError REQUEST_INVALID when it is not one, does not parse, or gives too many rows */
  async query(sql: string, parameters: QueryParameters = {}): Promise<readonly Row[]> {
    try {
      return await this.#connected(async (connection) => select(connection, sql, parameters));
    } catch (error) {
      throw FleetError.from(error, 'REQUEST_INVALID');
    }
  }

  /** Digest over all rows of each table. */
  async digests(): Promise<TableDigest[]> {
    return this.#connected(digestsOf);
  }

  /** Closes after the last query has been answered, and removes the file: what its log holds need not get into it first. */
  async discard(): Promise<void> {
    await this.#writer.run('PRAGMA disable_checkpoint_on_shutdown').catch(() => undefined);
    await this[Symbol.asyncDispose]();
    await removeDuckdbFile(this.path);
  }

  /** Closes after the last query has been answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#readers > 0) await this.#unused.promise;
    this.#rows[Symbol.dispose]();
    this.#writer.closeSync();
    this.#instance.closeSync();
  }

  /** A connection for each reader: a second query on one connection silently ends a result that is still being read. */
  async #connected<Result>(work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
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

  async #withLogLimit(logLimit: string, work: () => Promise<void>): Promise<void> {
    await this.#writer.run(`SET checkpoint_threshold = '${logLimit}'`);
    try {
      await work();
    } finally {
      // A file whose disk is full takes no setting either; what went wrong is told by the work.
      await this.#writer.run('RESET checkpoint_threshold').catch(() => undefined);
    }
  }

  /** What `work` wrote and how far it came stand or fall together. */
  async #transaction(work: () => Promise<Reached>): Promise<void> {
    let reached: Reached;
    await this.#writer.run('BEGIN TRANSACTION');
    try {
      reached = await work();
      await this.#writer.run(`UPDATE applied SET sequence = ${reached.sequence}`);
      await this.#writer.run('COMMIT');
    } catch (error) {
      await this.#writer.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
    for (const [name, node] of reached.names) this.#names.set(name, node);
    this.#applied = reached.sequence;
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
  await rm(loadFolder(path), { recursive: true, force: true });
}

/** Whoever asks questions reads no file and reaches no network through them; only texts of its own rows are loaded. */
async function closeToOutside(connection: DuckDBConnection, path: string): Promise<void> {
  const folder = `${resolve(loadFolder(path))}/`.replaceAll("'", "''");
  await connection.run(`SET allowed_directories = ['${folder}']`);
  await connection.run('SET enable_external_access = false');
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
