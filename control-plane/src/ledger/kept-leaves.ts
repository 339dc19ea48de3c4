/** Why: a root only says that something was changed. Leaf hashes that somebody kept say what, once they prove to be the signed ones. */
import { type CompactRange, sameHash, type TreeHash } from './merkle-tree.ts';

/** First place where entries and kept leaves part, with the two hashes on each side. */
export type Divergence = {
  readonly index: number;
  readonly found: readonly TreeHash[];
  readonly kept: readonly TreeHash[];
};

/** Reads the kept leaves in step with the entries. Mutates as entries pass. */
export class KeptLeaves {
  readonly #leaves: AsyncIterator<TreeHash> | undefined;
  readonly #found: TreeHash[] = [];
  readonly #kept: TreeHash[] = [];
  /** The tree of the kept leaves, from where they part: until then it is the one of the entries. */
  #range: CompactRange | undefined;
  #index = 0;

  constructor(leaves: AsyncIterable<TreeHash> | undefined) {
    this.#leaves = leaves?.[Symbol.asyncIterator]();
  }

  /** `before` is the tree of the entries without this one. */
  async compare(before: CompactRange, leaf: TreeHash): Promise<void> {
    const next = await this.#leaves?.next();
    if (next === undefined || next.done === true) return;
    if (this.#range === undefined) {
      if (sameHash(next.value, leaf)) return;
      this.#range = before.copy();
      this.#index = before.size;
    }
    this.#range.append(next.value);
    if (this.#found.length < 2) this.#found.push(leaf);
    if (this.#kept.length < 2) this.#kept.push(next.value);
  }

  /**
   * Where the entries part from the kept leaves, if the kept leaves up to `size` have the signed root. `found` is the tree
   * of all entries, which may have ended before the leaves do.
   */
  async divergence(found: CompactRange, size: number, root: TreeHash): Promise<Divergence | undefined> {
    if (this.#leaves === undefined) return undefined;
    if (this.#range === undefined) {
      if (found.size >= size) return undefined;
      this.#range = found.copy();
      this.#index = found.size;
    }
    while (this.#range.size < size) {
      const next = await this.#leaves.next();
      if (next.done === true) return undefined;
      this.#range.append(next.value);
      if (this.#kept.length < 2) this.#kept.push(next.value);
    }
    if (this.#range.size !== size || !sameHash(this.#range.root(), root)) return undefined;
    return { index: this.#index, found: this.#found, kept: this.#kept };
  }
}
