/**
 * The lower confidence bound of a recall when windows come in runs. Windows of one run share ground, tyres and driver, so
 * they are worth fewer than their number. The design effect is estimated from how much the runs differ (linearised variance
 * of a ratio between clusters) and is never below the policy's floor; the bound is Wilson's score bound on the effective
 * number of windows. With few runs the estimate itself is rough, and runs unlike all of the test set are not covered. A window
 * lost in the best run makes runs more alike and can so raise the bound a little: the bound is of the set, not of each run.
 */

/** Windows of one run: how many there are and how many were right. */
export type RunCount = { readonly windows: number; readonly correct: number };

export type RecallBound = {
  /** Share of windows that were right, 0 to 1. */
  readonly value: number;
  /** Absent when there is one run only: what runs differ by cannot be seen. */
  readonly lowerBound: number | undefined;
  readonly designEffect: number;
  readonly effectiveWindows: number;
};

export type BoundOptions = { readonly quantile: number; readonly designEffectMin: number };

/** Recall and its lower bound; `runs` must hold at least one window. */
export function recallBound(runs: readonly RunCount[], options: BoundOptions): RecallBound {
  const windows = runs.reduce((sum, run) => sum + run.windows, 0);
  if (!(windows > 0)) throw new RangeError('a recall needs at least one window');
  const value = runs.reduce((sum, run) => sum + run.correct, 0) / windows;
  const designEffect = Math.max(options.designEffectMin, estimatedDesignEffect(runs, value, windows));
  const effectiveWindows = windows / designEffect;
  const lowerBound = runs.length < 2 ? undefined : wilsonLowerBound(value, effectiveWindows, options.quantile);
  return { value, lowerBound, designEffect, effectiveWindows };
}

/** Wilson's score bound, one-sided: the least p that `share` out of `count` trials does not refute (Wilson 1927). */
export function wilsonLowerBound(share: number, count: number, quantile: number): number {
  const squared = quantile * quantile;
  const centre = share + squared / (2 * count);
  const spread = quantile * Math.sqrt((share * (1 - share)) / count + squared / (4 * count * count));
  return Math.min(share, Math.max(0, (centre - spread) / (1 + squared / count)));
}

/** Variance between runs over the variance that independent windows would have; 1 where it cannot be seen. */
function estimatedDesignEffect(runs: readonly RunCount[], value: number, windows: number): number {
  const independent = (value * (1 - value)) / windows;
  if (runs.length < 2 || independent === 0) return 1;
  const squares = runs.reduce((sum, run) => sum + (run.correct - value * run.windows) ** 2, 0);
  const between = (squares * runs.length) / (runs.length - 1) / (windows * windows);
  return between / independent;
}
