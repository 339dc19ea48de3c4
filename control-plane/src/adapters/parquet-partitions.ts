/**
 * A folder of Parquet partitions of one stream: each is there as a whole or not at all, and its name holds the sequences inside. The oldest
 * leave when there are too many bytes.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBResultReader } from '@duckdb/node-api';
import { ACTIVE_SUFFIX, syncFolder } from './durable-file.ts';

const MEMORY_LIMIT = '256MB';
const SEQUENCE_DIGITS = 12;
/** What DuckDB says when a partition has left between the listing of the folder and its reading. */
const HAS_LEFT = /No such file or directory|No files found/;
const READ_ATTEMPTS_MAX = 3;

export type PartitionsOptions = {
  /** First part of the names. */
  readonly kind: string;
  /** Columns of the table `pending`, which `write` empties into a partition. */
  readonly pending: string;
  /** Above it the oldest partitions are removed; the newest one stays whatever its size. */
  readonly bytesMax: number;
};

export class ParquetPartitions {
  readonly connection: DuckDBConnection;
  readonly #folder: string;
  readonly #kind: string;
  readonly #bytesMax: number;
  #lastSequence = 0;

  private constructor(folder: string, { kind, bytesMax }: PartitionsOptions, connection: DuckDBConnection) {
    this.#folder = folder;
    this.#kind = kind;
    this.#bytesMax = bytesMax;
    this.connection = connection;
  }

  static async open(folder: string, options: PartitionsOptions): Promise<ParquetPartitions> {
    const { kind, pending } = options;
    await mkdir(folder, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: MEMORY_LIMIT, threads: '1' });
    const partitions = new ParquetPartitions(folder, options, await instance.connect());
    await partitions.connection.run(`CREATE TABLE pending (${pending})`);
    for (const name of await readdir(folder)) {
      if (name.startsWith(kind) && name.endsWith(ACTIVE_SUFFIX)) await rm(join(folder, name), { force: true });
      partitions.#lastSequence = Math.max(partitions.#lastSequence, Number(partitions.#pattern.exec(name)?.[1] ?? 0));
    }
    return partitions;
  }

  /** Highest sequence on disk, 0 when there is none. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** All partitions as a table function, with `options` of it. */
  source(options = ''): string {
    return `read_parquet('${quoted(join(this.#folder, `${this.#kind}-*.parquet`))}'${options})`;
  }

  /** DuckDB refuses a pattern that matches no file. Another process may be the one that writes them. */
  async isEmpty(): Promise<boolean> {
    if (this.#lastSequence > 0) return false;
    return !(await readdir(this.#folder)).some((name) => this.#pattern.test(name));
  }

  /** The rows of a query over `source`. */
  async read(query: string, parameters: Record<string, string | number>): Promise<DuckDBResultReader> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.connection.runAndReadAll(query, parameters);
      } catch (error) {
        if (attempt === READ_ATTEMPTS_MAX || !HAS_LEFT.test(String(error))) throw error;
      }
    }
  }

  /** Writes the table `pending` durably and empties it; then the oldest partitions leave. */
  async write(firstSequence: number, lastSequence: number): Promise<void> {
    await this.#removeOldest();
    const [first, last] = [firstSequence, lastSequence].map((number) => String(number).padStart(SEQUENCE_DIGITS, '0'));
    const path = join(this.#folder, `${this.#kind}-${first}-${last}.parquet`);
    const active = `${path}${ACTIVE_SUFFIX}`;
    await this.connection.run(`COPY pending TO '${quoted(active)}' (FORMAT parquet, COMPRESSION zstd)`);
    await this.connection.run('DELETE FROM pending');
    await flush(active);
    await rename(active, path);
    await syncFolder(this.#folder);
    this.#lastSequence = lastSequence;
    // What is on disk must not be written again because something else cannot leave: the next write says so, before it begins.
    await this.#removeOldest().catch(() => undefined);
  }

  async #removeOldest(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => this.#pattern.test(name)).toSorted();
    const paths = names.map((name) => join(this.#folder, name));
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
    let bytes = sizes.reduce((sum, size) => sum + size, 0);
    for (const [index, path] of paths.slice(0, -1).entries()) {
      if (bytes <= this.#bytesMax) return;
      await rm(path);
      bytes -= sizes[index] ?? 0;
    }
  }

  get #pattern(): RegExp {
    return new RegExp(`^${this.#kind}-\\d+-(\\d+)\\.parquet$`);
  }
}

function quoted(path: string): string {
  return path.replaceAll("'", "''");
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
