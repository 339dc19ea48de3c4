/** One window of one series, as transforms see it: a range of samples, and figures of it that several transforms share. */

/** Mutable and used again for every window: it is on the hot path. */
export class SeriesWindow {
  times = new Float64Array(0);
  values = new Float64Array(0);
  arrivals = new Float64Array(0);
  /** The samples of the window are those at [from, to); before them are older ones, for the series that look back. */
  from = 0;
  to = 0;
  /** Position of the oldest sample that may be looked back to. */
  oldest = 0;
  /** 1 when the sample at `from` is held from before the window. */
  held = 0;
  /** Whether a constant stands in for the window, because it has too few samples. */
  isFilled = false;
  startNs = 0;
  endNs = 0;
  mean = 0;
  min = 0;
  max = 0;
  sumOfSquares = 0;
  #isMeasured = false;
  #isSorted = false;
  #sorted = new Float64Array(0);

  get count(): number {
    return this.to - this.from;
  }

  /** Seconds from the window's start to the sample; a held one stands at the start. */
  secondsAt(index: number): number {
    const ns = (this.times[index] as number) - this.startNs;
    return ns < 0 ? 0 : ns / 1e9;
  }

  /** Forgets the figures of the former window. */
  reset(startNs: number, endNs: number): void {
    this.startNs = startNs;
    this.endNs = endNs;
    this.#isMeasured = false;
    this.#isSorted = false;
  }

  /** Fills mean, min, max and sumOfSquares, once for a window of at least one sample. */
  measure(): void {
    if (this.#isMeasured) return;
    this.#isMeasured = true;
    const { values, from, to } = this;
    let sum = 0;
    let lost = 0;
    let squares = 0;
    let squaresLost = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let index = from; index < to; index += 1) {
      const value = values[index] as number;
      // Kahan's compensated sum: the error does not grow with the number of samples.
      const corrected = value - lost;
      const next = sum + corrected;
      lost = next - sum - corrected;
      sum = next;
      const square = value * value - squaresLost;
      const nextSquares = squares + square;
      squaresLost = nextSquares - squares - square;
      squares = nextSquares;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.mean = sum / (to - from);
    this.min = min;
    this.max = max;
    this.sumOfSquares = squares;
  }

  /** The values in rising order; only the first `count` entries are of this window. */
  sorted(): Float64Array {
    if (this.#isSorted) return this.#sorted;
    this.#isSorted = true;
    if (this.#sorted.length < this.count) this.#sorted = new Float64Array(this.count * 2);
    const part = this.#sorted.subarray(0, this.count);
    part.set(this.values.subarray(this.from, this.to));
    part.sort();
    return this.#sorted;
  }
}
