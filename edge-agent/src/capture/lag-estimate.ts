/**
 * By how much one series lags behind another that measures the same quantity: the peak of their normalised cross-correlation
 * (Knapp and Carter 1976, without weighting), refined by a parabola through its neighbours.
 */

export type Series = {
  /** Times in seconds, ascending. */
  readonly timesS: Float64Array;
  readonly values: Float64Array;
};

export type LagEstimate = {
  /** Positive when the second comes later, s. */
  readonly lagS: number;
  /** One standard deviation of the estimate, with half a step of the grid as its floor, s. */
  readonly uncertaintyS: number;
  /** Correlation at the peak, -1 to 1. */
  readonly correlation: number;
};

/** Step of the common grid; finer than the period of the faster series says nothing new. */
const STEP_S_MIN = 0.02;
const STEP_S_MAX = 1;
const LAG_S_MAX = 2;
/** Below these a peak is chance: too short, too little alike, or at the edge of the search. */
const SPAN_STEPS_MIN = 30;
const CORRELATION_MIN = 0.7;

/** Undefined when the two do not overlap enough, do not move, or are not alike. */
export function estimateLag(first: Series, second: Series): LagEstimate | undefined {
  const stepS = Math.min(STEP_S_MAX, Math.max(STEP_S_MIN, Math.max(periodOf(first), periodOf(second)) / 2));
  const startS = Math.max(first.timesS[0] ?? 0, second.timesS[0] ?? 0);
  const endS = Math.min(first.timesS.at(-1) ?? 0, second.timesS.at(-1) ?? 0);
  const steps = Math.floor((endS - startS) / stepS) + 1;
  const lagsMax = Math.min(Math.round(LAG_S_MAX / stepS), Math.floor(steps / 4));
  if (!(steps >= SPAN_STEPS_MIN) || lagsMax < 2) return undefined;
  const grid = { startS, stepS, steps };
  const correlations = correlate(resample(first, grid), resample(second, grid), lagsMax);
  return correlations === undefined ? undefined : peakOf(correlations, { lagsMax, stepS, steps });
}

function periodOf({ timesS }: Series): number {
  const spanS = (timesS.at(-1) ?? 0) - (timesS[0] ?? 0);
  return timesS.length > 1 ? spanS / (timesS.length - 1) : STEP_S_MAX;
}

type Grid = { readonly startS: number; readonly stepS: number; readonly steps: number };

/** Linear between samples, mean removed. */
function resample({ timesS, values }: Series, { startS, stepS, steps }: Grid): Float64Array {
  const out = new Float64Array(steps);
  let index = 0;
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    const at = startS + step * stepS;
    while (index + 2 < timesS.length && (timesS[index + 1] as number) < at) index += 1;
    const [t0, t1] = [timesS[index] as number, timesS[index + 1] as number];
    const [v0, v1] = [values[index] as number, values[index + 1] as number];
    const share = t1 > t0 ? Math.min(1, Math.max(0, (at - t0) / (t1 - t0))) : 0;
    sum += out[step] = v0 + (v1 - v0) * share;
  }
  const mean = sum / steps;
  for (let step = 0; step < steps; step += 1) out[step] = (out[step] as number) - mean;
  return out;
}

/** Index k holds the correlation at lag k - lagsMax; undefined when one of the two does not move. */
function correlate(first: Float64Array, second: Float64Array, lagsMax: number): Float64Array | undefined {
  const out = new Float64Array(2 * lagsMax + 1);
  for (let lag = -lagsMax; lag <= lagsMax; lag += 1) {
    const from = Math.max(0, -lag);
    const to = Math.min(first.length, second.length - lag);
    let product = 0;
    let firstSquares = 0;
    let secondSquares = 0;
    for (let index = from; index < to; index += 1) {
      const a = first[index] as number;
      const b = second[index + lag] as number;
      product += a * b;
      firstSquares += a * a;
      secondSquares += b * b;
    }
    if (firstSquares === 0 || secondSquares === 0) return undefined;
    out[lag + lagsMax] = product / Math.sqrt(firstSquares * secondSquares);
  }
  return out;
}

function peakOf(
  correlations: Float64Array,
  { lagsMax, stepS, steps }: { readonly lagsMax: number; readonly stepS: number; readonly steps: number },
): LagEstimate | undefined {
  let best = 0;
  for (let index = 1; index < correlations.length; index += 1)
    if ((correlations[index] as number) > (correlations[best] as number)) best = index;
  const peak = correlations[best] as number;
  if (best === 0 || best === correlations.length - 1 || peak < CORRELATION_MIN) return undefined;
  const [left, right] = [correlations[best - 1] as number, correlations[best + 1] as number];
  const curvature = left - 2 * peak + right;
  const shift = curvature < 0 ? (0.5 * (left - right)) / curvature : 0;
  // The variance of a peak's place: noise that is left over its curvature (per step squared), over the samples that carry it.
  const noise = Math.max(1e-12, 1 - peak * peak);
  const deviation = curvature < 0 ? Math.sqrt(noise / (-curvature * peak * steps)) : lagsMax;
  return {
    lagS: (best - lagsMax + shift) * stepS,
    uncertaintyS: Math.max(stepS / 2, deviation * stepS),
    correlation: peak,
  };
}
