/** Rates of publishers and topics: a bucket of one second that fills evenly. */
import type { RateLimit } from './live-limits.ts';

const NS_PER_S = 1e9;
const MS_PER_S = 1_000;

/** Mutable, as it is asked for each message. Times are monotonic. */
export class RateBucket {
  readonly #limit: RateLimit;
  #messages: number;
  #bytes: number;
  #atNs: bigint | undefined;

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#messages = Math.max(1, limit.messagesPerS);
    this.#bytes = limit.bytesPerS;
  }

  /** Takes one message if there is room for it. A message over the bytes of a whole second is taken from a full bucket. */
  take(sizeBytes: number, nowNs: bigint): boolean {
    this.#fill(nowNs);
    if (this.#messages < 1 || this.#bytes < Math.min(sizeBytes, this.#limit.bytesPerS)) return false;
    this.#messages -= 1;
    this.#bytes -= sizeBytes;
    return true;
  }

  /** Takes what has come already; returns how long nothing more should be read, ms. */
  overdraw(messages: number, sizeBytes: number, nowNs: bigint): number {
    this.#fill(nowNs);
    this.#messages -= messages;
    this.#bytes -= sizeBytes;
    const waitS = Math.max(-this.#messages / this.#limit.messagesPerS, -this.#bytes / this.#limit.bytesPerS, 0);
    return Math.ceil(waitS * MS_PER_S);
  }

  #fill(nowNs: bigint): void {
    // All that came in one piece came at one time.
    if (nowNs === this.#atNs) return;
    const elapsedS = this.#atNs === undefined ? 0 : Number(nowNs - this.#atNs) / NS_PER_S;
    this.#atNs = nowNs;
    if (elapsedS <= 0) return;
    const { messagesPerS, bytesPerS } = this.#limit;
    this.#messages = Math.min(Math.max(1, messagesPerS), this.#messages + elapsedS * messagesPerS);
    this.#bytes = Math.min(bytesPerS, this.#bytes + elapsedS * bytesPerS);
  }
}
