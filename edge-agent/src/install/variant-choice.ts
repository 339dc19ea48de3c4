// Why this file exists: the choice between variants is explained to a person later, so it is a pure function from measurements to words.
import { FleetError } from '@fleetloop/schemas';

/** How far a variant's outputs are from the golden ones. */
export type GoldenResult = {
  readonly rows: number;
  /** Largest absolute difference of a probability. */
  readonly worstDifference: number;
  /** Share of rows with the golden class, 0 to 1. */
  readonly agreement: number;
  readonly isAccepted: boolean;
};

export type VariantMeasurement = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly golden: GoldenResult;
  /** Median and 99th percentile of one inference on this machine, ms; undefined when golden outputs were not met. */
  readonly medianMs?: number;
  readonly p99Ms?: number;
};

export type VariantChoice = { readonly name: string; readonly reason: string };

/** Medians nearer than this share are a draw, which the smaller file wins. */
const DRAW_SHARE = 0.1;

/** Compares outputs [rows][labels] with the golden ones. */
export function compareGolden(
  outputs: readonly ArrayLike<number>[],
  golden: readonly (readonly number[])[],
  limits: { readonly tolerance: number; readonly agreementMin: number },
): GoldenResult {
  let worstDifference = 0;
  let agreeing = 0;
  golden.forEach((row, index) => {
    const output = outputs[index] ?? [];
    row.forEach((value, label) => {
      const difference = Math.abs((output[label] ?? Number.NaN) - value);
      worstDifference = Math.max(worstDifference, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    });
    if (indexOfMax(output) === indexOfMax(row)) agreeing += 1;
  });
  const agreement = agreeing / golden.length;
  const isAccepted = worstDifference <= limits.tolerance && agreement >= limits.agreementMin;
  return { rows: golden.length, worstDifference, agreement, isAccepted };
}

export function indexOfMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index += 1)
    if ((values[index] as number) > (values[best] as number)) best = index;
  return best;
}

/**
 * The fastest variant that reproduces the golden outputs within the latency budget; of equally fast ones the smaller.
 * @throws FleetError INSTALL_GOLDEN when none agrees, INSTALL_LATENCY when none is fast enough
 */
export function chooseVariant(measurements: readonly VariantMeasurement[], latencyBudgetMs: number): VariantChoice {
  const words = measurements.map(describe).join('; ');
  const agreeing = measurements.filter((entry) => entry.golden.isAccepted);
  if (agreeing.length === 0)
    throw new FleetError('INSTALL_GOLDEN', `no variant reproduces the golden outputs on this machine: ${words}`);
  const timely = agreeing.filter((entry) => (entry.p99Ms ?? Number.POSITIVE_INFINITY) <= latencyBudgetMs);
  const [first, ...rest] = timely;
  if (first === undefined)
    throw new FleetError('INSTALL_LATENCY', `no variant stays within ${latencyBudgetMs} ms on this machine: ${words}`);
  const best = rest.reduce((left, right) => (beats(right, left) ? right : left), first);
  const others =
    timely.length === 1 ? 'the only one left' : 'the fastest; within 10 % of each other the smaller file wins';
  return {
    name: best.name,
    reason: `${best.name} of ${measurements.length}: ${others} within the budget of ${latencyBudgetMs} ms. ${words}`,
  };
}

function beats(candidate: VariantMeasurement, holder: VariantMeasurement): boolean {
  const left = candidate.medianMs ?? Number.POSITIVE_INFINITY;
  const right = holder.medianMs ?? Number.POSITIVE_INFINITY;
  const isDraw = Math.abs(left - right) <= DRAW_SHARE * Math.max(left, right);
  return isDraw ? candidate.sizeBytes < holder.sizeBytes : left < right;
}

function describe({ name, sizeBytes, golden, medianMs, p99Ms }: VariantMeasurement): string {
  const match = `worst difference ${golden.worstDifference.toPrecision(2)}, same class on ${(golden.agreement * 100).toFixed(1)} % of ${golden.rows} golden rows`;
  if (!golden.isAccepted) return `${name} (${sizeBytes} bytes) dropped: ${match}`;
  return `${name} (${sizeBytes} bytes): median ${medianMs?.toFixed(3)} ms, p99 ${p99Ms?.toFixed(3)} ms, ${match}`;
}
