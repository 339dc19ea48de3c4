/**
 * Why: signs the state of the ledger at a stated interval, and remembers every leaf hash that it has signed, so that it
 * never signs a history that contradicts an earlier one. Checkpoints are kept beside the ledger and not in it: an entry
 * about the ledger's root would change that root and call for the next one.
 */
import { FleetError } from '@fleetloop/schemas';
import type { Checkpoints, CheckpointStore, Ledger, StoredEntry } from '../ports.ts';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { consistencyProof, inclusionProof, type SubtreeRoot } from './merkle-proof.ts';
import { CompactRange, hashLeaf, rootOfLeaves, sameHash, type TreeHash } from './merkle-tree.ts';
import { type NoteSigner, type NoteVerifier, verifierKeyText } from './signed-note.ts';

/** A checkpoint is signed after this many new entries … */
export const CHECKPOINT_ENTRIES_MAX = 100;
/** … or this long after the first entry that is not covered, whichever comes first. */
export const CHECKPOINT_INTERVAL_MS = 2_000;
const SIGN_TIMEOUT_MS = 10_000;

export type CheckpointerOptions = {
  readonly ledger: Ledger;
  readonly store: CheckpointStore;
  readonly signer: NoteSigner & NoteVerifier;
  readonly entriesMax?: number;
  readonly intervalMs?: number;
  /** Told once, when the ledger contradicts what was signed; nothing is signed after that. */
  readonly onFailure?: (error: FleetError) => void;
};

/** Follows the ledger and signs it; disposing stops it after a last checkpoint. */
export class Checkpointer implements Checkpoints, AsyncDisposable {
  readonly verifierKey: string;
  readonly #options: CheckpointerOptions;
  readonly #range: CompactRange;
  readonly #stop = new AbortController();
  #pending: TreeHash[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #failure: FleetError | undefined;
  #latest: string | undefined;
  #following: Promise<void> = Promise.resolve();
  #progress = Promise.withResolvers<void>();

  private constructor(options: CheckpointerOptions, range: CompactRange, latest: string | undefined) {
    this.#options = options;
    this.#range = range;
    this.#latest = latest;
    this.verifierKey = verifierKeyText(options.signer);
  }

  /**
   * Takes up where the stored leaves end.
   * @throws FleetError LEDGER_TAMPERED when the ledger, the stored leaves and the last checkpoint do not agree
   */
  static async start(options: CheckpointerOptions): Promise<Checkpointer> {
    const latest = (await options.store.notes(1))[0];
    const range = await restoreRange(options, latest);
    const checkpointer = new Checkpointer(options, range, latest);
    checkpointer.#following = checkpointer.#follow();
    return checkpointer;
  }

  async latest(): Promise<string> {
    this.#assertSound();
    return this.#latest ?? this.signNow();
  }

  async signNow(): Promise<string> {
    const size = await this.#options.ledger.size();
    const deadline = AbortSignal.timeout(SIGN_TIMEOUT_MS);
    while (this.#range.size + this.#pending.length < size) {
      this.#assertSound();
      await raceAbort(
        this.#progress.promise,
        deadline,
        `the checkpointer did not reach entry ${size} within ${SIGN_TIMEOUT_MS} ms`,
      );
    }
    await this.#flush();
    this.#assertSound();
    if (this.#latest === undefined) throw new FleetError('LEDGER_UNAVAILABLE', 'no checkpoint could be signed');
    return this.#latest;
  }

  async history(limit: number): Promise<readonly string[]> {
    return this.#options.store.notes(limit);
  }

  leaves(from: number, to: number): AsyncIterable<TreeHash> {
    return this.#options.store.leaves(from, to);
  }

  async inclusion(index: number, size: number): Promise<readonly TreeHash[]> {
    return this.#prove(size, (subtreeRoot) => inclusionProof(index, size, subtreeRoot));
  }

  async consistency(formerSize: number, size: number): Promise<readonly TreeHash[]> {
    return this.#prove(size, (subtreeRoot) => consistencyProof(formerSize, size, subtreeRoot));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#flush().catch(() => undefined);
  }

  async #prove(size: number, prove: (subtreeRoot: SubtreeRoot) => Promise<TreeHash[]>): Promise<TreeHash[]> {
    if (size > this.#range.size) throw new FleetError('REQUEST_INVALID', `no checkpoint covers ${size} entries yet`);
    try {
      return await prove(async (from, to) => rootOfLeaves(this.#options.store.leaves(from, to)));
    } catch (error) {
      if (error instanceof RangeError) throw new FleetError('REQUEST_INVALID', error.message, { cause: error });
      throw error;
    }
  }

  async #follow(): Promise<void> {
    try {
      const fromSequence = this.#range.size + 1;
      for await (const entry of this.#options.ledger.follow({ fromSequence, signal: this.#stop.signal }))
        await this.#take(entry);
    } catch (error) {
      this.#fail(FleetError.from(error, 'LEDGER_UNAVAILABLE'));
    }
  }

  async #take(entry: StoredEntry): Promise<void> {
    this.#pending.push(hashLeaf(entry.bytes));
    const { entriesMax = CHECKPOINT_ENTRIES_MAX, intervalMs = CHECKPOINT_INTERVAL_MS } = this.#options;
    if (this.#pending.length >= entriesMax) await this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush().catch(() => undefined), intervalMs).unref();
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers();
    resolve();
  }

  /** Leaves first, then the signature over them: a crash between the two only leaves leaves that are signed later. */
  async #flush(): Promise<void> {
    const turn = this.#flushing.then(() => this.#signPending());
    this.#flushing = turn.catch((error: unknown) => this.#fail(FleetError.from(error)));
    return turn;
  }

  async #signPending(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#failure !== undefined) return;
    const leaves = this.#pending;
    if (leaves.length === 0 && this.#latest !== undefined) return;
    this.#pending = [];
    // Appended before the await, so that range and pending together always count every entry taken.
    for (const leaf of leaves) this.#range.append(leaf);
    const state = { size: this.#range.size, root: this.#range.root() };
    await this.#options.store.appendLeaves(leaves);
    const note = signCheckpoint(state, this.#options.signer);
    await this.#options.store.save(state.size, note);
    this.#latest = note;
  }

  #fail(error: FleetError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#progress.resolve();
    this.#options.onFailure?.(error);
  }

  #assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function restoreRange(options: CheckpointerOptions, latest: string | undefined): Promise<CompactRange> {
  const { ledger, store, signer } = options;
  const claim = latest === undefined ? undefined : openCheckpoint(latest, signer);
  const range = new CompactRange();
  let last: TreeHash | undefined;
  let isClaimMet = claim === undefined || claim.size === 0;
  for await (const leaf of store.leaves(0, store.leafCount())) {
    range.append(leaf);
    last = leaf;
    if (claim?.size === range.size) isClaimMet = sameHash(range.root(), claim.root);
  }
  if (!isClaimMet)
    throw tampered(
      'the stored leaf hashes do not have the root of the last checkpoint: restore the checkpoints folder',
    );
  const size = await ledger.size();
  if (size < range.size)
    throw tampered(
      `${range.size} entries were signed, but the ledger holds ${size}: it was restored from an older state`,
    );
  for await (const entry of ledger.read({ fromSequence: Math.max(1, range.size), toSequence: range.size })) {
    if (last !== undefined && !sameHash(hashLeaf(entry.bytes), last))
      throw tampered(`entry ${entry.sequence} is not the one that was signed`);
  }
  return range;
}

async function raceAbort(promise: Promise<void>, signal: AbortSignal, message: string): Promise<void> {
  if (signal.aborted) throw new FleetError('LEDGER_UNAVAILABLE', message);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new FleetError('LEDGER_UNAVAILABLE', message));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function tampered(message: string): FleetError {
  return new FleetError('LEDGER_TAMPERED', message);
}
