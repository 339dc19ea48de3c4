/**
 * The offset of a clock that nobody knows the start of, from arrivals alone. A message arrives no sooner than it was stamped, so
 * each arrival − stamp is an upper bound of the offset, and the smallest is the best. A bound ages: it grows by the largest
 * drift, so that a clock that runs away is followed.
 *
 * What is promised: `latencyNsMax` says that in each window one message arrives that soon. Then, with a drift of at most d and a
 * window W, the offset lies in [estimate − latencyNsMax − 2·d·W, estimate]. A window in which no message kept the promise means
 * that the clock jumped: until it is over the excess is part of the stated uncertainty, then the estimate starts anew.
 */
import type { BootClockDeclaration } from './source-clock.ts';

const NS_PER_MS = 1_000_000;
/** A stamp this far behind the one before it is a clock that was started again, not a message out of order. */
const RESTART_NS = 1_000_000_000n;

export type OffsetEstimate = {
  /** session time = stamp + offsetNs. */
  readonly offsetNs: bigint;
  readonly uncertaintyNs: bigint;
  /** A whole window has been seen since the start or the last jump. */
  readonly isSettled: boolean;
};

/** Mutable, one per source; O(1) in time and memory per message. */
export class BootOffsetEstimator {
  readonly #latencyNs: number;
  readonly #drift: number;
  readonly #windowNs: number;
  readonly #ownNs: number;
  /** Numbers are kept relative to this, where a double is exact for months. */
  #baseNs = 0n;
  /** The bound and when it was brought up to date, ns since `#originNs`. */
  #boundNs = Number.POSITIVE_INFINITY;
  #atNs = 0;
  #originNs = 0n;
  #lastStampNs: bigint | undefined;
  #windowStartNs = 0;
  /** Length of the window before; longer than declared when nothing came. */
  #lastWindowNs = 0;
  /** Smallest arrival − stamp of the window, relative to `#baseNs`, and smallest excess over the bound. */
  #leastNs = Number.POSITIVE_INFINITY;
  #excessNs = Number.POSITIVE_INFINITY;
  #worstNs = 0;
  #isSettled = false;
  #jumps = 0;

  constructor({ latencyNsMax, driftPpmMax, windowMs, uncertaintyNs }: Omit<BootClockDeclaration, 'kind' | 'offsetNs'>) {
    this.#latencyNs = latencyNsMax;
    this.#drift = driftPpmMax / 1e6;
    this.#windowNs = windowMs * NS_PER_MS;
    this.#ownNs = uncertaintyNs;
  }

  /** Times that the clock was found to have jumped or started again. */
  get jumps(): number {
    return this.#jumps;
  }

  /** Takes a message. @param arrivalNs on a clock that never goes back */
  add(stampNs: bigint, arrivalNs: bigint): void {
    if (this.#lastStampNs === undefined) this.#start(stampNs, arrivalNs);
    else if (stampNs < this.#lastStampNs - RESTART_NS) {
      this.#jumps += 1;
      this.#start(stampNs, arrivalNs);
    }
    if (stampNs > (this.#lastStampNs ?? stampNs - 1n)) this.#lastStampNs = stampNs;
    const atNs = Number(arrivalNs - this.#originNs);
    const sampleNs = Number(arrivalNs - stampNs - this.#baseNs);
    this.#boundNs += this.#drift * Math.max(0, atNs - this.#atNs);
    this.#atNs = Math.max(this.#atNs, atNs);
    const excessNs = sampleNs - this.#boundNs;
    if (excessNs < 0) this.#boundNs = sampleNs;
    this.#leastNs = Math.min(this.#leastNs, sampleNs);
    this.#excessNs = Math.min(this.#excessNs, Math.max(0, excessNs));
    this.#worstNs = Math.max(this.#worstNs, excessNs);
    if (atNs - this.#windowStartNs >= this.#windowNs) this.#endWindow(atNs);
  }

  /** What is known now; undefined before the first message. */
  estimate(): OffsetEstimate | undefined {
    if (this.#lastStampNs === undefined) return undefined;
    const openWindowNs = Math.max(this.#windowNs, this.#lastWindowNs, this.#atNs - this.#windowStartNs);
    const promisedNs = this.#latencyNs + this.#drift * (this.#windowNs + openWindowNs);
    const excessNs = Number.isFinite(this.#excessNs) ? this.#excessNs : 0;
    // Before a whole window nothing is promised yet: what was seen to vary may be missing from below as well.
    const openNs = this.#isSettled ? 0 : this.#worstNs;
    return {
      offsetNs: this.#baseNs + BigInt(Math.round(this.#boundNs)),
      uncertaintyNs: BigInt(Math.ceil(promisedNs + excessNs + openNs + this.#ownNs)),
      isSettled: this.#isSettled,
    };
  }

  /** The clock that arrivals are on was moved by `byNs`. */
  rebase(byNs: bigint): void {
    this.#baseNs += byNs;
    this.#originNs += byNs;
  }

  #start(stampNs: bigint, arrivalNs: bigint): void {
    this.#lastStampNs = stampNs;
    this.#baseNs = arrivalNs - stampNs;
    this.#originNs = arrivalNs;
    this.#boundNs = 0;
    this.#atNs = 0;
    this.#worstNs = 0;
    this.#isSettled = false;
    this.#lastWindowNs = 0;
    this.#openWindow(0);
  }

  #endWindow(atNs: number): void {
    if (this.#excessNs > this.#latencyNs) {
      this.#jumps += 1;
      this.#boundNs = this.#leastNs + this.#drift * this.#windowNs;
    }
    this.#isSettled = true;
    this.#lastWindowNs = atNs - this.#windowStartNs;
    this.#openWindow(atNs);
  }

  #openWindow(atNs: number): void {
    this.#windowStartNs = atNs;
    this.#leastNs = Number.POSITIVE_INFINITY;
    this.#excessNs = Number.POSITIVE_INFINITY;
  }
}
