/** One figure of a benchmark: ours, what it is held against, and the memory it took; medians over repeats. */

export type Measurement = {
  readonly bench: string;
  readonly figure: string;
  readonly unit: string;
  /** Median over `repeats`. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly repeats: number;
  /** The figure to reach, with its direction. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  /** The same work by somebody else's code in the same run. */
  readonly peer?: { readonly name: string; readonly value: number };
};

export type Bench = {
  readonly name: string;
  readonly description: string;
  readonly run: (options: {
    readonly repeats: number;
    readonly signal: AbortSignal;
    /** How long a figure that is measured in real time may take. */
    readonly minutes: number;
    /** Figures with this in their name; for a bench whose figures can be chosen. */
    readonly only?: string;
  }) => Promise<readonly Measurement[]>;
};

/** Runs `work` once to warm up and then `repeats` times; `work` returns the figure. */
export async function repeat(
  repeats: number,
  work: () => Promise<number>,
): Promise<{ value: number; min: number; max: number; repeats: number }> {
  await work();
  const values: number[] = [];
  for (let round = 0; round < repeats; round += 1) values.push(await work());
  const sorted = values.toSorted((left, right) => left - right);
  return { value: median(sorted), min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, repeats };
}

/** Median of a sorted list. */
export function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
