/**
 * Why: a root hash over all entries lets anybody who keeps 32 bytes notice that history was changed. This is the Merkle
 * tree of RFC 6962 §2.1, computed in a compact range so that n leaves cost the memory of log2(n) hashes.
 */
import { hash } from 'node:crypto';

/** A SHA-256 hash, 32 bytes. */
export type TreeHash = Uint8Array;

export const TREE_HASH_BYTES = 32;
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
/** Entries up to this size are hashed from one reused buffer; larger ones, which are rare, get their own. */
const SCRATCH_BYTES = 16 * 1024;
const leafScratch = Buffer.alloc(1 + SCRATCH_BYTES, LEAF_PREFIX);
const nodeScratch = Buffer.alloc(1 + 2 * TREE_HASH_BYTES, NODE_PREFIX);

/** MTH({}): the hash of nothing (RFC 6962 §2.1). */
export const EMPTY_ROOT: TreeHash = hash('sha256', '', 'buffer');

/** Hash of one leaf: SHA-256(0x00 ‖ bytes). One call into the library instead of three: this is on the path of each entry. */
export function hashLeaf(bytes: Uint8Array): TreeHash {
  const prefixed =
    bytes.length <= SCRATCH_BYTES ? leafScratch.subarray(0, 1 + bytes.length) : Buffer.alloc(1 + bytes.length);
  prefixed.set(bytes, 1);
  return digestOf(prefixed);
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(left: TreeHash, right: TreeHash): TreeHash {
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + TREE_HASH_BYTES);
  return digestOf(nodeScratch);
}

/** By way of a string of bytes: the library makes one in half the time of a buffer, and small buffers come from a pool. */
function digestOf(bytes: Uint8Array): TreeHash {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');
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

  /** A tree of the same leaves that grows on its own. */
  copy(): CompactRange {
    const copy = new CompactRange();
    copy.#subtrees.push(...this.#subtrees);
    copy.#size = this.#size;
    return copy;
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
