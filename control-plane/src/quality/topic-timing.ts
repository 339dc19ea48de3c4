/** Why: when the messages of one topic came, in a memory that does not grow with their number. Hot path. */
import { IntervalHistogram } from './interval-histogram.ts';
import { RateSlices } from './rate-slices.ts';
import { SkewTrend } from './skew-trend.ts';

/** Longest silences, and as many largest steps back, that are kept with their place. */
const PLACES_MAX = 64;
/** Messages whose distance of the two stamps is averaged before it is compared. */
const SKEW_BLOCK = 16;

/** Times are ns since the first message of the recording. */
export type Place = { readonly fromNs: number; readonly toNs: number };

export class TopicTiming {
  readonly intervals = new IntervalHistogram();
  count = 0;
  firstNs = Number.NaN;
  lastNs = Number.NaN;
  /** Latest seen, which is not the last when times go back. */
  latestNs = Number.NEGATIVE_INFINITY;
  earliestNs = Number.POSITIVE_INFINITY;
  /** Longest silences, longest first. */
  readonly silences: Place[] = [];
  /** Where times went back, largest steps first; `fromNs` is where they came from. */
  readonly backwards: Place[] = [];
  backwardsCount = 0;
  repeated = 0;
  lost = 0;
  losses = 0;
  firstLossNs = Number.NaN;
  lastLossNs = Number.NaN;
  /** Log minus publish time. */
  skewMin = Number.POSITIVE_INFINITY;
  skewMax = Number.NEGATIVE_INFINITY;
  skewLow: { readonly meanNs: number; readonly atNs: number } | undefined;
  skewHigh: { readonly meanNs: number; readonly atNs: number } | undefined;
  readonly skewTrend = new SkewTrend();
  readonly rates = new RateSlices();
  #skewSum = 0;
  #skewCount = 0;
  #sequence = -1;
  #sequenceMin = Number.POSITIVE_INFINITY;
  #sequenceMax = -1;

  push(nowNs: number, skewNs: number, sequence: number): void {
    if (this.count > 0) this.#interval(nowNs);
    else this.firstNs = nowNs;
    this.count += 1;
    this.lastNs = nowNs;
    this.rates.push(nowNs);
    if (nowNs > this.latestNs) this.latestNs = nowNs;
    if (nowNs < this.earliestNs) this.earliestNs = nowNs;
    this.#skew(skewNs, nowNs);
    if (this.#sequence >= 0 && sequence > this.#sequence + 1) {
      this.lost += sequence - this.#sequence - 1;
      this.losses += 1;
      this.lastLossNs = nowNs;
      if (this.losses === 1) this.firstLossNs = nowNs;
    }
    this.#sequence = sequence;
    if (sequence < this.#sequenceMin) this.#sequenceMin = sequence;
    if (sequence > this.#sequenceMax) this.#sequenceMax = sequence;
  }

  /** Messages that are missing by their numbers: not those that came in another order. */
  get missing(): number {
    return Math.max(0, Math.min(this.lost, this.#sequenceMax - this.#sequenceMin + 1 - this.count));
  }

  #interval(nowNs: number): void {
    const interval = nowNs - this.lastNs;
    if (interval < 0) {
      this.backwardsCount += 1;
      keepLongest(this.backwards, this.lastNs, nowNs);
      return;
    }
    if (interval === 0) this.repeated += 1;
    this.intervals.add(interval);
    keepLongest(this.silences, this.lastNs, nowNs);
  }

  #skew(skewNs: number, nowNs: number): void {
    if (skewNs < this.skewMin) this.skewMin = skewNs;
    if (skewNs > this.skewMax) this.skewMax = skewNs;
    this.#skewSum += skewNs;
    this.#skewCount += 1;
    if (this.#skewCount < SKEW_BLOCK) return;
    const block = { meanNs: this.#skewSum / SKEW_BLOCK, atNs: nowNs };
    this.skewTrend.push(nowNs, block.meanNs);
    if (this.skewLow === undefined || block.meanNs < this.skewLow.meanNs) this.skewLow = block;
    if (this.skewHigh === undefined || block.meanNs > this.skewHigh.meanNs) this.skewHigh = block;
    this.#skewSum = 0;
    this.#skewCount = 0;
  }
}

/** Longest first; of equal ones those that came first. Hot path. */
function keepLongest(places: Place[], fromNs: number, toNs: number): void {
  const length = Math.abs(toNs - fromNs);
  const shortest = places[PLACES_MAX - 1];
  if (shortest !== undefined && length <= Math.abs(lengthOf(shortest))) return;
  let at = places.length;
  while (at > 0 && Math.abs(lengthOf(places[at - 1] as Place)) < length) at -= 1;
  places.splice(at, 0, { fromNs, toNs });
  if (places.length > PLACES_MAX) places.pop();
}

export function lengthOf({ fromNs, toNs }: Place): number {
  return toNs - fromNs;
}
