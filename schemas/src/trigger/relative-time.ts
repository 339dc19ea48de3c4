/**
 * Moments as ns since a session's base. A BigInt is written into memory once and read back as two halves: a subtraction would make a BigInt
 * for every message.
 */

const HALF = 2 ** 32;
/** The halves of a 64-bit integer in memory; every machine that Node runs on has the lower one first. */
const LOW = 0;
const HIGH = 1;

export class RelativeTime {
  readonly #moment = new BigInt64Array(1);
  readonly #low = new Uint32Array(this.#moment.buffer);
  readonly #high = new Int32Array(this.#moment.buffer);
  readonly #baseLow: number;
  readonly #baseHigh: number;

  constructor(baseNs: bigint) {
    this.#moment[0] = baseNs;
    this.#baseLow = this.#low[LOW] as number;
    this.#baseHigh = this.#high[HIGH] as number;
  }

  /** What `Number(momentNs - baseNs)` is, for moments of 64 bits. */
  of(momentNs: bigint): number {
    this.#moment[0] = momentNs;
    return ((this.#high[HIGH] as number) - this.#baseHigh) * HALF + ((this.#low[LOW] as number) - this.#baseLow);
  }
}
