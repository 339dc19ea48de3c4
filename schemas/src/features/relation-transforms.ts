/** Features over two series of different rates: each sample of one meets the newest sample of the other, as a vehicle would have known it. */
import { isConstant } from './band-energy.ts';
import { type Correlation, type Lag, LAG_TIE, PAIRS_MIN } from './feature-definition.ts';
import type { SeriesWindow } from './series-window.ts';

const NS_PER_MS = 1_000_000;

/** Walks along a series in step with rising stamps. One object serves all windows. */
export class AsOfCursor {
  readonly #ageNsMax: number;
  #series: SeriesWindow | undefined;
  #next = 0;

  constructor(ageMsMax: number) {
    this.#ageNsMax = ageMsMax * NS_PER_MS;
  }

  start(series: SeriesWindow): void {
    this.#series = series;
    this.#next = series.oldest;
  }

  /** The newest sample at or before (timeNs, arrival), NaN when there is none or it is too old. */
  valueAt(timeNs: number, arrival: number): number {
    const series = this.#series as SeriesWindow;
    const { times, arrivals } = series;
    while (
      this.#next < series.to &&
      isAtOrBefore(times[this.#next] as number, arrivals[this.#next] as number, timeNs, arrival)
    )
      this.#next += 1;
    const newest = this.#next - 1;
    if (newest < series.oldest || timeNs - (times[newest] as number) > this.#ageNsMax) return Number.NaN;
    return series.values[newest] as number;
  }
}

/** Compares (time, arrival) pairs; four numbers, because an object for each would be made on the hot path. */
function isAtOrBefore(leftNs: number, leftArrival: number, rightNs: number, rightArrival: number): boolean {
  return leftNs < rightNs || (leftNs === rightNs && leftArrival <= rightArrival);
}

/** Correlation of pairs that come one by one: Welford's moments, in the order of operations of DuckDB's corr. */
export class PairMoments {
  count = 0;
  #leftMean = 0;
  #rightMean = 0;
  #moment = 0;
  #leftSquares = 0;
  #rightSquares = 0;
  #leftMin = Number.POSITIVE_INFINITY;
  #leftMax = Number.NEGATIVE_INFINITY;
  #rightMin = Number.POSITIVE_INFINITY;
  #rightMax = Number.NEGATIVE_INFINITY;

  clear(): void {
    this.count = 0;
    this.#leftMean = 0;
    this.#rightMean = 0;
    this.#moment = 0;
    this.#leftSquares = 0;
    this.#rightSquares = 0;
    this.#leftMin = Number.POSITIVE_INFINITY;
    this.#leftMax = Number.NEGATIVE_INFINITY;
    this.#rightMin = Number.POSITIVE_INFINITY;
    this.#rightMax = Number.NEGATIVE_INFINITY;
  }

  add(left: number, right: number): void {
    this.count += 1;
    const leftFromMean = left - this.#leftMean;
    this.#leftMean += leftFromMean / this.count;
    const rightFromMean = right - this.#rightMean;
    this.#rightMean += rightFromMean / this.count;
    this.#moment += leftFromMean * (right - this.#rightMean);
    this.#leftSquares += leftFromMean * (left - this.#leftMean);
    this.#rightSquares += rightFromMean * (right - this.#rightMean);
    if (left < this.#leftMin) this.#leftMin = left;
    if (left > this.#leftMax) this.#leftMax = left;
    if (right < this.#rightMin) this.#rightMin = right;
    if (right > this.#rightMax) this.#rightMax = right;
  }

  /** NaN for too few pairs, or when one side is constant. */
  correlation(): number {
    if (this.count < PAIRS_MIN) return Number.NaN;
    if (isConstant(this.#leftMin, this.#leftMax) || isConstant(this.#rightMin, this.#rightMax)) return Number.NaN;
    const deviations = Math.sqrt(this.#leftSquares / this.count) * Math.sqrt(this.#rightSquares / this.count);
    return this.#moment / this.count / deviations;
  }
}

/** Compiles a correlation of two series. O(samples). */
export function compileCorrelation(feature: Correlation, input: SeriesWindow, other: SeriesWindow): () => number {
  const cursor = new AsOfCursor(feature.ageMsMax);
  const moments = new PairMoments();
  return () => {
    cursor.start(other);
    moments.clear();
    for (let index = input.from + input.held; index < input.to; index += 1) {
      const partner = cursor.valueAt(input.times[index] as number, input.arrivals[index] as number);
      if (!Number.isNaN(partner)) moments.add(input.values[index] as number, partner);
    }
    return moments.correlation();
  };
}

/** Compiles the lag of one series behind another. O(grid points x lags); the grid is used again for every window. */
export function compileLag(feature: Lag, input: SeriesWindow, other: SeriesWindow): () => number {
  const gridNs = feature.gridMs * NS_PER_MS;
  const cursors = [new AsOfCursor(feature.ageMsMax), new AsOfCursor(feature.ageMsMax)] as const;
  const steps = Math.floor(feature.lagMsMax / feature.gridMs);
  const moments = new PairMoments();
  const scores = new Float64Array(2 * steps + 1);
  let left = new Float64Array(64);
  let right = new Float64Array(64);
  return () => {
    const points = Math.ceil((input.endNs - input.startNs) / gridNs);
    if (left.length < points) {
      left = new Float64Array(points * 2);
      right = new Float64Array(points * 2);
    }
    readGrid(left, input, cursors[0], gridNs);
    readGrid(right, other, cursors[1], gridNs);
    for (let lag = -steps; lag <= steps; lag += 1) {
      moments.clear();
      for (let index = Math.max(0, -lag); index < points && index + lag < points; index += 1) {
        const value = left[index] as number;
        const partner = right[index + lag] as number;
        if (!Number.isNaN(value) && !Number.isNaN(partner)) moments.add(value, partner);
      }
      scores[lag + steps] = moments.correlation();
    }
    return bestLag(scores, steps) * feature.gridMs;
  };
}

/** Fills the grid start + i gridNs; all arrivals of a grid point's instant are known at it. */
function readGrid(target: Float64Array, series: SeriesWindow, cursor: AsOfCursor, gridNs: number): void {
  cursor.start(series);
  for (let index = 0, timeNs = series.startNs; timeNs < series.endNs; index += 1, timeNs += gridNs)
    target[index] = cursor.valueAt(timeNs, Number.POSITIVE_INFINITY);
}

/** The lag of the highest score, in steps; of equal ones the shortest, of two the positive. NaN when no lag has a score. */
function bestLag(scores: Float64Array, steps: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const score of scores) if (score > best) best = score;
  if (best === Number.NEGATIVE_INFINITY) return Number.NaN;
  for (let size = 0; size <= steps; size += 1) {
    if ((scores[steps + size] as number) >= best - LAG_TIE) return size;
    if ((scores[steps - size] as number) >= best - LAG_TIE) return -size;
  }
  return Number.NaN;
}
