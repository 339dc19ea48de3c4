/** Why: what the values of one signal were, in a memory that does not grow with their number. Hot path. */
import { DistinctValues } from './distinct-values.ts';
import type { SampleBlock } from './sample-block.ts';
import { lengthOf, type Place } from './topic-timing.ts';

const RUNS_MAX = 8;
/** Samples in a row at an end of the range that cannot be chance. */
const END_RUN = 3;

/** Equal values in a row, `samples` of them. */
export type Run = Place & { readonly value: number; readonly samples: number };

/** How often, and where, a signal was at one end of its range. */
export class RangeEnd {
  value = Number.NaN;
  count = 0;
  /** Samples that were part of a row of END_RUN or more. */
  inRuns = 0;
  firstNs = 0;
  lastNs = 0;
  #run = 0;
  #sample = Number.NaN;

  /** Takes a value that is at this end, or beyond it; `sample` is its number among all of the signal. */
  push(value: number, nowNs: number, sample: number): void {
    if (value !== this.value) {
      this.value = value;
      this.count = 0;
      this.inRuns = 0;
      this.firstNs = nowNs;
      this.#run = 0;
    } else if (sample !== this.#sample + 1) this.#run = 0;
    this.#sample = sample;
    this.count += 1;
    this.lastNs = nowNs;
    this.#run += 1;
    if (this.#run === END_RUN) this.inRuns += END_RUN;
    else if (this.#run > END_RUN) this.inRuns += 1;
  }
}

export class SignalStatistics {
  /** Messages, and those in which the signal had a value. */
  messages = 0;
  count = 0;
  infinite = 0;
  firstInfiniteNs = Number.NaN;
  lastInfiniteNs = Number.NaN;
  firstNs = Number.NaN;
  lastNs = Number.NaN;
  mean = 0;
  changes = 0;
  /** Order and values of all samples; equal for two signals only when they hold the same. */
  hash = 0x811c9dc5;
  readonly high = new RangeEnd();
  readonly low = new RangeEnd();
  /** Longest runs of equal values, longest first. */
  readonly runs: Run[] = [];
  /** Longest times without a value while messages came. */
  readonly absences: Place[] = [];
  absentRun = 0;
  /** Undefined when there are more than are told apart: such a signal is not quantised coarsely. */
  #distinct: DistinctValues | undefined = new DistinctValues();
  #squares = 0;
  #previous = Number.NaN;
  #runFromNs = 0;
  #runSamples = 0;
  #absent = 0;
  #absentFromNs = Number.NaN;

  /** Takes one column of a block. What changes with each sample is kept out of memory until the end. Hot path. */
  take({ values, words, timesNs, width, rows }: SampleBlock, column: number): void {
    this.messages += rows;
    let { count, mean, hash, lastNs } = this;
    let squares = this.#squares;
    let previous = this.#previous;
    let high = this.high.value;
    let low = this.low.value;
    for (let row = 0, at = column; row < rows; row += 1, at += width) {
      const value = values[at] as number;
      const nowNs = timesNs[row] as number;
      // Neither NaN nor infinite: both give NaN here.
      if (value - value !== 0) {
        this.#takeNoNumber(value, nowNs);
        continue;
      }
      if (this.#absent > 0) this.#endAbsence(nowNs);
      if (count === 0) this.firstNs = nowNs;
      count += 1;
      lastNs = nowNs;
      const delta = value - mean;
      mean += delta / count;
      squares += delta * (value - mean);
      if (!(value < high)) {
        this.high.push(value, nowNs, count);
        high = value;
      }
      if (!(value > low)) {
        this.low.push(value, nowNs, count);
        low = value;
      }
      hash = Math.imul(hash ^ (words[2 * at] as number), 0x01000193);
      hash = Math.imul(hash ^ (words[2 * at + 1] as number), 0x01000193);
      if (value === previous) {
        this.#runSamples += 1;
        continue;
      }
      this.#change(value, nowNs, count);
      previous = value;
    }
    this.count = count;
    this.mean = mean;
    this.hash = hash;
    this.lastNs = lastNs;
    this.#squares = squares;
    this.#previous = previous;
  }

  /** Closes what is open at the end of the recording. */
  finish(nowNs: number): void {
    this.#endRun(this.lastNs);
    this.#runSamples = 0;
    if (this.#absent > 0) this.#endAbsence(nowNs);
  }

  get deviation(): number {
    return this.count < 2 ? 0 : Math.sqrt(this.#squares / (this.count - 1));
  }

  /** Undefined when there are more than are told apart. */
  get distinct(): number | undefined {
    return this.#distinct?.count;
  }

  /** Distance of which all distances between values that occur are multiples; undefined when there is none. */
  get step(): number | undefined {
    if (this.#distinct === undefined || this.#distinct.count < 2) return undefined;
    const sorted = this.#distinct.sorted();
    let step = Number.POSITIVE_INFINITY;
    for (let index = 1; index < sorted.length; index += 1)
      step = Math.min(step, (sorted[index] as number) - (sorted[index - 1] as number));
    const [first] = sorted as unknown as [number];
    const isGrid = sorted.every((value) => {
      const steps = (value - first) / step;
      return Math.abs(steps - Math.round(steps)) < 0.02 + 1e-6 * steps;
    });
    return isGrid ? step : undefined;
  }

  #takeNoNumber(value: number, nowNs: number): void {
    if (!Number.isNaN(value)) {
      this.infinite += 1;
      if (this.infinite === 1) this.firstInfiniteNs = nowNs;
      this.lastInfiniteNs = nowNs;
      return;
    }
    if (this.#absent === 0) this.#absentFromNs = nowNs;
    this.#absent += 1;
  }

  #change(value: number, nowNs: number, count: number): void {
    if (this.#runSamples > 1) this.#endRun(nowNs);
    if (count > 1) this.changes += 1;
    this.#previous = value;
    this.#runFromNs = nowNs;
    this.#runSamples = 1;
    if (this.#distinct !== undefined && !this.#distinct.add(value)) this.#distinct = undefined;
  }

  #endRun(nowNs: number): void {
    const samples = this.#runSamples;
    const shortest = this.runs.at(-1);
    if (samples < 2 || (this.runs.length === RUNS_MAX && shortest !== undefined && samples <= shortest.samples)) return;
    let at = this.runs.length;
    while (at > 0 && (this.runs[at - 1] as Run).samples < samples) at -= 1;
    this.runs.splice(at, 0, { fromNs: this.#runFromNs, toNs: nowNs, value: this.#previous, samples });
    if (this.runs.length > RUNS_MAX) this.runs.pop();
  }

  #endAbsence(nowNs: number): void {
    const place = { fromNs: this.#absentFromNs, toNs: nowNs };
    this.#absent = 0;
    let at = this.absences.length;
    while (at > 0 && lengthOf(this.absences[at - 1] as Place) < lengthOf(place)) at -= 1;
    this.absences.splice(at, 0, place);
    if (this.absences.length > RUNS_MAX) this.absences.pop();
  }
}
