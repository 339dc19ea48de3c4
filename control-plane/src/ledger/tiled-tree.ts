/**
 * Why: a proof must not cost a walk over all leaves. Beside the leaf hashes, which lie in a file, the roots of full
 * subtrees of 256, 65,536, … leaves are kept in memory (an eighth of a byte a leaf), so that a proof reads a few hundred
 * hashes of a ledger of any size. The tiles are those of C2SP's tlog-tiles.
 */
import { CompactRange, EMPTY_ROOT, hashNode, TREE_HASH_BYTES, type TreeHash } from './merkle-tree.ts';

/** Children of one tile: eight levels of the tree. */
const TILE_WIDTH = 256;
/** Levels of tiles: 256^6 leaves are more than a safe integer counts sequences. */
const LEVELS_MAX = 6;
const FIRST_CAPACITY = 64;

/** Where leaf hashes can be read again: [from, to). */
export type ReadLeaves = (from: number, to: number) => AsyncIterable<TreeHash>;

/** A Merkle tree that grows at its right edge. Mutates on `append`, which is on the path of each entry. */
export class TiledTree {
  readonly #range = new CompactRange();
  /** Roots of full subtrees of 256, 256², … leaves. */
  readonly #levels: HashList[] = [];
  /** The unfinished tile of each level. */
  readonly #open: CompactRange[] = [];
  readonly #readLeaves: ReadLeaves;

  constructor(readLeaves: ReadLeaves) {
    this.#readLeaves = readLeaves;
  }

  get size(): number {
    return this.#range.size;
  }

  /** Adds the hash of the next leaf. */
  append(leaf: TreeHash): void {
    this.#range.append(leaf);
    let hash = leaf;
    for (let level = 0; level < LEVELS_MAX; level += 1) {
      const tile = (this.#open[level] ??= new CompactRange());
      tile.append(hash);
      if (tile.size < TILE_WIDTH) return;
      hash = tile.root();
      (this.#levels[level] ??= new HashList()).push(hash);
      this.#open[level] = new CompactRange();
    }
  }

  /** Root over all leaves so far. */
  root(): TreeHash {
    return this.#range.root();
  }

  /** Root over the leaves [from, to), as proofs ask for them: `from` is a multiple of the largest power of two below `to - from`. */
  async subtreeRoot(from: number, to: number): Promise<TreeHash> {
    const blocks: TreeHash[] = [];
    for (let at = from; at < to; ) {
      const size = blockSizeAt(at, to);
      blocks.push(await this.#blockRoot(at, size));
      at += size;
    }
    return (
      blocks.reduceRight<TreeHash | undefined>(
        (right, left) => (right === undefined ? left : hashNode(left, right)),
        undefined,
      ) ?? EMPTY_ROOT
    );
  }

  /** Root of a full subtree: at most 128 hashes of the level below it are read. */
  async #blockRoot(at: number, size: number): Promise<TreeHash> {
    let [unit, level] = [1, -1];
    while (unit * TILE_WIDTH <= size) [unit, level] = [unit * TILE_WIDTH, level + 1];
    const range = new CompactRange();
    const tiles = this.#levels[level];
    if (tiles === undefined) for await (const leaf of this.#readLeaves(at, at + size)) range.append(leaf);
    else for (let index = at / unit; index < (at + size) / unit; index += 1) range.append(tiles.at(index));
    return range.root();
  }
}

/** Largest full subtree that begins at a leaf and ends at or before another. */
function blockSizeAt(at: number, to: number): number {
  let size = 1;
  while (at % (size * 2) === 0 && at + size * 2 <= to) size *= 2;
  return size;
}

/** Hashes one after another in one buffer: an object for each would cost more than they do. */
class HashList {
  #bytes = Buffer.alloc(FIRST_CAPACITY * TREE_HASH_BYTES);
  #count = 0;

  push(hash: TreeHash): void {
    if ((this.#count + 1) * TREE_HASH_BYTES > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    this.#bytes.set(hash, this.#count * TREE_HASH_BYTES);
    this.#count += 1;
  }

  at(index: number): TreeHash {
    if (index >= this.#count) throw new Error(`the tree holds ${this.#count} tiles, not ${index}`);
    return this.#bytes.subarray(index * TREE_HASH_BYTES, (index + 1) * TREE_HASH_BYTES);
  }
}
