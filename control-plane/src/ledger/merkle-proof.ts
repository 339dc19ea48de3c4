/**
 * Why: a proof of a few hashes shows that one entry is in the ledger, or that a later ledger only appended to an earlier
 * one, without sending the ledger. RFC 6962 §2.1.1 (audit path) and §2.1.2 (consistency); checks after RFC 9162 §2.1.3-4.
 */
import { hashNode, sameHash, type TreeHash } from './merkle-tree.ts';

/** Root of the subtree over leaves [from, to). */
export type SubtreeRoot = (from: number, to: number) => Promise<TreeHash>;

/**
 * Audit path of leaf `index` in the tree of `size` leaves, lowest sibling first (PATH of RFC 6962 §2.1.1).
 * @throws RangeError when the leaf is outside the tree
 */
export async function inclusionProof(index: number, size: number, subtreeRoot: SubtreeRoot): Promise<TreeHash[]> {
  if (!isLeafOf(index, size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  return auditPath(index, { from: 0, to: size }, subtreeRoot);
}

type Span = { readonly from: number; readonly to: number };

async function auditPath(index: number, span: Span, subtreeRoot: SubtreeRoot): Promise<TreeHash[]> {
  if (span.to - span.from === 1) return [];
  const middle = span.from + largestPowerOfTwoBelow(span.to - span.from);
  return index < middle
    ? [...(await auditPath(index, { from: span.from, to: middle }, subtreeRoot)), await subtreeRoot(middle, span.to)]
    : [...(await auditPath(index, { from: middle, to: span.to }, subtreeRoot)), await subtreeRoot(span.from, middle)];
}

export type InclusionClaim = {
  readonly index: number;
  readonly size: number;
  readonly leaf: TreeHash;
  readonly root: TreeHash;
  readonly proof: readonly TreeHash[];
};

/** Whether the proof shows that `leaf` is at `index` of the tree with that size and root (RFC 9162 §2.1.3.2). */
export function verifyInclusion(claim: InclusionClaim): boolean {
  if (!isLeafOf(claim.index, claim.size)) return false;
  let position = claim.index;
  let last = claim.size - 1;
  let hash = claim.leaf;
  for (const sibling of claim.proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      hash = hashNode(sibling, hash);
      [position, last] = skipMissingSiblings(position, last);
    } else {
      hash = hashNode(hash, sibling);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && sameHash(hash, claim.root);
}

/** A right-most node without a sibling moves up unchanged until it is a right child. */
function skipMissingSiblings(position: number, last: number): [number, number] {
  let [at, end] = [position, last];
  while (at % 2 === 0 && at !== 0) [at, end] = [half(at), half(end)];
  return [at, end];
}

/**
 * Proof that the tree of `formerSize` leaves is a prefix of the tree of `size` (PROOF of RFC 6962 §2.1.2).
 * Empty for equal sizes and for the empty tree, which is a prefix of everything.
 * @throws RangeError when the former tree is larger
 */
export async function consistencyProof(
  formerSize: number,
  size: number,
  subtreeRoot: SubtreeRoot,
): Promise<TreeHash[]> {
  if (!Number.isSafeInteger(formerSize) || formerSize < 0 || !Number.isSafeInteger(size) || formerSize > size) {
    throw new RangeError(`a tree of ${formerSize} is not a prefix of one of ${size}`);
  }
  if (formerSize === 0 || formerSize === size) return [];
  return subproof(formerSize, { from: 0, to: size }, { isWhole: true, subtreeRoot });
}

type SubproofContext = { readonly isWhole: boolean; readonly subtreeRoot: SubtreeRoot };

async function subproof(formerEnd: number, span: Span, context: SubproofContext): Promise<TreeHash[]> {
  const { isWhole, subtreeRoot } = context;
  if (formerEnd === span.to) return isWhole ? [] : [await subtreeRoot(span.from, span.to)];
  const middle = span.from + largestPowerOfTwoBelow(span.to - span.from);
  if (formerEnd <= middle) {
    return [
      ...(await subproof(formerEnd, { from: span.from, to: middle }, context)),
      await subtreeRoot(middle, span.to),
    ];
  }
  const right = await subproof(formerEnd, { from: middle, to: span.to }, { isWhole: false, subtreeRoot });
  return [...right, await subtreeRoot(span.from, middle)];
}

export type ConsistencyClaim = {
  readonly formerSize: number;
  readonly formerRoot: TreeHash;
  readonly size: number;
  readonly root: TreeHash;
  readonly proof: readonly TreeHash[];
};

/** Whether the proof shows that the former tree is a prefix of the later one (RFC 9162 §2.1.4.2). */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { formerSize, size } = claim;
  if (!Number.isSafeInteger(formerSize) || !Number.isSafeInteger(size) || formerSize < 0 || formerSize > size)
    return false;
  if (formerSize === size) return claim.proof.length === 0 && sameHash(claim.formerRoot, claim.root);
  if (formerSize === 0) return claim.proof.length === 0;
  // A former tree that is one full subtree is its own first proof hash.
  const path = isPowerOfTwo(formerSize) ? [claim.formerRoot, ...claim.proof] : claim.proof;
  const first = path[0];
  if (first === undefined) return false;
  return foldConsistency(claim, first, path.slice(1));
}

function foldConsistency(claim: ConsistencyClaim, first: TreeHash, rest: readonly TreeHash[]): boolean {
  let position = claim.formerSize - 1;
  let last = claim.size - 1;
  while (position % 2 === 1) [position, last] = [half(position), half(last)];
  let [former, later] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      former = hashNode(sibling, former);
      later = hashNode(sibling, later);
      [position, last] = skipMissingSiblings(position, last);
    } else {
      later = hashNode(later, sibling);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && sameHash(former, claim.formerRoot) && sameHash(later, claim.root);
}

/** Not a shift: sizes may pass 2^31. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function largestPowerOfTwoBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function isPowerOfTwo(value: number): boolean {
  return largestPowerOfTwoBelow(value + 1) === value;
}

function isLeafOf(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;
}
