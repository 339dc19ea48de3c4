/** Whether a difference could be chance: the p-value of each test, corrected for rows that are no independent witnesses. */
import { kolmogorovSmirnov, shares, wasserstein } from './distances.ts';
import { cumulativeCovariance, effectiveSize, type TwoSides, totalOf, uncertaintyOf } from './session-variance.ts';
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
 * Under no difference the cumulative differences at the edges are normal with the covariances of the sides; for independent rows that is
 * a Brownian bridge, while sessions that differ move many edges at once. Mean and variance of the area between the two follow in closed
 * form; a gamma distribution with both stands for it.
 */
export function wassersteinPValue(sides: TwoSides, edges: readonly number[]): number {
  const distance = wasserstein(sides.reference, sides.current, edges);
  if (distance === 0) return 1;
  const covariance = cumulativeCovariance(sides.covariance);
  const widths = covariance.map((_, edge) => (edges[edge + 2] as number) / 2 - (edges[edge] as number) / 2);
  // In units of the widest bin: the square of a width need not be a number.
  const unit = Math.max(...widths);
  const points = covariance.flatMap((row, edge) => {
    const width = (widths[edge] as number) / unit;
    const deviation = Math.sqrt(Math.max(0, row[edge] as number));
    return width > 0 && deviation > 0 ? [{ edge, width, deviation }] : [];
  });
  if (points.length === 0) return 1;
  const mean = Math.sqrt(2 / Math.PI) * points.reduce((sum, { width, deviation }) => sum + width * deviation, 0);
  const together = (left: (typeof points)[number], right: (typeof points)[number]): number => {
    const deviations = left.deviation * right.deviation;
    const rho = (covariance[left.edge]?.[right.edge] as number) / deviations;
    return left.width * right.width * deviations * absoluteCovariance(Math.max(-1, Math.min(1, rho)));
  };
  const variance = points.reduce((sum, left) => sum + points.reduce((row, right) => row + together(left, right), 0), 0);
  const scaled = distance / unit / Math.sqrt(uncertaintyOf(sides));
  return gammaSurvival((mean * mean) / variance, (scaled * mean) / variance);
}

/** Cov(|X|, |Y|) of two standard normal variables with correlation rho. */
const absoluteCovariance = (rho: number): number =>
  (2 / Math.PI) * (rho * Math.asin(rho) + Math.sqrt(1 - rho * rho) - 1);

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
