/** Whether a difference could be chance: the p-value of each test, corrected for rows that are no independent witnesses. */
import { kolmogorovSmirnov, shares, wasserstein } from './distances.ts';
import { effectiveSize, type TwoSides, totalOf } from './session-variance.ts';
import { chiSquaredSurvival, fSurvival, gammaSurvival, kolmogorovSurvival, logGamma } from './special-functions.ts';

/** Whether both sides have the same shares of the bins: chi-squared of homogeneity with the Rao-Scott correction of second order. */
export function homogeneityPValue(sides: TwoSides): number {
  const p = shares(sides.reference);
  const q = shares(sides.current);
  const rows = totalOf(sides.reference) + totalOf(sides.current);
  const bins = p.flatMap((_, bin) => {
    const both = ((sides.reference[bin] as number) + (sides.current[bin] as number)) / rows;
    return both > 0 ? [{ bin, both }] : [];
  });
  if (bins.length < 2) return 1;
  const statistic = bins.reduce((sum, { bin, both }) => sum + ((p[bin] as number) - (q[bin] as number)) ** 2 / both, 0);
  const weight = ({ bin, both }: (typeof bins)[number], other: (typeof bins)[number]): number =>
    (sides.covariance[bin]?.[other.bin] as number) / Math.sqrt(both * other.both);
  const first = bins.reduce((sum, each) => sum + weight(each, each), 0);
  const second = bins.reduce((sum, left) => sum + bins.reduce((row, right) => row + weight(left, right) ** 2, 0), 0);
  const degrees = (first * first) / second;
  if (sides.degrees === Infinity) return chiSquaredSurvival((statistic * degrees) / first, degrees);
  return fSurvival(statistic / first, degrees, sides.degrees);
}

/** Kolmogorov's limit with Stephens' correction for small samples; on bins it errs to the side of silence. */
export function kolmogorovPValue(sides: TwoSides): number {
  const root = Math.sqrt(effectiveSize(sides));
  return kolmogorovSurvival((root + 0.12 + 0.11 / root) * kolmogorovSmirnov(sides.reference, sides.current));
}

/**
 * Under no difference the area between the two cumulative distributions is the integral of |B(F(x))| / √n of a Brownian bridge B.
 * Its mean and variance are known in closed form; a gamma distribution with both stands for it.
 */
export function wassersteinPValue(sides: TwoSides, edges: readonly number[]): number {
  const distance = wasserstein(sides.reference, sides.current, edges);
  if (distance === 0) return 1;
  const both = shares(sides.reference.map((count, bin) => count + (sides.current[bin] as number)));
  const points: { readonly share: number; readonly width: number; readonly deviation: number }[] = [];
  let share = 0;
  for (let bin = 0; bin + 1 < both.length; bin += 1) {
    share += both[bin] as number;
    const width = ((edges[bin + 2] as number) - (edges[bin] as number)) / 2;
    if (share > 0 && share < 1 && width > 0) points.push({ share, width, deviation: Math.sqrt(share * (1 - share)) });
  }
  if (points.length === 0) return 1;
  const mean = Math.sqrt(2 / Math.PI) * points.reduce((sum, { width, deviation }) => sum + width * deviation, 0);
  const variance = points.reduce(
    (sum, left) =>
      sum + points.reduce((row, right) => row + left.width * right.width * absoluteCovariance(left, right), 0),
    0,
  );
  const scaled = distance * Math.sqrt(effectiveSize(sides));
  return gammaSurvival((mean * mean) / variance, (scaled * mean) / variance);
}

type BridgePoint = { readonly share: number; readonly deviation: number };

/** Cov(|X|, |Y|) of two normal variables with the covariance of a Brownian bridge at two shares. */
function absoluteCovariance(left: BridgePoint, right: BridgePoint): number {
  const covariance = Math.min(left.share, right.share) - left.share * right.share;
  const deviations = left.deviation * right.deviation;
  const rho = Math.min(1, covariance / deviations);
  return (2 / Math.PI) * deviations * (rho * Math.asin(rho) + Math.sqrt(1 - rho * rho) - 1);
}

export type Rate = { readonly hits: number; readonly rows: number };

/** Fisher's exact test that two rates are the same. `greater`: only a higher rate of the second counts. */
export function fisherPValue(first: Rate, second: Rate, alternative: 'greater' | 'two-sided'): number {
  const upper = hypergeometricUpper(second.hits, first, second);
  if (alternative === 'greater') return upper;
  const lower = hypergeometricUpper(first.hits, second, first);
  return Math.min(1, 2 * Math.min(upper, lower));
}

/** The rate among as many independent rows as the clustered ones are worth. */
export function effectiveRate({ hits, rows }: Rate, designEffect: number): Rate {
  if (rows === 0) return { hits: 0, rows: 0 };
  const worth = Math.max(1, Math.floor(rows / designEffect));
  return { hits: Math.round((hits / rows) * worth), rows: worth };
}

/** P(X >= hits) where X of the second's rows are hits, given how many there are on both sides. */
function hypergeometricUpper(hits: number, first: Rate, second: Rate): number {
  const marked = first.hits + second.hits;
  const last = Math.min(marked, second.rows);
  if (hits <= Math.max(0, marked - first.rows)) return 1;
  let term = Math.exp(
    logChoose(marked, hits) +
      logChoose(first.rows + second.rows - marked, second.rows - hits) -
      logChoose(first.rows + second.rows, second.rows),
  );
  let sum = term;
  for (let x = hits; x < last && term > sum * 1e-17; x += 1) {
    term *= ((marked - x) * (second.rows - x)) / ((x + 1) * (first.rows - marked + x + 1));
    sum += term;
  }
  return Math.min(1, sum);
}

const logChoose = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
