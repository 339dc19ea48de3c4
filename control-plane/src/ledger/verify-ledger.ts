/**
 * Why: whoever audits the fleet must not have to trust it. This recomputes the tree from entries that were downloaded,
 * holds it against what was signed, and names the entry that was altered, dropped, added or moved.
 */
import { FleetError } from '@fleetloop/schemas';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { decodeEntry } from './entry-coding.ts';
import { CompactRange, hashLeaf, sameHash, type TreeHash } from './merkle-tree.ts';
import type { NoteVerifier } from './signed-note.ts';

export type LedgerEvidence = {
  /** Entries from sequence 1 on, in order. */
  readonly entries: AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }>;
  /** Signed checkpoints in any order; the largest is the claim, the others narrow down where a fault lies. */
  readonly checkpoints: readonly string[];
  readonly verifier: NoteVerifier;
  /**
   * Leaf hashes that somebody kept, from leaf 0 on. They need not be trusted: they are used only where their own root
   * is the signed one, and then they name the entry exactly.
   */
  readonly leaves?: AsyncIterable<TreeHash>;
};

export type LedgerProblem = 'checkpoint' | 'malformed' | 'missing' | 'altered' | 'dropped' | 'added' | 'reordered';

export type LedgerVerdict =
  | {
      readonly ok: true /** Entries that the checkpoint covers. */;
      readonly entries: number /** Later entries, seen and well-formed but not signed yet. */;
      readonly unsigned: number;
      readonly root: string;
    }
  | {
      readonly ok: false;
      readonly problem: LedgerProblem;
      /** The entry, or the first of the range in which it lies; 0 where no entry is to blame. */
      readonly sequence: number;
      /** Last entry of that range; equal to `sequence` where the entry is known. */
      readonly toSequence: number;
      readonly message: string;
    };

type Fault = Extract<LedgerVerdict, { ok: false }>;

/** Verifies the entries against the largest checkpoint. Memory does not grow with the ledger. */
export async function verifyLedger(evidence: LedgerEvidence): Promise<LedgerVerdict> {
  const claims = openAll(evidence.checkpoints, evidence.verifier);
  if ('ok' in claims) return claims;
  const claim = claims.at(-1);
  if (claim === undefined) return fault('checkpoint', 0, 'there is no checkpoint to verify against');
  const replay = await replayEntries(evidence, claims, claim.size);
  if ('ok' in replay) return replay;
  if (replay.size < claim.size) {
    return fault(
      'missing',
      replay.size + 1,
      `the checkpoint covers ${claim.size} entries, the ledger ends after ${replay.size}`,
    );
  }
  if (replay.firstWrong === undefined) {
    return {
      ok: true,
      entries: claim.size,
      unsigned: replay.size - claim.size,
      root: Buffer.from(claim.root).toString('hex'),
    };
  }
  return exactFault(replay, claim) ?? rangeFault(replay.firstWrong);
}

function openAll(notes: readonly string[], verifier: NoteVerifier): readonly Checkpoint[] | Fault {
  try {
    return notes.map((note) => openCheckpoint(note, verifier)).sort((left, right) => left.size - right.size);
  } catch (error) {
    return fault('checkpoint', 0, FleetError.from(error).message);
  }
}

/** First place where entries and kept leaves part, with the two hashes on each side. */
type Divergence = { readonly index: number; readonly found: TreeHash[]; readonly kept: TreeHash[] };
type Replay = {
  readonly size: number;
  readonly firstWrong: { readonly from: number; readonly to: number } | undefined;
  readonly divergence: Divergence | undefined;
  /** Root of the kept leaves at the size of the claim, when there were that many. */
  readonly keptRoot: TreeHash | undefined;
};

async function replayEntries(
  evidence: LedgerEvidence,
  claims: readonly Checkpoint[],
  size: number,
): Promise<Replay | Fault> {
  const found = new CompactRange();
  const against = new CheckpointComparison(claims);
  const kept = new KeptLeaves(evidence.leaves, size);
  against.compare(found);
  for await (const entry of evidence.entries) {
    if (entry.sequence !== found.size + 1) {
      return fault('missing', found.size + 1, `entry ${found.size + 1} is missing: the next one is ${entry.sequence}`);
    }
    const malformed = refuseMalformed(entry);
    if (malformed !== undefined) return malformed;
    const leaf = hashLeaf(entry.bytes);
    await kept.compare(found.size, leaf);
    found.append(leaf);
    against.compare(found);
  }
  return { size: found.size, firstWrong: against.firstWrong, divergence: kept.divergence, keptRoot: kept.root };
}

function refuseMalformed(entry: { readonly sequence: number; readonly bytes: Uint8Array }): Fault | undefined {
  try {
    decodeEntry(entry.bytes);
    return undefined;
  } catch (error) {
    return fault(
      'malformed',
      entry.sequence,
      `entry ${entry.sequence} is not one that this ledger takes: ${FleetError.from(error).message}`,
    );
  }
}

/** Holds the growing tree against each checkpoint of its size. Mutates as entries pass. */
class CheckpointComparison {
  readonly #claims: readonly Checkpoint[];
  #next = 0;
  #lastGood = 0;
  firstWrong: { readonly from: number; readonly to: number } | undefined;

  constructor(claims: readonly Checkpoint[]) {
    this.#claims = claims;
  }

  compare(range: CompactRange): void {
    for (let claim = this.#claims[this.#next]; claim?.size === range.size; claim = this.#claims[this.#next]) {
      this.#next += 1;
      if (sameHash(claim.root, range.root())) this.#lastGood = claim.size;
      else this.firstWrong ??= { from: Math.min(this.#lastGood + 1, claim.size), to: claim.size };
    }
  }
}

/** Reads the kept leaves in step with the entries. Mutates as entries pass. */
class KeptLeaves {
  readonly #leaves: AsyncIterator<TreeHash> | undefined;
  readonly #range = new CompactRange();
  readonly #size: number;
  divergence: Divergence | undefined;
  root: TreeHash | undefined;

  constructor(leaves: AsyncIterable<TreeHash> | undefined, size: number) {
    this.#leaves = leaves?.[Symbol.asyncIterator]();
    this.#size = size;
  }

  async compare(index: number, leaf: TreeHash): Promise<void> {
    const next = await this.#leaves?.next();
    if (next === undefined || next.done === true) return;
    this.#range.append(next.value);
    if (this.#range.size === this.#size) this.root = this.#range.root();
    if (this.divergence === undefined && !sameHash(next.value, leaf)) this.divergence = { index, found: [], kept: [] };
    if (this.divergence !== undefined && this.divergence.found.length < 2) {
      this.divergence.found.push(leaf);
      this.divergence.kept.push(next.value);
    }
  }
}

function exactFault(replay: Replay, claim: Checkpoint): Fault | undefined {
  const { divergence, keptRoot } = replay;
  if (divergence === undefined || keptRoot === undefined || !sameHash(keptRoot, claim.root)) return undefined;
  const sequence = divergence.index + 1;
  const [found, foundNext] = divergence.found;
  const [kept, keptNext] = divergence.kept;
  const same = (left: TreeHash | undefined, right: TreeHash | undefined): boolean =>
    left !== undefined && right !== undefined && sameHash(left, right);
  if (same(found, keptNext) && same(foundNext, kept))
    return fault('reordered', sequence, `entries ${sequence} and ${sequence + 1} changed places`);
  if (same(found, keptNext))
    return fault('dropped', sequence, `entry ${sequence} was dropped: what follows it has moved up`);
  if (same(foundNext, kept))
    return fault('added', sequence, `entry ${sequence} was put in later: it is not what was signed`);
  return fault('altered', sequence, `entry ${sequence} is not the one that was signed`);
}

function rangeFault({ from, to }: { readonly from: number; readonly to: number }): Fault {
  const message = `the entries ${from} to ${to} are not the ones that were signed: the checkpoint at ${to} states another root`;
  return { ...fault('altered', from, message), toSequence: to };
}

function fault(problem: LedgerProblem, sequence: number, message: string): Fault {
  return { ok: false, problem, sequence, toSequence: sequence, message };
}
