/** Why: what the values of one signal were, in a memory that does not grow with their number. Hot path. */
import { lengthOf, type Place } from './topic-timing.ts';

/** Different values that are told apart; a signal with more is not quantised coarsely. */
const DISTINCT_MAX = 1_024;
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

  push(value: number, nowNs: number, isBeyond: boolean): void {
    if (isBeyond || this.count === 0) {
      this.value = value;
      this.count = 0;
      this.inRuns = 0;
      this.firstNs = nowNs;
      this.#run = 0;
    }
    if (value !== this.value) {
      this.#run = 0;
      return;
    }
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
  #distinct: Set<number> | undefined = new Set();
  #squares = 0;
  #previous = Number.NaN;
  #runFromNs = 0;
  #runSamples = 0;
  #absent = 0;
  #absentFromNs = Number.NaN;
  readonly #bits = new Float64Array(1);
  readonly #words = new Uint32Array(this.#bits.buffer);

  push(value: number, nowNs: number): void {
    this.messages += 1;
    if (!Number.isFinite(value)) {
      if (!Number.isNaN(value)) {
        this.infinite += 1;
        if (this.infinite === 1) this.firstInfiniteNs = nowNs;
        return;
      }
      if (this.#absent === 0) this.#absentFromNs = nowNs;
      this.#absent += 1;
      return;
    }
    if (this.#absent > 0) this.#endAbsence(nowNs);
    if (this.count === 0) this.firstNs = nowNs;
    this.count += 1;
    this.lastNs = nowNs;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.#squares += delta * (value - this.mean);
    this.high.push(value, nowNs, value > this.high.value);
    this.low.push(value, nowNs, value < this.low.value);
    if (this.#distinct !== undefined) {
      this.#distinct.add(value);
      if (this.#distinct.size > DISTINCT_MAX) this.#distinct = undefined;
    }
    this.#bits[0] = value;
    this.hash = Math.imul(this.hash ^ (this.#words[0] as number), 0x01000193);
    this.hash = Math.imul(this.hash ^ (this.#words[1] as number), 0x01000193);
    if (value === this.#previous) {
      this.#runSamples += 1;
      return;
    }
    this.#endRun(nowNs);
    if (this.count > 1) this.changes += 1;
    this.#previous = value;
    this.#runFromNs = nowNs;
    this.#runSamples = 1;
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
    return this.#distinct?.size;
  }

  /** Distance of which all distances between values that occur are multiples; undefined when there is none. */
  get step(): number | undefined {
    if (this.#distinct === undefined || this.#distinct.size < 2) return undefined;
    const sorted = Float64Array.from(this.#distinct).toSorted();
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
