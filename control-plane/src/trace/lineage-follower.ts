/**
 * Why: the index is filled beside the questions: in pages, from the first row, behind the projection as it follows the
 * ledger. A question that it cannot answer yet, or not any more, is answered from the tables of the projection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import { IndexedGraph } from './indexed-graph.ts';
import { addPage, lastRows, NO_ROWS, readPage, type RowsRead } from './index-pages.ts';
import type { GraphSource, LineageGraph } from './lineage-graph.ts';
import { LineageIndex } from './lineage-index.ts';
import { ProjectionGraph } from './projection-graph.ts';

/** Most memory of the index; a larger lineage is answered from the tables. About 95 bytes are needed for an edge and its share of ids. */
const LINEAGE_INDEX_BYTES_MAX = 1024 * 1024 * 1024;
/** How often new entries are looked for. */
const FOLLOW_EVERY_MS = 500;
/** How long nothing is read after a page could not be. */
const RETRY_AFTER_MS = 60_000;
/** A question waits for so many entries to be added, and for no more. */
const ENTRIES_WAITED_FOR = 200;

/** A projection that is served from a file. */
export type ServedSource = GraphSource & {
  /** Another number whenever another file serves. */
  readonly generation: () => number;
};

type LineageFollowerOptions = {
  readonly source: ServedSource;
  readonly sizeBytesMax?: number;
  /** Told when rows cannot be read, or are too many for the index, for good; questions are answered from the tables. */
  readonly onFailure?: (error: FleetError) => void;
};

type Loaded = { readonly index: LineageIndex; readonly generation: number; rows: RowsRead; sequence: number };

/** Keeps the index of one projection until it is disposed. */
export class LineageFollower implements AsyncDisposable {
  readonly #options: LineageFollowerOptions;
  readonly #stop = new AbortController();
  #loaded: Loaded;
  #catchingUp: Promise<void> | undefined;
  #following: Promise<void> = Promise.resolve();
  #isTooLarge = false;

  private constructor(options: LineageFollowerOptions) {
    this.#options = options;
    this.#loaded = this.#empty();
  }

  static start(options: LineageFollowerOptions): LineageFollower {
    const follower = new LineageFollower(options);
    follower.#following = follower.#follow();
    return follower;
  }

  /** What is in memory. */
  size(): { readonly edges: number; readonly ids: number; readonly sizeBytes: number; readonly sequence: number } {
    const { index, sequence } = this.#loaded;
    return { edges: index.edgeCount, ids: index.idCount, sizeBytes: index.sizeBytes, sequence };
  }

  /** Waits until the index holds what the projection has applied. @throws FleetError why there is none */
  async catchUp(): Promise<void> {
    this.#catchingUp ??= this.#readOn().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /** The lineage as of an entry that the projection has applied. */
  readonly graphAsOf = async (sequence: number): Promise<LineageGraph> => {
    const behind = sequence - (this.#isCurrent() ? this.#loaded.sequence : 0);
    if (behind > 0 && behind <= ENTRIES_WAITED_FOR) await this.catchUp().catch(() => undefined);
    const { index, sequence: reached } = this.#loaded;
    return this.#isCurrent() && reached >= sequence
      ? new IndexedGraph(index, this.#options.source, sequence)
      : new ProjectionGraph(this.#options.source, sequence);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#catchingUp?.catch(() => undefined);
  }

  #empty(): Loaded {
    const generation = this.#options.source.generation();
    return { index: new LineageIndex(), generation, rows: NO_ROWS, sequence: 0 };
  }

  #isCurrent(): boolean {
    return !this.#isTooLarge && this.#loaded.generation === this.#options.source.generation();
  }

  async #follow(): Promise<void> {
    const signal = this.#stop.signal;
    while (!signal.aborted && !this.#isTooLarge) {
      const waitMs = await this.catchUp().then(
        () => FOLLOW_EVERY_MS,
        () => RETRY_AFTER_MS,
      );
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #readOn(): Promise<void> {
    const { source } = this.#options;
    if (this.#isTooLarge) return;
    // Another file has the same rows, but not in the same places.
    if (!this.#isCurrent()) this.#loaded = this.#empty();
    const loaded = this.#loaded;
    const sequence = source.appliedSequence();
    if (sequence === loaded.sequence) return;
    try {
      const last = await lastRows(source);
      const isRead = (await this.#readTable('edges', last.edges)) && (await this.#readTable('nodes', last.nodes));
      // Rows of entries that were applied meanwhile are there already; they are cut off until all of theirs are.
      if (isRead) loaded.sequence = sequence;
    } catch (error) {
      // A page may be there in part.
      this.#loaded = this.#empty();
      this.#options.onFailure?.(FleetError.from(error));
      throw error;
    }
  }

  /** False when it was not read to its end: the projection is served from another file now, or this is being disposed. */
  async #readTable(table: keyof RowsRead, last: number): Promise<boolean> {
    const loaded = this.#loaded;
    while (loaded.rows[table] < last) {
      if (!this.#goesOn()) return false;
      const page = await readPage(this.#options.source, { table, after: loaded.rows[table], last });
      if (!this.#goesOn()) return false;
      addPage(loaded.index, table, page.bytes);
      loaded.rows = { ...loaded.rows, [table]: page.after };
      this.#checkSize(loaded.index);
    }
    return this.#goesOn();
  }

  #goesOn(): boolean {
    return this.#isCurrent() && !this.#stop.signal.aborted;
  }

  #checkSize({ sizeBytes, edgeCount }: LineageIndex): void {
    const sizeBytesMax = this.#options.sizeBytesMax ?? LINEAGE_INDEX_BYTES_MAX;
    if (sizeBytes <= sizeBytesMax) return;
    this.#isTooLarge = true;
    throw new FleetError(
      'INTERNAL_UNEXPECTED',
      `the index of the lineage has ${sizeBytes} bytes at ${edgeCount} edges, over its limit of ${sizeBytesMax}: answers come from the tables, and take longer`,
    );
  }
}
