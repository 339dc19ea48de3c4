/** Why: among thousands of tests some are significant by chance. What is reported is the level at which each would still stand. */

export type Correction = 'benjamini-hochberg' | 'holm';

/** Adjusted p-values in the order given; NaN stays NaN and is not counted among the tests. */
export function adjustPValues(pValues: readonly number[], method: Correction): readonly number[] {
  const order = [...pValues.keys()]
    .filter((index) => !Number.isNaN(pValues[index]))
    .toSorted((left, right) => (pValues[left] as number) - (pValues[right] as number));
  const adjusted = pValues.map(() => Number.NaN);
  if (method === 'holm') holm(pValues, order, adjusted);
  else benjaminiHochberg(pValues, order, adjusted);
  return adjusted;
}

/** Controls the chance of any false alarm, under any dependence (Holm 1979). */
function holm(pValues: readonly number[], order: readonly number[], adjusted: number[]): void {
  let least = 0;
  for (const [rank, index] of order.entries()) {
    least = Math.max(least, Math.min(1, (pValues[index] as number) * (order.length - rank)));
    adjusted[index] = least;
  }
}

/** Controls the share of false alarms among all, for independent and positively dependent tests (Benjamini and Hochberg 1995). */
function benjaminiHochberg(pValues: readonly number[], order: readonly number[], adjusted: number[]): void {
  let most = 1;
  for (const [rank, index] of [...order.entries()].toReversed()) {
    most = Math.min(most, ((pValues[index] as number) * order.length) / (rank + 1));
    adjusted[index] = most;
  }
}
