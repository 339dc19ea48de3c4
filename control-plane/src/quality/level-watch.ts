/**
 * Why: a unit that changes within a signal shows where one value follows another: the level leaps by the factor between two units, once
 * and for good, or back and forth. Most changes are small and cost one comparison here.
 */
import { LevelSteps } from './level-steps.ts';
import type { SampleBlock } from './sample-block.ts';
import { UnitMixture } from './unit-mixture.ts';
import { bestShift, type ShiftMatch, type UnitShift } from './unit-shifts.ts';

/** Share of a step from which a change is looked at. */
const LEAP_SHARE = 0.25;
/** Units are farther apart than this share of the higher value. */
const SHIFT_SHARE_MIN = 0.3;
/** What one shift may leave unexplained, as a share of the leap: rounding, and a few of the usual changes. */
const MISS_SHARE = 0.02;
const MISS_USUAL = 4;
const MISS_MAX = 0.12;
/** A quantity hardly ever changes as fast as it can: what was held, and goes on in another unit, had this share of the time. */
const HELD_SHARE = 0.4;
/** A value that came by a change of this share of the leap is a spike, and no level is left with it. */
const STEADY_SHARE = 0.4;

/** Most, in the unit of the values, that a quantity can change: at once, and more for each second. */
export type StepBound = { readonly step: number; readonly perSecond: number };

export class LevelWatch {
  readonly steps = new LevelSteps();
  readonly mixture = new UnitMixture();
  readonly #bound: StepBound;
  readonly #shifts: readonly UnitShift[];
  readonly #leapMin: number;
  #samples = 0;
  #previous = Number.NaN;
  #previousNs = Number.NEGATIVE_INFINITY;
  /** When the previous value was new. */
  #sinceNs = 0;
  #lastChange = 0;
  #changes = 0;
  #sum = 0;

  constructor(bound: StepBound, shifts: readonly UnitShift[]) {
    this.#bound = bound;
    this.#shifts = shifts;
    this.#leapMin = bound.step * LEAP_SHARE;
  }

  take({ values, timesNs, width, rows }: SampleBlock, column: number): void {
    for (let row = 0, at = column; row < rows; row += 1, at += width)
      this.push(values[at] as number, timesNs[row] as number);
  }

  /** Absent values are skipped: what follows them comes after a longer time. Hot path. */
  push(value: number, nowNs: number): void {
    // Neither NaN nor infinite: both give NaN here.
    if (value - value !== 0) return;
    this.#samples += 1;
    const change = Math.abs(value - this.#previous);
    if (!(change <= this.#leapMin && nowNs >= this.#previousNs)) this.#leap(change, value, nowNs);
    if (this.steps.open !== undefined) this.steps.settle(value, nowNs, this.#samples);
    this.#lastChange = change;
    this.#previousNs = nowNs;
    if (change === 0) return;
    if (change <= this.#leapMin) {
      this.#changes += 1;
      this.#sum += change;
    }
    this.#sinceNs = nowNs;
    this.#previous = value;
  }

  #leap(change: number, after: number, nowNs: number): void {
    const before = this.#previous;
    if (!(nowNs >= this.#previousNs) || Number.isNaN(before)) {
      this.steps.begin(nowNs, this.#samples);
      this.#sinceNs = nowNs;
      return;
    }
    const isApart = change > SHIFT_SHARE_MIN * Math.max(Math.abs(before), Math.abs(after));
    const match = isApart ? bestShift(this.#shifts, before, after) : undefined;
    const leap = { before, after, fromNs: this.#previousNs, toNs: nowNs, sample: this.#samples };
    if (isApart) this.mixture.push(leap, match);
    const shift = match !== undefined && this.#isSure(match, change) ? match.shift : undefined;
    if (!this.#isImpossible(change, nowNs, shift === undefined ? 1 : HELD_SHARE)) return;
    if (this.#lastChange > STEADY_SHARE * change) this.steps.begin(nowNs, this.#samples);
    else this.steps.leap({ ...leap, shift });
  }

  #isSure({ miss }: ShiftMatch, change: number): boolean {
    const usual = this.#changes === 0 ? 0 : this.#sum / this.#changes;
    return miss <= Math.min(MISS_MAX, MISS_SHARE + (MISS_USUAL * usual) / change);
  }

  /** A value that was repeated may be one that nobody measured: what changed since it was new had that time, too. */
  #isImpossible(change: number, nowNs: number, heldShare: number): boolean {
    const { step, perSecond } = this.#bound;
    const periodNs = Math.max(nowNs - this.#previousNs, this.steps.periodNs(this.#previousNs, this.#samples - 1));
    const heldNs = this.#previousNs - this.#sinceNs;
    return change > step + (perSecond * (periodNs + heldShare * heldNs)) / 1e9;
  }
}
