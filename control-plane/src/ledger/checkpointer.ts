/**
 * Why: signs the state of the ledger at a stated interval, and remembers every leaf hash that it has signed, so that it
 * never signs a history that contradicts an earlier one. Checkpoints are kept beside the ledger and not in it: an entry
 * about the ledger's root would change that root and call for the next one.
 */
import { FleetError } from '@fleetloop/schemas';
import type { CheckpointKeys, Checkpoints, CheckpointSigner, CheckpointStore, Ledger, StoredEntry } from '../ports.ts';
import { signCheckpoint } from './checkpoint.ts';
import { keyAt, type KeyChain, keyChain, openInChain, type Rotation } from './key-chain.ts';
import { consistencyProof, inclusionProof, type SubtreeRoot } from './merkle-proof.ts';
import { hashLeaf, sameHash, type TreeHash } from './merkle-tree.ts';
import { readRotations } from './rotate-key.ts';
import { verifierKeyText } from './signed-note.ts';
import { TiledTree } from './tiled-tree.ts';

/** A checkpoint is signed after this many new entries … */
export const CHECKPOINT_ENTRIES_MAX = 100;
/** … or this long after the first entry that is not covered, whichever comes first. */
export const CHECKPOINT_INTERVAL_MS = 2_000;
const SIGN_TIMEOUT_MS = 10_000;

export type CheckpointerOptions = {
  readonly ledger: Ledger;
  readonly store: CheckpointStore;
  /** The key that signs until the ledger announces another one. */
  readonly signer: CheckpointSigner;
  /** Where the announced ones are found. */
  readonly keys?: CheckpointKeys;
  readonly entriesMax?: number;
  readonly intervalMs?: number;
  /** Told once, when the ledger contradicts what was signed; nothing is signed after that. */
  readonly onFailure?: (error: FleetError) => void;
};

/** Follows the ledger and signs it; disposing stops it after a last checkpoint. */
export class Checkpointer implements Checkpoints, AsyncDisposable {
  readonly #options: CheckpointerOptions;
  #signer: CheckpointSigner;
  #rotations: readonly Rotation[];
  readonly #tree: TiledTree;
  readonly #stop = new AbortController();
  #pending: TreeHash[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #failure: FleetError | undefined;
  #latest: string | undefined;
  #following: Promise<void> = Promise.resolve();
  #progress = Promise.withResolvers<void>();

  private constructor(options: CheckpointerOptions, state: RestoredState) {
    this.#options = options;
    this.#tree = state.tree;
    this.#latest = state.latest;
    this.#signer = state.signer;
    this.#rotations = state.rotations;
  }

  get verifierKey(): string {
    return verifierKeyText(this.#signer);
  }

  /**
   * Takes up where the stored leaves end.
   * @throws FleetError LEDGER_TAMPERED when the ledger, the stored leaves and the last checkpoint do not agree
   */
  static async start(options: CheckpointerOptions): Promise<Checkpointer> {
    const checkpointer = new Checkpointer(options, await restore(options));
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
    while (this.#tree.size + this.#pending.length < size) {
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
    // Not what the tree holds: its newest leaves may still be on their way to the disk, from which a proof reads.
    if (size > this.#options.store.leafCount())
      throw new FleetError('REQUEST_INVALID', `no checkpoint covers ${size} entries yet`);
    try {
      return await prove(async (from, to) => this.#tree.subtreeRoot(from, to));
    } catch (error) {
      if (error instanceof RangeError) throw new FleetError('REQUEST_INVALID', error.message, { cause: error });
      throw error;
    }
  }

  async #follow(): Promise<void> {
    try {
      const fromSequence = this.#tree.size + 1;
      for await (const entry of this.#options.ledger.follow({ fromSequence, signal: this.#stop.signal }))
        await this.#take(entry);
    } catch (error) {
      this.#fail(FleetError.from(error, 'LEDGER_UNAVAILABLE'));
    }
  }

  async #take(entry: StoredEntry): Promise<void> {
    const rotation = rotationIn(entry);
    if (rotation !== undefined) await this.#changeKey(rotation);
    this.#pending.push(hashLeaf(entry.bytes));
    const { entriesMax = CHECKPOINT_ENTRIES_MAX, intervalMs = CHECKPOINT_INTERVAL_MS } = this.#options;
    if (rotation !== undefined || this.#pending.length >= entriesMax) await this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush().catch(() => undefined), intervalMs).unref();
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers();
    resolve();
  }

  /** What came before the rotation is signed with the former key, the rotation itself with the new one. */
  async #changeKey(rotation: Rotation): Promise<void> {
    await this.#flush();
    const rotations = [...this.#rotations, rotation];
    const chain = keyChain(this.verifierKey, rotations);
    this.#signer = await signerOf(this.#options, keyAt(chain, rotation.sequence));
    this.#rotations = rotations;
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
    // Appended before the await, so that tree and pending together always count every entry taken.
    for (const leaf of leaves) this.#tree.append(leaf);
    const state = { size: this.#tree.size, root: this.#tree.root() };
    await this.#options.store.appendLeaves(leaves);
    const note = signCheckpoint(state, this.#signer);
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

type RestoredState = {
  readonly tree: TiledTree;
  readonly latest: string | undefined;
  readonly signer: CheckpointSigner;
  /** Those that the stored leaves cover; later ones come by following. */
  readonly rotations: readonly Rotation[];
};

async function restore(options: CheckpointerOptions): Promise<RestoredState> {
  const latest = (await options.store.notes(1))[0];
  const size = options.store.leafCount();
  const rotations = (await readRotations(options.ledger)).filter(({ sequence }) => sequence <= size);
  const chain = keyChain(verifierKeyText(options.signer), rotations);
  const signer = await signerOf(options, keyAt(chain, size));
  return { tree: await restoreTree(options, latest, chain), latest, signer, rotations };
}

async function signerOf({ signer, keys }: CheckpointerOptions, key: string): Promise<CheckpointSigner> {
  const found = key === verifierKeyText(signer) ? signer : await keys?.find(key);
  if (found !== undefined) return found;
  throw new FleetError(
    'CONFIG_INVALID',
    `checkpoints are signed by ${key}, whose private key is not in the keys folder: restore it from a backup`,
  );
}

function rotationIn({ sequence, entry }: StoredEntry): Rotation | undefined {
  return entry.kind === 'checkpoint.key_rotated' ? { sequence, body: entry.body } : undefined;
}

async function restoreTree(
  { ledger, store }: CheckpointerOptions,
  latest: string | undefined,
  chain: KeyChain,
): Promise<TiledTree> {
  const claim = latest === undefined ? undefined : openInChain(latest, chain);
  const tree = new TiledTree((from, to) => store.leaves(from, to));
  let last: TreeHash | undefined;
  let isClaimMet = claim === undefined || claim.size === 0;
  for await (const leaf of store.leaves(0, store.leafCount())) {
    tree.append(leaf);
    last = leaf;
    if (claim?.size === tree.size) isClaimMet = sameHash(tree.root(), claim.root);
  }
  if (!isClaimMet)
    throw tampered(
      'the stored leaf hashes do not have the root of the last checkpoint: restore the checkpoints folder',
    );
  const size = await ledger.size();
  if (size < tree.size)
    throw tampered(
      `${tree.size} entries were signed, but the ledger holds ${size}: it was restored from an older state`,
    );
  for await (const entry of ledger.read({ fromSequence: Math.max(1, tree.size), toSequence: tree.size })) {
    if (last !== undefined && !sameHash(hashLeaf(entry.bytes), last))
      throw tampered(`entry ${entry.sequence} is not the one that was signed`);
  }
  return tree;
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
