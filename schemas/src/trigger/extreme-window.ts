/** Smallest, largest and range of a sliding window. They start from the first sample, so negative values need no special care. */
import { FIRST, SECOND, TwoStackWindow, YOUNG_FIRST, YOUNG_SECOND } from './sliding-window.ts';

export type Extreme = 'min' | 'max' | 'range';

/** FIRST is the smallest, SECOND the largest. */
export class ExtremeWindow extends TwoStackWindow {
  readonly #extreme: Extreme;
  readonly #samplesMin: number;

  constructor(extreme: Extreme, lengthNs: number, entriesMax: number, samplesMin: number) {
    super(lengthNs, entriesMax);
    this.#extreme = extreme;
    this.#samplesMin = samplesMin;
  }

  readInto(cells: Float64Array, place: number): void {
    if (this.samples < this.#samplesMin) {
      cells[place] = Number.NaN;
      return;
    }
    switch (this.#extreme) {
      case 'min':
        cells[place] = this.#low();
        return;
      case 'max':
        cells[place] = this.#high();
        return;
      case 'range':
        cells[place] = this.#high() - this.#low();
    }
  }

  protected mergeEntry(into: number, from: number): void {
    const { entries } = this;
    if ((entries[from + FIRST] as number) < (entries[into + FIRST] as number))
      entries[into + FIRST] = entries[from + FIRST] as number;
    if ((entries[from + SECOND] as number) > (entries[into + SECOND] as number))
      entries[into + SECOND] = entries[from + SECOND] as number;
  }

  protected addYoung(place: number): void {
    const { entries } = this;
    const value = entries[place + FIRST] as number;
    entries[place + SECOND] = value;
    if (this.youngSamples === 0 || value < (entries[YOUNG_FIRST] as number)) entries[YOUNG_FIRST] = value;
    if (this.youngSamples === 0 || value > (entries[YOUNG_SECOND] as number)) entries[YOUNG_SECOND] = value;
  }

  #low(): number {
    const { youngSamples: young, samples, entries } = this;
    const youngLow = entries[YOUNG_FIRST] as number;
    if (young === samples) return youngLow;
    const old = entries[this.head + FIRST] as number;
    return young > 0 && youngLow < old ? youngLow : old;
  }

  #high(): number {
    const { youngSamples: young, samples, entries } = this;
    const youngHigh = entries[YOUNG_SECOND] as number;
    if (young === samples) return youngHigh;
    const old = entries[this.head + SECOND] as number;
    return young > 0 && youngHigh > old ? youngHigh : old;
  }
}
