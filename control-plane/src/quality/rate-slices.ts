/** Why: how many messages came in each part of a recording, so that a rate that changes half-way has a place. Memory is fixed. */

const SLICES_MAX = 64;
const SLICE_NS_FIRST = 1e9;

export type RateSlice = { readonly fromNs: number; readonly toNs: number; readonly count: number };

export class RateSlices {
  #sliceNs = SLICE_NS_FIRST;
  #startNs = Number.NaN;
  #endNs = Number.NEGATIVE_INFINITY;
  #open = 0;
  #counts: number[] = [];

  /** Times that go back count where they came from. Hot path. */
  push(nowNs: number): void {
    if (nowNs >= this.#endNs) this.#roll(nowNs);
    this.#open += 1;
  }

  /** Whole slices; the first and the last are cut by the beginning and the end of the topic. */
  get slices(): readonly RateSlice[] {
    return this.#counts.slice(1).map((count, index) => {
      const fromNs = this.#startNs + (index + 1) * this.#sliceNs;
      return { fromNs, toNs: fromNs + this.#sliceNs, count };
    });
  }

  #roll(nowNs: number): void {
    if (Number.isNaN(this.#startNs)) {
      this.#startNs = nowNs;
      this.#endNs = nowNs + this.#sliceNs;
      return;
    }
    while (nowNs >= this.#startNs + SLICES_MAX * this.#sliceNs) this.#coarsen();
    const ended = Math.floor((nowNs - this.#startNs) / this.#sliceNs);
    // After coarsening, what is open may belong to a slice that is not yet over.
    if (ended === this.#counts.length) {
      this.#endNs = this.#startNs + (ended + 1) * this.#sliceNs;
      return;
    }
    this.#counts.push(this.#open);
    this.#open = 0;
    while (this.#counts.length < ended) this.#counts.push(0);
    this.#endNs = this.#startNs + (ended + 1) * this.#sliceNs;
  }

  #coarsen(): void {
    const merged: number[] = [];
    for (let index = 0; index + 1 < this.#counts.length; index += 2)
      merged.push((this.#counts[index] as number) + (this.#counts[index + 1] as number));
    if (this.#counts.length % 2 === 1) this.#open += this.#counts.at(-1) as number;
    this.#counts = merged;
    this.#sliceNs *= 2;
  }
}
