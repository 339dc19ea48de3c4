/** Exact percentile of a sliding window: the samples in order of time and, beside them, in order of size. */
import type { SlidingWindow, WindowContents } from './sliding-window.ts';

const PER_CENT = 100;

/** A window that is full, because more came than was declared, drops its oldest sample and says so in `contents`. */
export class PercentileWindow implements SlidingWindow {
  expiresNs = Number.POSITIVE_INFINITY;
  readonly #lengthNs: number;
  readonly #share: number;
  readonly #samplesMin: number;
  /** A ring in order of time. */
  readonly #timesNs: Float64Array;
  readonly #values: Float64Array;
  readonly #sorted: Float64Array;
  #head = 0;
  #samples = 0;
  /** Time of the newest sample that was dropped for want of room. */
  #droppedNs = Number.NEGATIVE_INFINITY;

  constructor(p: number, lengthNs: number, entriesMax: number, samplesMin: number) {
    this.#share = p / PER_CENT;
    this.#lengthNs = lengthNs;
    this.#samplesMin = samplesMin;
    this.#timesNs = new Float64Array(entriesMax);
    this.#values = new Float64Array(entriesMax);
    this.#sorted = new Float64Array(entriesMax);
  }

  push(timeNs: number, value: number): void {
    const newestNs = this.#samples > 0 ? this.#timeAt(this.#samples - 1) : timeNs;
    const atNs = timeNs < newestNs ? newestNs : timeNs;
    if (this.expiresNs <= atNs) this.expire(atNs);
    if (this.#samples === this.#values.length) {
      this.#droppedNs = this.#timeAt(0);
      this.#dropOldest();
    }
    const index = (this.#head + this.#samples) % this.#values.length;
    this.#timesNs[index] = atNs;
    this.#values[index] = value;
    const place = this.#placeOf(value);
    this.#sorted.copyWithin(place + 1, place, this.#samples);
    this.#sorted[place] = value;
    this.#samples += 1;
    this.expiresNs = this.#timeAt(0) + this.#lengthNs;
  }

  pushRun(timesNs: Float64Array, values: Float64Array, from: number, to: number): void {
    for (let at = from; at < to; at += 1) this.push(timesNs[at] as number, values[at] as number);
  }

  expire(nowNs: number): void {
    while (this.#samples > 0 && this.#timeAt(0) + this.#lengthNs <= nowNs) this.#dropOldest();
    this.expiresNs = this.#samples === 0 ? Number.POSITIVE_INFINITY : this.#timeAt(0) + this.#lengthNs;
  }

  expireAt(clock: Float64Array): boolean {
    const nowNs = clock[0] as number;
    if (!(this.expiresNs <= nowNs)) return false;
    this.expire(nowNs);
    return true;
  }

  readInto(cells: Float64Array, place: number): void {
    cells[place] = this.read();
  }

  /** Nearest rank: the smallest sample that at least the share of all samples does not exceed. */
  read(): number {
    if (this.#samples < this.#samplesMin) return Number.NaN;
    const rank = Math.max(1, Math.ceil(this.#share * this.#samples));
    return this.#sorted[rank - 1] ?? Number.NaN;
  }

  contents(): WindowContents {
    const samples = this.#samples;
    if (samples === 0) return { samples, resolutionNs: 0 };
    const [fromNs, toNs] = [this.#timeAt(0), this.#timeAt(samples - 1)];
    // What is missing at the old end, when a dropped sample would still be inside.
    const isShort = this.#droppedNs + this.#lengthNs > toNs;
    return { samples, fromNs, toNs, resolutionNs: isShort ? this.#lengthNs - (toNs - fromNs) : 0 };
  }

  clear(): void {
    this.#head = 0;
    this.#samples = 0;
    this.#droppedNs = Number.NEGATIVE_INFINITY;
    this.expiresNs = Number.POSITIVE_INFINITY;
  }

  #timeAt(offset: number): number {
    return this.#timesNs[(this.#head + offset) % this.#timesNs.length] as number;
  }

  #dropOldest(): void {
    const place = this.#placeOf(this.#values[this.#head] as number);
    this.#sorted.copyWithin(place, place + 1, this.#samples);
    this.#head = (this.#head + 1) % this.#values.length;
    this.#samples -= 1;
  }

  /** The first place in the sorted samples whose value is not below `value`. */
  #placeOf(value: number): number {
    let low = 0;
    let high = this.#samples;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
