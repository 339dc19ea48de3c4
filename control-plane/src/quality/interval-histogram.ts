/** Why: quantiles of the intervals of a topic from counts in fixed bins, a few percent wide, so that hours cost as much as seconds. */

const BINS_PER_OCTAVE = 16;
/** Shortest and longest interval that is told apart, ns: a microsecond and a fortnight. */
const LOG2_MIN = Math.log2(1_000);
const LOG2_MAX = Math.log2(1.2e15);
const BINS = Math.ceil((LOG2_MAX - LOG2_MIN) * BINS_PER_OCTAVE);

export class IntervalHistogram {
  readonly #counts = new Uint32Array(BINS);
  #total = 0;

  add(intervalNs: number): void {
    const bin = Math.floor((Math.log2(Math.max(1_000, intervalNs)) - LOG2_MIN) * BINS_PER_OCTAVE);
    const index = Math.min(BINS - 1, bin);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#total += 1;
  }

  get total(): number {
    return this.#total;
  }

  /** Intervals in the bins that lie between the two, ns, as far as bins tell. */
  between(fromNs: number, toNs: number): number {
    const bin = (ns: number): number => Math.round((Math.log2(Math.max(1_000, ns)) - LOG2_MIN) * BINS_PER_OCTAVE);
    let sum = 0;
    for (let index = bin(fromNs); index < Math.min(BINS, bin(toNs)); index += 1) sum += this.#counts[index] as number;
    return sum;
  }

  /** Geometric middle of the bin that holds the quantile, ns; NaN when there is none. */
  quantile(share: number): number {
    let left = share * this.#total;
    for (let bin = 0; bin < BINS; bin += 1) {
      left -= this.#counts[bin] as number;
      if (left <= 0 && (this.#counts[bin] as number) > 0) return 2 ** (LOG2_MIN + (bin + 0.5) / BINS_PER_OCTAVE);
    }
    return Number.NaN;
  }
}
