/** Count, rate, mean and standard deviation of a sliding window, by merging (count, mean, squared deviations) of its parts. */
import { FIRST, SECOND, TwoStackWindow, YOUNG_FIRST, YOUNG_SECOND } from './sliding-window.ts';

const NS_PER_SECOND = 1e9;

export type Moment = 'count' | 'rate' | 'mean' | 'std';

/** FIRST is the mean, SECOND the sum of squared deviations from it (Chan, Golub and LeVeque's parallel form). */
export class MomentWindow extends TwoStackWindow {
  readonly #moment: Moment;
  readonly #samplesMin: number;
  readonly #seconds: number;

  constructor(moment: Moment, lengthNs: number, entriesMax: number, samplesMin: number) {
    super(lengthNs, entriesMax);
    this.#moment = moment;
    this.#samplesMin = samplesMin;
    this.#seconds = lengthNs / NS_PER_SECOND;
  }

  readInto(cells: Float64Array, place: number): void {
    if (this.samples < this.#samplesMin) {
      cells[place] = Number.NaN;
      return;
    }
    switch (this.#moment) {
      case 'count':
        cells[place] = this.samples;
        return;
      case 'rate':
        cells[place] = this.samples / this.#seconds;
        return;
      case 'mean':
        cells[place] = this.#mean();
        return;
      case 'std':
        cells[place] = this.#std();
    }
  }

  protected mergeEntry(into: number, from: number, count: number, added: number): void {
    const { entries } = this;
    const mean = entries[into + FIRST] as number;
    const delta = (entries[from + FIRST] as number) - mean;
    const share = added / (count + added);
    const squares = (entries[into + SECOND] as number) + (entries[from + SECOND] as number);
    entries[into + SECOND] = squares + delta * delta * count * share;
    entries[into + FIRST] = mean + delta * share;
  }

  protected addYoung(place: number): void {
    const { entries } = this;
    const value = entries[place + FIRST] as number;
    entries[place + SECOND] = 0;
    if (this.youngSamples === 0) {
      entries[YOUNG_FIRST] = value;
      entries[YOUNG_SECOND] = 0;
      return;
    }
    const before = entries[YOUNG_FIRST] as number;
    const delta = value - before;
    const mean = before + delta / (this.youngSamples + 1);
    entries[YOUNG_FIRST] = mean;
    entries[YOUNG_SECOND] = (entries[YOUNG_SECOND] as number) + delta * (value - mean);
  }

  #mean(): number {
    const { youngSamples: young, samples, entries } = this;
    const youngMean = entries[YOUNG_FIRST] as number;
    if (young === samples) return youngMean;
    const old = entries[this.head + FIRST] as number;
    return young === 0 ? old : old + (youngMean - old) * (young / samples);
  }

  #std(): number {
    const { youngSamples: young, samples, entries } = this;
    const youngSquares = entries[YOUNG_SECOND] as number;
    if (young === samples) return Math.sqrt(youngSquares / samples);
    const oldSquares = entries[this.head + SECOND] as number;
    if (young === 0) return Math.sqrt(oldSquares / samples);
    const delta = (entries[YOUNG_FIRST] as number) - (entries[this.head + FIRST] as number);
    const between = delta * delta * (samples - young) * (young / samples);
    return Math.sqrt((oldSquares + youngSquares + between) / samples);
  }
}
