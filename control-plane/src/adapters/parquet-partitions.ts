/** A folder of Parquet partitions of one stream: each is there as a whole or not at all, and its name holds the sequences inside. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { ACTIVE_SUFFIX, syncFolder } from './durable-file.ts';

const MEMORY_LIMIT = '256MB';
const SEQUENCE_DIGITS = 12;

export class ParquetPartitions {
  readonly connection: DuckDBConnection;
  readonly #folder: string;
  readonly #kind: string;
  #lastSequence = 0;

  private constructor(folder: string, kind: string, connection: DuckDBConnection) {
    this.#folder = folder;
    this.#kind = kind;
    this.connection = connection;
  }

  /** `pending` defines the columns of the table of that name, which `write` empties into a partition. */
  static async open(folder: string, kind: string, pending: string): Promise<ParquetPartitions> {
    await mkdir(folder, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: MEMORY_LIMIT, threads: '1' });
    const partitions = new ParquetPartitions(folder, kind, await instance.connect());
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

  /** Writes the table `pending` durably and empties it. */
  async write(firstSequence: number, lastSequence: number): Promise<void> {
    const [first, last] = [firstSequence, lastSequence].map((number) => String(number).padStart(SEQUENCE_DIGITS, '0'));
    const path = join(this.#folder, `${this.#kind}-${first}-${last}.parquet`);
    const active = `${path}${ACTIVE_SUFFIX}`;
    await this.connection.run(`COPY pending TO '${quoted(active)}' (FORMAT parquet, COMPRESSION zstd)`);
    await this.connection.run('DELETE FROM pending');
    await flush(active);
    await rename(active, path);
    await syncFolder(this.#folder);
    this.#lastSequence = lastSequence;
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
