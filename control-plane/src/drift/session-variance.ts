/**
 * How much a count of rows is worth. Windows overlap, and all windows of one drive share its road, load and weather: a thousand
 * rows of three drives witness little more than three drives. So the variance is taken from the differences between groups of
 * sessions (random groups), never from the rows alone, and tests are corrected by it as for a clustered survey: J. N. K. Rao and
 * A. J. Scott, "On chi-squared tests for multiway contingency tables", Annals of Statistics 12 (1984), second order.
 */

/** Counts of one side: for each group of sessions that occurs, the counts of the bins. */
export type GroupedCounts = readonly (readonly number[])[];

export const totalOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** Sums over the groups, by bin. */
export function pooled(groups: GroupedCounts): readonly number[] {
  const [first, ...others] = groups;
  if (first === undefined) return [];
  const sums = [...first];
  for (const counts of others) counts.forEach((count, bin) => (sums[bin] = (sums[bin] as number) + count));
  return sums;
}

/**
 * How many groups of equal size these are worth (Kish): one drive of hours among ten short ones has nearly all the weight, and what
 * differs from it says little about how drives differ.
 */
export function equalGroups(groups: GroupedCounts): number {
  const sizes = groups.map(totalOf);
  const rows = totalOf(sizes);
  return rows === 0 ? 0 : rows ** 2 / sizes.reduce((sum, size) => sum + size ** 2, 0);
}

/**
 * Of the shares of the bins: covariances between groups by the jackknife, which leaves out one group at a time. The plain residuals
 * would call a group that dominates all others typical, because the shares are its own. For one group nothing is known.
 */
export function shareCovariance(groups: GroupedCounts): readonly (readonly number[])[] {
  const sums = pooled(groups);
  const rows = totalOf(sums);
  const factor = (groups.length - 1) / groups.length;
  const changes = groups.map((counts) => {
    const own = totalOf(counts);
    return counts.map((count, bin) => (count - (own * (sums[bin] as number)) / rows) / (rows - own));
  });
  return sums.map((_, left) =>
    sums.map((__, right) =>
      groups.length < 2
        ? Infinity
        : factor * changes.reduce((sum, each) => sum + (each[left] as number) * (each[right] as number), 0),
    ),
  );
}

/** The covariances of shares of independent rows. */
export function multinomialCovariance(counts: readonly number[]): readonly (readonly number[])[] {
  const rows = totalOf(counts);
  return counts.map((left, row) =>
    counts.map((right, column) => ((row === column ? left / rows : 0) - (left / rows) * (right / rows)) / rows),
  );
}

/** Two sides to be compared, with the sum of their covariances. */
export type TwoSides = {
  readonly reference: readonly number[];
  readonly current: readonly number[];
  /** Of the difference of the shares; never below that of independent rows in sum. */
  readonly covariance: readonly (readonly number[])[];
  /** Variance of the difference, over that of independent rows: how many rows are worth one. */
  readonly designEffect: number;
  /** Degrees of freedom of the covariance; infinite for independent rows. */
  readonly degrees: number;
};

/** `isClustered` false: rows are independent of each other, and groups are ignored. */
export function twoSides(reference: GroupedCounts, current: GroupedCounts, isClustered: boolean): TwoSides {
  const sides = { reference: pooled(reference), current: pooled(current) };
  const independent = add(multinomialCovariance(sides.reference), multinomialCovariance(sides.current));
  if (!isClustered) return { ...sides, covariance: independent, designEffect: 1, degrees: Infinity };
  const between = add(shareCovariance(reference), shareCovariance(current));
  const effect = cumulativeVariance(between) / cumulativeVariance(independent);
  const isLarger = effect > 1;
  return {
    ...sides,
    covariance: isLarger ? between : independent,
    designEffect: isLarger ? effect : 1,
    degrees: Math.max(1, equalGroups(reference) + equalGroups(current) - 2),
  };
}

/** The rows of independent ones that a difference of two samples is worth, as 1 / (1/n + 1/m). */
export function effectiveSize(sides: TwoSides): number {
  const { reference, current, designEffect } = sides;
  return 1 / (1 / totalOf(reference) + 1 / totalOf(current)) / (designEffect * uncertaintyOf(sides));
}

/** The variance between groups is an estimate; its inverse is taken as that of an F variable on average. */
export function uncertaintyOf({ degrees }: Pick<TwoSides, 'degrees'>): number {
  return degrees > 2 && degrees < Infinity ? degrees / (degrees - 2) : 1;
}

/** Of the cumulative shares at the edges between bins. */
export function cumulativeCovariance(covariance: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const columns = covariance.map(() => 0);
  return covariance.slice(0, -1).map((row) => {
    let sum = 0;
    return row.slice(0, -1).map((value, column) => {
      columns[column] = (columns[column] as number) + value;
      sum += columns[column] as number;
      return sum;
    });
  });
}

function add(
  left: readonly (readonly number[])[],
  right: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  return left.map((row, index) => row.map((value, column) => value + (right[index]?.[column] as number)));
}

/** Sum over all edges of the variance of the cumulative share. */
function cumulativeVariance(covariance: readonly (readonly number[])[]): number {
  return cumulativeCovariance(covariance).reduce((sum, row, edge) => sum + (row[edge] as number), 0);
}
