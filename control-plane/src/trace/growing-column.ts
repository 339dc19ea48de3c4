/**
 * Why: the lineage index holds millions of small numbers. In typed arrays they take four bytes each and the garbage
 * collector never looks at them. Mutates: this is a hot path.
 */

const LENGTH_AT_START = 1_024;
/** Half as much again: copies stay rare, and at most a third of the memory is spare. */
const GROWTH = 1.5;

/** Stands for "none" in a column of row or id numbers. */
export const NONE = 0xff_ff_ff_ff;

/** Unsigned 32-bit numbers, one after the other. */
export class GrowingColumn {
  #values = new Uint32Array(LENGTH_AT_START);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get sizeBytes(): number {
    return this.#values.byteLength;
  }

  /** The place of the value. */
  push(value: number): number {
    if (this.#length === this.#values.length) {
      const larger = new Uint32Array(Math.ceil(this.#length * GROWTH));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = value;
    this.#length += 1;
    return this.#length - 1;
  }

  /** NONE where nothing was written. */
  at(place: number): number {
    return place < this.#length ? (this.#values[place] ?? NONE) : NONE;
  }

  set(place: number, value: number): void {
    if (place < this.#length) this.#values[place] = value;
  }
}
