/** Why: DuckDB reads rows as text from files far faster than it takes them cell by cell; the files live as long as one replay. */
import { mkdir, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { FleetError } from '@fleetloop/schemas';
import { loadStatement } from '../projection/row-text.ts';
import { type RawBatch, RawBatchBuilder } from '../projection/text-batch.ts';
import type { UncheckedEntry } from '../ports.ts';
import { type RowFileMaker, RowFiles } from './row-files.ts';
import { ThreadedRowFiles } from './threaded-row-files.ts';

/** Most entries of a batch. In memory are one that is filled, two that wait for their text, and the text of one; files hold the text of two. */
export const LOAD_ENTRIES_MAX = 4_096;

/** Where the texts of a database file are put; nothing else outside it may be read by its questions. */
export function loadFolder(path: string): string {
  return `${path}.load`;
}

/** The last entry that is there, and what the entries of one transaction have named. */
export type Reached = { readonly sequence: number; readonly names: ReadonlyMap<string, string> };

export type LoadSource = {
  readonly connection: DuckDBConnection;
  /** Of the database file. */
  readonly path: string;
  /** Sequence of the entry before the first one. */
  readonly applied: number;
  /** What all entries before the first one have named. */
  readonly names: ReadonlyMap<string, string>;
  readonly batchEntries: number;
  /** Makes their text on a thread of its own. */
  readonly isThreaded: boolean;
};
export type LoadOptions = LoadSource & {
  /** Runs the statements of one batch; the next one waits for it. */
  readonly take: (batch: Reached, run: () => Promise<void>) => Promise<void>;
};

/** All entries in whatever transaction is open; returns how far they go. */
export async function loadAll(entries: AsyncIterable<UncheckedEntry>, source: LoadSource): Promise<Reached> {
  const names = new Map<string, string>();
  let sequence = source.applied;
  const take: LoadOptions['take'] = async (batch, run) => {
    await run();
    sequence = batch.sequence;
    for (const [name, node] of batch.names) names.set(name, node);
  };
  await loadEntries(entries, { ...source, take });
  return { sequence, names };
}

/**
 * Writes the rows of consecutive entries. While DuckDB loads one batch, the next is made into text and the one after it is read.
 * @throws FleetError INTERNAL_UNEXPECTED when an entry does not follow on the one before it; LEDGER_TAMPERED
 */
export async function loadEntries(entries: AsyncIterable<UncheckedEntry>, options: LoadOptions): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const folder = loadFolder(options.path);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const start = { folder, names: options.names, batches: 0 };
  const loads = new Loads(
    options.isThreaded ? resources.use(new ThreadedRowFiles(start)) : new RowFiles(start),
    options,
  );
  const begin = (from: number): RawBatchBuilder => new RawBatchBuilder(from, options.batchEntries);
  let sequence = options.applied;
  let batch = begin(sequence + 1);
  try {
    for await (const entry of entries) {
      if (entry.sequence !== sequence + 1)
        throw new FleetError(
          'INTERNAL_UNEXPECTED',
          `the projection is at ${sequence} and was given entry ${entry.sequence}`,
        );
      sequence = entry.sequence;
      if (batch.add(entry)) continue;
      await loads.add(batch.finish());
      batch = begin(sequence);
      batch.add(entry);
    }
    if (batch.entries > 0) await loads.add(batch.finish());
    await loads.last;
  } finally {
    // What is being loaded ends before its files do.
    await loads.last.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Batches on their way, one behind the other. */
class Loads {
  readonly #files: RowFileMaker;
  readonly #options: LoadOptions;
  #former: Promise<void> = Promise.resolve();
  last: Promise<void> = Promise.resolve();

  constructor(files: RowFileMaker, options: LoadOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Settles when another one may be added. */
  async add(raw: RawBatch): Promise<void> {
    await this.#former;
    this.#former = this.last;
    this.last = this.#load(raw, this.last);
    // A failure is told when another batch is added, or at the end.
    this.last.catch(() => undefined);
  }

  async #load(raw: RawBatch, before: Promise<void>): Promise<void> {
    const batch = await this.#files.make(raw);
    await before;
    await this.#options.take(batch, async () => {
      for (const { table, path } of batch.files) await this.#options.connection.run(loadStatement(table, path));
    });
  }
}
