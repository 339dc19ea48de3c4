/**
 * Why: rows of two sources in one column go back and forth by the factor between their units. One such leap may be chance; a row of them,
 * with hardly another one among them, is not: each that fits counts for it, each that does not counts twice against it.
 */
import type { ShiftMatch, UnitShift } from './unit-shifts.ts';

/** A shift may leave this share of a leap unexplained: the quantity itself changes, too. */
const MISS_MAX = 0.12;
const SCORE_MIN = 20;
const SCORE_STRAY = 2;
/** Spikes of one height look like a factor while the level stays: it must vary by this, or the leaps must be this share of all values. */
const LEVELS_RATIO_MIN = 1.5;
const DENSITY_MIN = 0.05;

export type Leap = {
  readonly before: number;
  readonly after: number;
  readonly fromNs: number;
  readonly toNs: number;
  /** Its number among the values of the signal. */
  readonly sample: number;
};

export type Mixture = {
  readonly shift: UnitShift;
  readonly first: Leap;
  last: Leap;
  /** Leaps by the factor. */
  changes: number;
  /** Least and greatest of the higher levels. */
  low: number;
  high: number;
};

export class UnitMixture {
  /** The one with the most changes. */
  found: Mixture | undefined;
  #open: Mixture | undefined;
  #score = 0;

  /** @param match the unit shift that explains the leap best */
  push(leap: Leap, match: ShiftMatch | undefined): void {
    if (match === undefined || match.miss > MISS_MAX) {
      this.#score -= SCORE_STRAY;
      if (this.#score <= 0) this.#open = undefined;
      return;
    }
    const level = Math.max(Math.abs(leap.before), Math.abs(leap.after));
    if (this.#open?.shift.pair !== match.shift.pair) {
      this.#open = { shift: match.shift, first: leap, last: leap, changes: 0, low: level, high: level };
      this.#score = 0;
    }
    const open = this.#open;
    open.last = leap;
    open.changes += 1;
    open.low = Math.min(open.low, level);
    open.high = Math.max(open.high, level);
    this.#score = Math.min(SCORE_MIN, this.#score + 1);
    if (this.#score === SCORE_MIN && isNoSpikes(open) && open.changes >= (this.found?.changes ?? 0)) this.found = open;
  }
}

function isNoSpikes({ first, last, changes, low, high }: Mixture): boolean {
  return high >= LEVELS_RATIO_MIN * low || changes >= DENSITY_MIN * (last.sample - first.sample + 1);
}
