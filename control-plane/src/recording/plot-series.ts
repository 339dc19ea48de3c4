/** One signal over the length of a recording in a fixed number of columns: the lowest and highest value of each, so that no spike is lost. */

export type PlotColumn = { min: number; max: number; first: number; last: number; count: number };
export type PlotSeries = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Undefined where there was no value. */
  readonly columns: readonly (PlotColumn | undefined)[];
  readonly values: number;
  /** Values that were no finite number; they are counted and not drawn. */
  readonly notFinite: number;
  readonly min: number;
  readonly max: number;
  /** Times without a value that are longer than the rate of the signal explains. */
  readonly gaps: readonly { readonly fromNs: bigint; readonly toNs: bigint }[];
};

/** A silence of more than so many usual intervals is a gap. */
const GAP_INTERVALS = 5;
const GAPS_MAX = 1_000;
/** Intervals are counted in classes of a quarter of a power of two: the usual one is found without keeping them. */
const CLASSES_PER_OCTAVE = 4;
const CLASSES = 64 * CLASSES_PER_OCTAVE;

export class PlotBuilder {
  readonly #startNs: bigint;
  readonly #spanNs: number;
  readonly #columns: (PlotColumn | undefined)[];
  readonly #intervals = new Uint32Array(CLASSES);
  /** The longest silences so far, from which the gaps are taken when the usual interval is known. */
  readonly #silences: { readonly fromNs: bigint; readonly toNs: bigint }[] = [];
  #lastNs: bigint | undefined;
  #values = 0;
  #notFinite = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  constructor(range: { readonly startNs: bigint; readonly endNs: bigint }, columns: number) {
    this.#startNs = range.startNs;
    this.#spanNs = Math.max(1, Number(range.endNs - range.startNs));
    this.#columns = Array.from({ length: columns }, () => undefined);
  }

  add(timeNs: bigint, value: number): void {
    if (!Number.isFinite(value)) {
      this.#notFinite += 1;
      return;
    }
    const share = Number(timeNs - this.#startNs) / this.#spanNs;
    if (share < 0 || share > 1) return;
    const index = Math.min(this.#columns.length - 1, Math.floor(share * this.#columns.length));
    const column = this.#columns[index];
    if (column === undefined) this.#columns[index] = { min: value, max: value, first: value, last: value, count: 1 };
    else {
      column.min = Math.min(column.min, value);
      column.max = Math.max(column.max, value);
      column.last = value;
      column.count += 1;
    }
    this.#values += 1;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#noteInterval(timeNs);
  }

  #noteInterval(timeNs: bigint): void {
    const fromNs = this.#lastNs;
    if (fromNs === undefined || timeNs > fromNs) this.#lastNs = timeNs;
    if (fromNs === undefined || timeNs <= fromNs) return;
    const intervalNs = Number(timeNs - fromNs);
    const index = classOf(intervalNs);
    this.#intervals[index] = (this.#intervals[index] as number) + 1;
    const shortest = this.#silences.at(-1);
    if (this.#silences.length >= GAPS_MAX && shortest !== undefined && lengthOf(shortest) >= intervalNs) return;
    const at = this.#silences.findIndex((silence) => lengthOf(silence) < intervalNs);
    this.#silences.splice(at === -1 ? this.#silences.length : at, 0, { fromNs, toNs: timeNs });
    if (this.#silences.length > GAPS_MAX) this.#silences.pop();
  }

  finish(endNs: bigint): PlotSeries {
    const usualNs = this.#usualInterval();
    const gaps = this.#silences
      .filter((silence) => lengthOf(silence) > GAP_INTERVALS * usualNs)
      .toSorted((a, b) => (a.fromNs < b.fromNs ? -1 : 1));
    return {
      startNs: this.#startNs,
      endNs,
      columns: this.#columns,
      values: this.#values,
      notFinite: this.#notFinite,
      min: this.#min,
      max: this.#max,
      gaps,
    };
  }

  /** The upper end of the class that holds the median. */
  #usualInterval(): number {
    const half = this.#intervals.reduce((sum, count) => sum + count, 0) / 2;
    let seen = 0;
    for (const [index, count] of this.#intervals.entries()) {
      seen += count;
      if (seen >= half && count > 0) return 2 ** ((index + 1) / CLASSES_PER_OCTAVE);
    }
    return Number.POSITIVE_INFINITY;
  }
}

function classOf(intervalNs: number): number {
  return Math.min(CLASSES - 1, Math.floor(Math.log2(Math.max(1, intervalNs)) * CLASSES_PER_OCTAVE));
}

function lengthOf({ fromNs, toNs }: { readonly fromNs: bigint; readonly toNs: bigint }): number {
  return Number(toNs - fromNs);
}
