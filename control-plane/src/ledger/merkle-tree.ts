/**
 * Why: a root hash over all entries lets anybody who keeps 32 bytes notice that history was changed. This is the Merkle
 * tree of RFC 6962 §2.1, computed in a compact range so that n leaves cost the memory of log2(n) hashes.
 */
import { createHash } from 'node:crypto';

/** A SHA-256 hash, 32 bytes. */
export type TreeHash = Uint8Array;

export const TREE_HASH_BYTES = 32;
const LEAF_PREFIX = Uint8Array.of(0x00);
const NODE_PREFIX = Uint8Array.of(0x01);

/** MTH({}): the hash of nothing (RFC 6962 §2.1). */
export const EMPTY_ROOT: TreeHash = createHash('sha256').digest();

/** Hash of one leaf: SHA-256(0x00 ‖ bytes). */
export function hashLeaf(bytes: Uint8Array): TreeHash {
  return createHash('sha256').update(LEAF_PREFIX).update(bytes).digest();
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(left: TreeHash, right: TreeHash): TreeHash {
  return createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest();
}

/**
 * The roots of the full subtrees that cover leaves 0..size, largest first: one for each set bit of `size`.
 * Mutates on `append`, which is on the path of each entry.
 */
export class CompactRange {
  readonly #subtrees: TreeHash[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds the hash of the next leaf. */
  append(leaf: TreeHash): void {
    let node = leaf;
    // Each trailing set bit of the size is a full subtree as large as the one that has just been completed.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#subtrees.pop();
      if (left === undefined) throw new Error('a compact range lost a subtree');
      node = hashNode(left, node);
    }
    this.#subtrees.push(node);
    this.#size += 1;
  }

  /** Root over all leaves so far (RFC 6962 MTH). */
  root(): TreeHash {
    return this.#subtrees.reduceRight<TreeHash | undefined>(foldLeft, undefined) ?? EMPTY_ROOT;
  }
}

function foldLeft(right: TreeHash | undefined, left: TreeHash): TreeHash {
  return right === undefined ? left : hashNode(left, right);
}

/** Root over leaf hashes, in order. */
export async function rootOfLeaves(leaves: Iterable<TreeHash> | AsyncIterable<TreeHash>): Promise<TreeHash> {
  const range = new CompactRange();
  for await (const leaf of leaves) range.append(leaf);
  return range.root();
}

export function sameHash(left: TreeHash, right: TreeHash): boolean {
  return Buffer.compare(left, right) === 0;
}
