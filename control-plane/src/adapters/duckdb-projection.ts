/** Why: answers questions from tables that follow the ledger, and can throw them away at any time: the ledger gives them back. */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FleetError, type FactKind, factVersion } from '@fleetloop/schemas';
import type { Projection, RebuildReport, Row, StoredEntry, StoredFact, UncheckedLedger } from '../ports.ts';
import { DuckdbFile, type QueryParameters, type ReplayOptions } from './duckdb-file.ts';
import { makeFolderDurably } from './durable-file.ts';
import { currentFileName, nextFileName, removeOtherFiles, serveFile } from './projection-folder.ts';

/** Entries of one transaction, and the most that wait in memory. */
const BATCH_ENTRIES_MAX = 500;
/** Entries of one transaction of a replay into the file that serves, so that what it has reached is seen soon. */
const REPLAY_BATCH_ENTRIES = 4_000;
/** So many entries are worth a thread of their own. */
const THREADED_ENTRIES_MIN = 20_000;
/** How long a reader waits for its own write, at most. */
export const WAIT_TIMEOUT_MS = 10_000;

export type DuckdbProjectionOptions = {
  readonly folder: string;
  readonly ledger: UncheckedLedger;
  /** Entries of one transaction while a ledger that is far ahead is caught up with; default REPLAY_BATCH_ENTRIES. */
  readonly replayBatchEntries?: number;
  /** Told once, when entries can no longer be applied; questions are answered from what was applied before. */
  readonly onFailure?: (error: FleetError) => void;
};

type ReplayWay = { readonly commit: ReplayOptions['commit']; readonly signal?: AbortSignal | undefined };
type Waiter = { readonly sequence: number; readonly resolve: () => void; readonly reject: (error: FleetError) => void };

/** The projection of one ledger in one folder; follows until it is disposed. */
export class DuckdbProjection implements Projection, AsyncDisposable {
  readonly #options: DuckdbProjectionOptions;
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #file: DuckdbFile;
  #pending: StoredEntry[] = [];
  #applying: Promise<void> = Promise.resolve();
  #isDraining = false;
  #rebuilding: Promise<RebuildReport> | undefined;
  #generation = 0;
  #following: Promise<void> = Promise.resolve();
  #failure: FleetError | undefined;

  private constructor(options: DuckdbProjectionOptions, file: DuckdbFile) {
    this.#options = options;
    this.#file = file;
  }

  /**
   * Opens the folder and follows the ledger. A file that is damaged, of another version, or ahead of the ledger is
   * dropped and replayed.
   */
  static async open(options: DuckdbProjectionOptions): Promise<DuckdbProjection> {
    await makeFolderDurably(options.folder);
    const name = await currentFileName(options.folder);
    await removeOtherFiles(options.folder, name);
    let file = await DuckdbFile.openOrReplace(join(options.folder, name));
    if (file.applied > (await options.ledger.size())) {
      await file[Symbol.asyncDispose]();
      file = await DuckdbFile.create(join(options.folder, name));
    }
    const projection = new DuckdbProjection(options, file);
    projection.#following = projection.#follow();
    return projection;
  }

  appliedSequence(): number {
    return this.#file.applied;
  }

  /** Another number whenever another file serves: its rows are the same, their places are not. */
  generation(): number {
    return this.#generation;
  }

  /** @throws FleetError LEDGER_UNAVAILABLE after WAIT_TIMEOUT_MS, or the failure that stopped the projection */
  async waitFor(sequence: number, signal?: AbortSignal): Promise<void> {
    if (this.#file.applied >= sequence) return;
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { sequence, resolve, reject };
    const late = (): void =>
      reject(
        new FleetError(
          'LEDGER_UNAVAILABLE',
          `the projection is at ${this.#file.applied} and did not reach ${sequence} in time`,
        ),
      );
    const deadline = setTimeout(late, WAIT_TIMEOUT_MS);
    signal?.addEventListener('abort', late, { once: true });
    this.#waiters.add(waiter);
    try {
      if (signal?.aborted === true) late();
      await promise;
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', late);
      this.#waiters.delete(waiter);
    }
  }

  async query(sql: string, parameters: QueryParameters = {}): Promise<readonly Row[]> {
    return this.#file.query(sql, parameters);
  }

  async facts<Kind extends FactKind>(
    kind: Kind,
    options: { readonly key?: string; readonly asOfSequence?: number; readonly every?: boolean } = {},
  ): Promise<readonly StoredFact<Kind>[]> {
    const latest =
      options.every === true ? '' : 'QUALIFY row_number() OVER (PARTITION BY key ORDER BY sequence DESC) = 1';
    const rows = await this.query(
      `SELECT sequence, kind, "at", actor, entity || '.' || key AS subject, reason, evidence, body FROM facts
       WHERE kind = $kind AND ($key IS NULL OR key = $key) AND ($asOf IS NULL OR sequence <= $asOf::BIGINT) ${latest} ORDER BY sequence`,
      {
        kind,
        key: options.key ?? null,
        asOf: options.asOfSequence === undefined ? null : String(options.asOfSequence),
      },
    );
    return rows.map((row) => storedFact<Kind>(row));
  }

  async rebuild(signal?: AbortSignal): Promise<RebuildReport> {
    this.#rebuilding ??= this.#rebuildOnce(signal).finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#rebuilding?.catch(() => undefined);
    await this.#applying.catch(() => undefined);
    await this.#file[Symbol.asyncDispose]();
  }

  /** A ledger that is far ahead is replayed in large batches. */
  async #catchUp(): Promise<void> {
    const signal = this.#stop.signal;
    const size = await this.#options.ledger.size();
    await this.#exclusive(async () => {
      if (size - this.#file.applied > BATCH_ENTRIES_MAX)
        await this.#replay(this.#file, size, { commit: 'each', signal });
    });
  }

  async #follow(): Promise<void> {
    try {
      await this.#catchUp();
      for await (const entry of this.#options.ledger.follow({
        fromSequence: this.#file.applied + 1,
        signal: this.#stop.signal,
      })) {
        this.#pending.push(entry);
        this.#drain();
        // While a transaction runs, entries gather into the next one; over the limit the ledger has to wait.
        if (this.#pending.length >= BATCH_ENTRIES_MAX) await this.#applying;
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fail(FleetError.from(error));
    }
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    void this.#exclusive(async () => {
      // Entries that came with this one, as facts that were appended together do, go into one transaction with it.
      await nextTurn();
      while (this.#pending.length > 0 && !this.#stop.signal.aborted) {
        // A rebuild reads entries itself and may be ahead of what was followed.
        const batch = this.#pending.filter((entry) => entry.sequence > this.#file.applied);
        this.#pending = [];
        await this.#file.apply(batch);
        this.#settleWaiters();
      }
    })
      .catch((error: unknown) => this.#fail(FleetError.from(error)))
      .finally(() => {
        this.#isDraining = false;
      });
  }

  /** Applying and swapping exclude each other. */
  #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#applying.then(work);
    this.#applying = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #rebuildOnce(signal?: AbortSignal): Promise<RebuildReport> {
    const startedMs = performance.now();
    const folder = this.#options.folder;
    const name = nextFileName(this.#file.path);
    const fresh = await DuckdbFile.create(join(folder, name));
    try {
      // Nearly all of the way beside the serving file, the last entries while it stands still.
      await this.#replay(fresh, await this.#options.ledger.size(), { commit: 'whole', signal });
      return await this.#exclusive(async () => {
        const target = Math.max(this.#file.applied, fresh.applied);
        await this.#replay(this.#file, target, { commit: 'each', signal });
        await this.#replay(fresh, target, { commit: 'each', signal });
        const report = await compareFiles(this.#file, fresh, startedMs);
        await this.#serve(fresh, name);
        return report;
      });
    } catch (error) {
      if (this.#file !== fresh) await fresh.discard();
      throw error;
    }
  }

  async #serve(fresh: DuckdbFile, name: string): Promise<void> {
    const former = this.#file;
    await serveFile(this.#options.folder, name);
    this.#file = fresh;
    this.#generation += 1;
    this.#settleWaiters();
    await former.discard();
  }

  /** A few entries are applied at once; many are loaded, batch by batch. */
  async #replay(file: DuckdbFile, toSequence: number, { commit, signal }: ReplayWay): Promise<void> {
    const range = { fromSequence: file.applied + 1, toSequence, ...(signal === undefined ? {} : { signal }) };
    const count = toSequence - file.applied;
    if (count <= 0) return;
    const { ledger, replayBatchEntries: batchEntries = REPLAY_BATCH_ENTRIES } = this.#options;
    const onApplied = (): void => this.#settleWaiters();
    const isThreaded = count >= THREADED_ENTRIES_MIN;
    if (count <= BATCH_ENTRIES_MAX) await file.apply(await gathered(ledger.read(range)));
    else if (commit === 'whole') await file.replay(ledger.readUnchecked(range), { commit, isThreaded });
    else await file.replay(ledger.readUnchecked(range), { commit, onApplied, batchEntries, isThreaded });
    onApplied();
  }

  #settleWaiters(): void {
    for (const waiter of this.#waiters) if (waiter.sequence <= this.#file.applied) waiter.resolve();
  }

  #fail(error: FleetError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#options.onFailure?.(error);
    this.#stop.abort();
  }
}

function storedFact<Kind extends FactKind>(row: Row): StoredFact<Kind> {
  const { sequence, kind, at, actor, subject, reason, evidence, body } = row;
  const parsed = { evidence: JSON.parse(String(evidence)) as unknown, body: JSON.parse(String(body)) as unknown };
  // The row was written from an entry that its schema had accepted.
  return {
    sequence: Number(sequence),
    v: factVersion(kind as Kind),
    kind,
    at,
    actor,
    subject,
    ...(reason === null ? {} : { reason }),
    ...parsed,
  } as unknown as StoredFact<Kind>;
}

async function compareFiles(former: DuckdbFile, fresh: DuckdbFile, startedMs: number): Promise<RebuildReport> {
  const [before, after] = await Promise.all([former.digests(), fresh.digests()]);
  const tables = after.map((table, index) => ({
    table: table.table,
    rowsBefore: before[index]?.rows ?? 0,
    rowsAfter: table.rows,
    digestBefore: before[index]?.digest ?? '',
    digestAfter: table.digest,
  }));
  return {
    sequence: fresh.applied,
    seconds: (performance.now() - startedMs) / 1_000,
    same: tables.every((table) => table.digestBefore === table.digestAfter),
    tables,
  };
}

async function gathered(entries: AsyncIterable<StoredEntry>): Promise<StoredEntry[]> {
  const all: StoredEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}
