/** Why: how many different values a signal has, told cheaply: most signals have either a few of them or more than anybody counts. */

/** Different values that are told apart. */
export const DISTINCT_MAX = 1_024;
/** Places of the table at first, and by how much it grows, which is twice at most; half of it stays free. */
const PLACES_MIN = 128;
const GROWTH = 4;
const HASH_STEP = 0x9e37_79b1;

/** A set of at most DISTINCT_MAX finite numbers: open addressing, NaN marks a free place. Hot path. */
export class DistinctValues {
  #places = new Float64Array(PLACES_MIN).fill(Number.NaN);
  #mask = PLACES_MIN - 1;
  #count = 0;
  readonly #value = new Float64Array(1);
  readonly #words = new Uint32Array(this.#value.buffer);

  /** False when there are more than are told apart: then the set is of no more use. */
  add(value: number): boolean {
    const place = this.#placeOf(value);
    if (this.#places[place] === value) return true;
    if (this.#count === DISTINCT_MAX) return false;
    this.#places[place] = value;
    this.#count += 1;
    if (2 * this.#count > this.#places.length) this.#grow();
    return true;
  }

  get count(): number {
    return this.#count;
  }

  /** In ascending order. */
  sorted(): Float64Array {
    return this.#places.filter((value) => !Number.isNaN(value)).toSorted();
  }

  /** Where the value stands, or the free place where it belongs. */
  #placeOf(value: number): number {
    // Zero has two forms that are one value.
    this.#value[0] = value + 0;
    const low = this.#words[0] as number;
    const mixed = Math.imul(low ^ Math.imul(this.#words[1] as number, HASH_STEP), HASH_STEP);
    let place = (mixed ^ (mixed >>> 15)) & this.#mask;
    for (;;) {
      const found = this.#places[place] as number;
      if (found === value || Number.isNaN(found)) return place;
      place = (place + 1) & this.#mask;
    }
  }

  #grow(): void {
    const former = this.#places;
    this.#places = new Float64Array(former.length * GROWTH).fill(Number.NaN);
    this.#mask = this.#places.length - 1;
    for (const value of former) if (!Number.isNaN(value)) this.#places[this.#placeOf(value)] = value;
  }
}
