/**
 * Watches one channel: its rate, what is repeated, what comes late, what is silent and which values stand still. Changed in place: it
 * sees every message. Times are ns since the base of the monitor, as numbers (exact for 104 days).
 */
import type { SourceMessage } from '@fleetloop/schemas';
import { FindingLog } from './finding-log.ts';
import { type FrozenNow, FrozenPayload, FrozenValues } from './frozen-values.ts';

/** A silence of more than this many periods is a gap; the same rule as inside a recording. */
export const SILENT_PERIODS = 3;
/** Intervals that an estimate of the rate rests on. */
const INTERVALS = 64;
const INTERVALS_MIN = 8;
const NS_PER_SECOND = 1e9;
/** Seconds whose messages are counted: the longest event and its pre-window. */
const SECONDS = 4_096;

/** A bus sends in bursts, where the median interval says little: it is missed after this many of its long intervals. */
const BURST_SILENCE_INTERVALS = 100;
const BURST_SILENCE_NS_MIN = 5e9;
/** A channel below this rate is a fix or a state and not a sensor with noise: its values may stand while the vehicle does. */
const SLOW_HZ_MAX = 20;

type UsualIntervals = { readonly medianNs: number; readonly longNs: number; readonly isBursty: boolean };

function usualOf(sorted: Float64Array): UsualIntervals | undefined {
  if (sorted.length < INTERVALS_MIN) return undefined;
  const medianNs = sorted[sorted.length >> 1] as number;
  const longNs = sorted[Math.floor((sorted.length - 1) * 0.9)] as number;
  return { medianNs, longNs, isBursty: longNs > 2 * medianNs };
}

export class ChannelStatistics {
  readonly log = new FindingLog();
  readonly #declaredRateHz: number | undefined;
  readonly #intervals = new Float64Array(INTERVALS);
  #intervalCount = 0;
  readonly #perSecond = new Uint16Array(SECONDS);
  #second = -1;
  #count = 0;
  #lastNs = Number.NEGATIVE_INFINITY;
  #lastStamp = 0n;
  #lastSequence = -1;
  readonly #frozen: FrozenValues | FrozenPayload;
  #usual: UsualIntervals | undefined;
  #estimatedAt = -1;

  constructor(message: SourceMessage) {
    const { channel } = message;
    this.#declaredRateHz = channel.rateHz;
    this.#frozen = channel.kind === 'signal' ? new FrozenValues(channel.signals.length) : new FrozenPayload();
  }

  get count(): number {
    return this.#count;
  }

  get lastNs(): number {
    return this.#lastNs;
  }

  push(message: SourceMessage, nowNs: number, isStanding: boolean): void {
    const isFirst = this.#count === 0;
    this.#count += 1;
    this.#countSecond(nowNs);
    const isOrdered = isFirst || this.#judgeOrder(message, nowNs);
    if (isOrdered) {
      if (!isFirst) this.#judgeInterval(nowNs);
      this.#lastStamp = message.publishTimeNs;
      this.#lastSequence = message.sequence;
    }
    if (nowNs > this.#lastNs) this.#lastNs = nowNs;
    const rateHz = isStanding ? this.expectedRateHz() : undefined;
    if (rateHz !== undefined && rateHz <= SLOW_HZ_MAX) this.#frozen.excuse(message, nowNs);
    else this.#frozen.push(message, nowNs, this.log);
  }

  /** Declared, or the usual rate of a channel that comes regularly; undefined for one that comes in bursts, or while little came. */
  expectedRateHz(): number | undefined {
    if (this.#declaredRateHz !== undefined) return this.#declaredRateHz;
    const usual = this.#usualIntervals();
    return usual === undefined || usual.medianNs <= 0 || usual.isBursty ? undefined : NS_PER_SECOND / usual.medianNs;
  }

  /** Messages per second of session time in an interval of more than one second. */
  measuredRateHz(startNs: number, endNs: number): number | undefined {
    const first = Math.max(Math.floor(startNs / NS_PER_SECOND), this.#second - SECONDS + 1, 0);
    const last = Math.min(Math.floor(endNs / NS_PER_SECOND), this.#second);
    if (last - first < 2) return undefined;
    let count = 0;
    // The seconds at both ends are only partly inside.
    for (let second = first + 1; second < last; second += 1) count += this.#perSecond[second % SECONDS] ?? 0;
    return count / (last - first - 1);
  }

  /** Signals (or the payload) that stand still now, and since when. */
  frozenNow(): readonly FrozenNow[] {
    return this.#frozen.frozenNow();
  }

  /** Since when the channel is silent though it should not be; undefined when all is well. */
  silentSince(nowNs: number): number | undefined {
    return nowNs - this.#lastNs > this.#silenceNsMax() ? this.#lastNs : undefined;
  }

  /** A silence that is longer is a fault. */
  #silenceNsMax(): number {
    if (this.#declaredRateHz !== undefined) return (SILENT_PERIODS * NS_PER_SECOND) / this.#declaredRateHz;
    const usual = this.#usualIntervals();
    if (usual === undefined) return Number.POSITIVE_INFINITY;
    return usual.isBursty
      ? Math.max(BURST_SILENCE_NS_MIN, BURST_SILENCE_INTERVALS * usual.longNs)
      : SILENT_PERIODS * usual.longNs;
  }

  /** Worked out anew from time to time only. */
  #usualIntervals(): UsualIntervals | undefined {
    const round = Math.floor(this.#intervalCount / INTERVALS_MIN);
    if (round !== this.#estimatedAt) {
      this.#estimatedAt = round;
      this.#usual = usualOf(this.#intervals.slice(0, Math.min(this.#intervalCount, INTERVALS)).sort());
    }
    return this.#usual;
  }

  /** Returns false for a message that is a repetition or comes after one with a later stamp. */
  #judgeOrder(message: SourceMessage, nowNs: number): boolean {
    const { publishTimeNs, sequence } = message;
    if (publishTimeNs === this.#lastStamp && (sequence === this.#lastSequence || this.#frozen.isRepeated(message))) {
      this.log.add('duplicates', nowNs, nowNs);
      return false;
    }
    if (publishTimeNs < this.#lastStamp || sequence < this.#lastSequence) {
      this.log.add('out-of-order', nowNs, nowNs);
      return false;
    }
    return true;
  }

  #judgeInterval(nowNs: number): void {
    const intervalNs = nowNs - this.#lastNs;
    if (intervalNs <= 0) return;
    if (intervalNs > this.#silenceNsMax()) this.log.add('gaps', this.#lastNs, nowNs);
    this.#intervals[this.#intervalCount % INTERVALS] = intervalNs;
    this.#intervalCount += 1;
  }

  #countSecond(nowNs: number): void {
    const second = Math.floor(nowNs / NS_PER_SECOND);
    if (second < 0) return;
    if (second > this.#second) {
      const from = Math.max(this.#second + 1, second - SECONDS + 1);
      for (let each = from; each <= second; each += 1) this.#perSecond[each % SECONDS] = 0;
      this.#second = second;
    } else if (second <= this.#second - SECONDS) return;
    const slot = second % SECONDS;
    this.#perSecond[slot] = Math.min(0xff_ff, (this.#perSecond[slot] ?? 0) + 1);
  }
}
