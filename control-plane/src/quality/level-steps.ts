/**
 * Why: a quantity that is at one level for a while, leaps farther than it can change, and stays at the other level did not do that by itself.
 * A leap between two such levels is a step; what comes back is a spike, and leaps among leaps are noise.
 */
import type { Leap } from './unit-mixture.ts';
import type { UnitShift } from './unit-shifts.ts';

/** Time and values that make a level. */
const LEVEL_NS_MIN = 2e9;
const LEVEL_SAMPLES_MIN = 5;
/** Share of itself by which the new level may change meanwhile: a vehicle that was hit comes to rest. */
const LEVEL_SHARE_MAX = 0.5;

/** `shift` says between which units, where the two levels are apart by that. */
export type LevelStep = Leap & { readonly shift: UnitShift | undefined };
export type StepTally = { count: number; readonly first: LevelStep; last: LevelStep };

export class LevelSteps {
  /** Steps between units, and all others. */
  betweenUnits: StepTally | undefined;
  others: StepTally | undefined;
  /** The step whose second level is not sure yet. */
  open: LevelStep | undefined;
  #levelNs = Number.NaN;
  #levelSample = 0;

  /** Mean time between the values of the level, up to the one given: stamps of a stutter or a buffer are no times. */
  periodNs(nowNs: number, sample: number): number {
    return sample > this.#levelSample ? (nowNs - this.#levelNs) / (sample - this.#levelSample) : 0;
  }

  /** A level begins, whatever was before. */
  begin(nowNs: number, sample: number): void {
    this.open = undefined;
    this.#levelNs = nowNs;
    this.#levelSample = sample;
  }

  /** Takes a leap that is farther than the quantity can change. */
  leap(step: LevelStep): void {
    const isFromLevel = this.#isLevel(step.fromNs, step.sample - 1);
    this.begin(step.toNs, step.sample);
    // Zero stands for no value as often as for a level.
    if (isFromLevel && step.before !== 0 && step.after !== 0) this.open = step;
  }

  /** Takes the values that follow while a step is open. */
  settle(value: number, nowNs: number, sample: number): void {
    const step = this.open;
    if (step === undefined) return;
    if (Math.abs(value - step.after) > LEVEL_SHARE_MAX * Math.abs(step.after)) this.open = undefined;
    else if (this.#isLevel(nowNs, sample)) this.#close(step);
  }

  #isLevel(nowNs: number, sample: number): boolean {
    return nowNs - this.#levelNs >= LEVEL_NS_MIN && sample - this.#levelSample >= LEVEL_SAMPLES_MIN - 1;
  }

  #close(step: LevelStep): void {
    this.open = undefined;
    if (step.shift === undefined) this.others = tallied(this.others, step);
    else this.betweenUnits = tallied(this.betweenUnits, step);
  }
}

function tallied(tally: StepTally | undefined, step: LevelStep): StepTally {
  return { count: (tally?.count ?? 0) + 1, first: tally?.first ?? step, last: step };
}
