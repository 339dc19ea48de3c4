/** How far two distributions over the same bins lie apart: population stability index, Kolmogorov-Smirnov, Jensen-Shannon, Wasserstein. */

/** Added to each bin on both sides, so that an empty bin is rare and not impossible (Jeffreys' prior). */
const PSEUDO_COUNT = 0.5;

/** Σ (q - p) ln(q / p) of shares with half a row more in each bin. */
export function populationStability(reference: readonly number[], current: readonly number[]): number {
  const p = smoothed(reference);
  const q = smoothed(current);
  return p.reduce((sum, share, bin) => sum + ((q[bin] as number) - share) * Math.log((q[bin] as number) / share), 0);
}

/** The Jensen-Shannon distance, the root of the divergence to the base 2: 0 equal, 1 disjoint. */
export function jensenShannon(reference: readonly number[], current: readonly number[]): number {
  const p = shares(reference);
  const q = shares(current);
  const divergence = p.reduce((sum, share, bin) => {
    const other = q[bin] as number;
    const middle = (share + other) / 2;
    return sum + part(share, middle) + part(other, middle);
  }, 0);
  return Math.sqrt(Math.max(0, divergence / 2));
}

/** Greatest difference of the two cumulative shares at an edge: never above that of the values themselves. */
export function kolmogorovSmirnov(reference: readonly number[], current: readonly number[]): number {
  return Math.max(0, ...cumulativeDifferences(reference, current).map(Math.abs));
}

/**
 * Area between the two cumulative distributions, in units of the values, with the values of a bin spread evenly over it.
 * `edges` has one more entry than there are bins: the outermost are the least and greatest values.
 */
export function wasserstein(
  reference: readonly number[],
  current: readonly number[],
  edges: readonly number[],
): number {
  const differences = cumulativeDifferences(reference, current);
  let area = 0;
  let before = 0;
  for (const [bin, after] of differences.entries()) {
    const width = (edges[bin + 1] as number) - (edges[bin] as number);
    if (width > 0) area += width * meanOfAbsolute(before, after);
    before = after;
  }
  return area;
}

export function shares(counts: readonly number[]): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (total === 0 ? 0 : count / total));
}

function smoothed(counts: readonly number[]): readonly number[] {
  return shares(counts.map((count) => count + PSEUDO_COUNT));
}

function part(share: number, middle: number): number {
  return share === 0 ? 0 : share * Math.log2(share / middle);
}

function cumulativeDifferences(reference: readonly number[], current: readonly number[]): readonly number[] {
  const p = shares(reference);
  const q = shares(current);
  let difference = 0;
  return p.map((share, bin) => {
    difference += share - (q[bin] as number);
    return difference;
  });
}

/** Mean of |x| while x goes straight from `before` to `after`. */
function meanOfAbsolute(before: number, after: number): number {
  if (before * after >= 0) return (Math.abs(before) + Math.abs(after)) / 2;
  return (before * before + after * after) / (2 * (Math.abs(before) + Math.abs(after)));
}
