/**
 * Why: whoever audits the fleet must not have to trust it. This recomputes the tree from entries that were downloaded,
 * holds it against what was signed, and names the entry that was altered, dropped, added or moved, and where two signed
 * histories part.
 */
import { FleetError } from '@fleetloop/schemas';
import { type Checkpoint, openCheckpoint, readUnverified } from './checkpoint.ts';
import { type EntryChecks, LocalEntryChecks } from './entry-checks.ts';
import { KeptLeaves } from './kept-leaves.ts';
import { type KeyChain, keyChain, openInChain, type Rotation } from './key-chain.ts';
import { CompactRange, hashLeaf, sameHash, type TreeHash } from './merkle-tree.ts';
import { type NoteVerifier, parseVerifierKey, verifierKeyText } from './signed-note.ts';

export type LedgerEvidence = {
  /** Entries from sequence 1 on, in order. */
  readonly entries: AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }>;
  /** Signed checkpoints in any order; the largest is the claim, the others narrow down where a fault lies. */
  readonly checkpoints: readonly string[];
  /** A key that is trusted: the one in force, or any from which rotations lead to it or from it. */
  readonly verifier: NoteVerifier;
  /**
   * Leaf hashes that somebody kept, from leaf 0 on. They need not be trusted: they are used only where their own root
   * is the signed one, and then they name the entry exactly.
   */
  readonly leaves?: AsyncIterable<TreeHash>;
  /** Who checks that entries are well-formed; without it this thread does. */
  readonly checks?: EntryChecks;
  /** Every entry must be covered by a checkpoint, as in an export; without it later ones may stand unsigned. */
  readonly isWhole?: boolean;
};

export type LedgerProblem =
  | 'checkpoint'
  | 'key'
  | 'malformed'
  | 'missing'
  | 'altered'
  | 'dropped'
  | 'added'
  | 'reordered'
  | 'forked';

export type LedgerVerdict =
  | {
      readonly ok: true /** Entries that the checkpoint covers. */;
      readonly entries: number /** Later entries, seen and well-formed but not signed yet. */;
      readonly unsigned: number;
      readonly root: string;
      /** The keys that have signed it, oldest first, each with the size from which on it did. */
      readonly keys: KeyChain;
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
type Claim = Checkpoint & { readonly note: string };

/** Verifies the entries against the largest checkpoint. Memory does not grow with the ledger. */
export async function verifyLedger(evidence: LedgerEvidence): Promise<LedgerVerdict> {
  const claims = readAll(evidence.checkpoints);
  if ('ok' in claims) return claims;
  const claim = claims.at(-1);
  if (claim === undefined) return fault('checkpoint', 0, 'there is no checkpoint to verify against');
  const checks = evidence.checks ?? new LocalEntryChecks();
  const replay = await replayEntries(evidence, claims, checks);
  if ('ok' in replay) return replay;
  const { firstMalformed, rotations } = await checks.finish();
  if (firstMalformed !== undefined) return malformed(firstMalformed);
  const signing = { rotations, trusted: verifierKeyText(evidence.verifier), size: replay.tree.size };
  // Entries that moved have moved the rotations too: what exactly was moved is said before which key was in force.
  const exact = isSignedAtAll(claim, signing) ? await exactFault(replay, claim) : undefined;
  if (exact !== undefined) return exact;
  const keys = signedBy(claims, signing);
  if ('ok' in keys) return keys;
  return judge(replay, claim) ?? accept(replay.tree.size, claim, { keys, isWhole: evidence.isWhole === true });
}

/** In order of size; what each states is believed only once `signedBy` has found its signature. */
function readAll(notes: readonly string[]): readonly Claim[] | Fault {
  try {
    return notes.map((note) => ({ ...readUnverified(note), note })).sort((left, right) => left.size - right.size);
  } catch (error) {
    return fault('checkpoint', 0, FleetError.from(error).message);
  }
}

type Replay = {
  readonly tree: CompactRange;
  readonly kept: KeptLeaves;
  /** Sizes of claims that the entries bear out. */
  readonly good: ReadonlySet<number>;
  readonly wrong: readonly WrongClaim[];
};
/** A claim that the entries do not bear out, with the largest size below it at which one is borne out. */
type WrongClaim = { readonly claim: Claim; readonly goodUpTo: number };

async function replayEntries(
  evidence: LedgerEvidence,
  claims: readonly Claim[],
  checks: EntryChecks,
): Promise<Replay | Fault> {
  const tree = new CompactRange();
  const against = new CheckpointComparison(claims);
  const kept = new KeptLeaves(evidence.leaves);
  against.compare(tree);
  for await (const { sequence, bytes } of evidence.entries) {
    if (sequence !== tree.size + 1)
      return fault('missing', tree.size + 1, `entry ${tree.size + 1} is missing: the next one is ${sequence}`);
    const room = checks.take(sequence, bytes);
    if (room !== undefined) await room;
    const leaf = hashLeaf(bytes);
    await kept.compare(tree, leaf);
    tree.append(leaf);
    against.compare(tree);
  }
  return { tree, kept, good: against.good, wrong: against.wrong };
}

/** Holds the growing tree against each checkpoint of its size. Mutates as entries pass. */
class CheckpointComparison {
  readonly #claims: readonly Claim[];
  readonly good = new Set<number>();
  readonly wrong: WrongClaim[] = [];
  #next = 0;
  #goodUpTo = 0;

  constructor(claims: readonly Claim[]) {
    this.#claims = claims;
  }

  compare(tree: CompactRange): void {
    if (this.#claims[this.#next]?.size !== tree.size) return;
    const root = tree.root();
    const goodUpTo = this.#goodUpTo;
    for (let claim = this.#claims[this.#next]; claim?.size === tree.size; claim = this.#claims[this.#next]) {
      this.#next += 1;
      if (sameHash(claim.root, root)) {
        this.good.add(claim.size);
        this.#goodUpTo = claim.size;
      } else this.wrong.push({ claim, goodUpTo });
    }
  }
}

type Signing = { readonly rotations: readonly Rotation[]; readonly trusted: string; readonly size: number };

/**
 * The keys that signed, if each checkpoint is signed by the one in force at its size. One that covers more entries than
 * there are may be under a key whose rotation is among those that are missing: that is said first.
 */
function signedBy(claims: readonly Claim[], { rotations, trusted, size }: Signing): KeyChain | Fault {
  try {
    const chain = keyChain(trusted, rotations);
    for (const claim of claims) if (claim.size <= size) openInChain(claim.note, chain);
    return chain;
  } catch (error) {
    const { message, details } = FleetError.from(error);
    const sequence = Number(details?.['sequence'] ?? 0);
    return fault(sequence === 0 ? 'checkpoint' : 'key', sequence, message);
  }
}

/** Whether any key of the ledger signed it, wherever its rotation stands. */
function isSignedAtAll(claim: Claim, { rotations, trusted }: Signing): boolean {
  return keysOf(trusted, rotations).some((key) => {
    try {
      return openCheckpoint(claim.note, parseVerifierKey(key)).size === claim.size;
    } catch {
      return false;
    }
  });
}

function keysOf(trusted: string, rotations: readonly Rotation[]): readonly string[] {
  try {
    return keyChain(trusted, rotations).map(({ key }) => key);
  } catch {
    return [trusted];
  }
}

/** What is wrong with entries whose checkpoints are all signed; undefined when nothing is. */
function judge({ tree, good, wrong }: Replay, claim: Claim): Fault | undefined {
  const [first] = wrong;
  const isLargestGood = good.has(claim.size);
  const twin = wrong.find((each, index) => good.has(each.claim.size) || isTwin(each, wrong[index + 1]));
  if (twin !== undefined) return forked(twin);
  if (isLargestGood) return first === undefined ? undefined : forked(first);
  if (tree.size < claim.size && first === undefined)
    return fault(
      'missing',
      tree.size + 1,
      `the checkpoint covers ${claim.size} entries, the ledger ends after ${tree.size}`,
    );
  return rangeFault(
    Math.min((first?.goodUpTo ?? 0) + 1, first?.claim.size ?? claim.size),
    first?.claim.size ?? claim.size,
  );
}

function accept(
  size: number,
  claim: Claim,
  { keys, isWhole }: { readonly keys: KeyChain; readonly isWhole: boolean },
): LedgerVerdict {
  const unsigned = size - claim.size;
  if (isWhole && unsigned > 0)
    return {
      ...fault(
        'added',
        claim.size + 1,
        `the entries from ${claim.size + 1} on are under no checkpoint: they were put in later`,
      ),
      toSequence: size,
    };
  return { ok: true, entries: claim.size, unsigned, root: Buffer.from(claim.root).toString('hex'), keys };
}

async function exactFault({ tree, kept: leaves, good }: Replay, claim: Claim): Promise<Fault | undefined> {
  if (good.has(claim.size)) return undefined;
  const divergence = await leaves.divergence(tree, claim.size, claim.root);
  if (divergence === undefined) return undefined;
  const sequence = divergence.index + 1;
  const [found, foundNext] = divergence.found;
  const [kept, keptNext] = divergence.kept;
  if (found === undefined)
    return fault(
      'missing',
      sequence,
      `entry ${sequence} and what follows it are missing: the checkpoint covers ${claim.size}`,
    );
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

/** Claims lie in order of their size. */
function isTwin(one: WrongClaim, next: WrongClaim | undefined): boolean {
  return next?.claim.size === one.claim.size && !sameHash(next.claim.root, one.claim.root);
}

/** Both histories carry a signature of ours: it is not the entries that are wrong, but whoever signed. */
function forked({ claim, goodUpTo }: WrongClaim): Fault {
  const from = Math.min(goodUpTo + 1, claim.size);
  const message = `two histories were signed: a checkpoint of ${claim.size} entries states another root than the rest of what was signed; they part in ${from} to ${claim.size}`;
  return { ...fault('forked', from, message), toSequence: claim.size };
}

function malformed({ sequence, message }: { readonly sequence: number; readonly message: string }): Fault {
  return fault('malformed', sequence, `entry ${sequence} is not one that this ledger takes: ${message}`);
}

function rangeFault(from: number, to: number): Fault {
  const message = `the entries ${from} to ${to} are not the ones that were signed: the checkpoint at ${to} states another root`;
  return { ...fault('altered', from, message), toSequence: to };
}

function fault(problem: LedgerProblem, sequence: number, message: string): Fault {
  return { ok: false, problem, sequence, toSequence: sequence, message };
}
