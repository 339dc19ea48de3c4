/**
 * The gate: predictions and a policy in, a verdict out. Every required slice must show, on the lower confidence bound of its
 * recall, what the policy asks; a slice that is missing or too small has not shown it. Pure: same input, same verdict.
 */
import {
  type CompiledExpression,
  compileExpression,
  FleetError,
  isDigest,
  type VariableType,
} from '@fleetloop/schemas';
import { type OverallMeasurement, isCorrect, measureOverall } from './overall.ts';
import { type GatePolicy, NORMAL_QUANTILES, type PolicySlice } from './policy.ts';
import { attributeNames, checkPredictions, type Prediction } from './prediction.ts';
import { recallBound, type RunCount } from './recall-bound.ts';

export type Verdict = 'passed' | 'failed' | 'error' | 'inconclusive';

export type SliceResult = {
  readonly name: string;
  readonly label: string;
  readonly where: string | null;
  readonly anomaly: string | null;
  /** Recall, 0 to 1; null when the slice has no windows. */
  readonly value: number | null;
  /** Null when the slice has no windows or a single run. */
  readonly lowerBound: number | null;
  readonly designEffect: number | null;
  /** Windows and runs in the slice. */
  readonly count: number;
  readonly runs: number;
  readonly required: boolean;
  readonly threshold: number;
  readonly verdict: Verdict;
  readonly reason: string;
};

export type GateResult = {
  readonly verdict: Verdict;
  readonly policy: { readonly name: string; readonly version: number };
  readonly datasetDigest: string;
  readonly modelDigest: string;
  readonly overall: OverallMeasurement;
  readonly slices: readonly SliceResult[];
  /** Name of the required slice that decided: the one with the least margin among those with the worst verdict. */
  readonly decidedBy: string;
  readonly assumption: string;
};

export type GateInput = {
  readonly policy: GatePolicy;
  readonly predictions: readonly Prediction[];
  /** All labels that the model can give. */
  readonly labels: readonly string[];
  readonly datasetDigest: string;
  readonly modelDigest: string;
};

/**
 * @throws FleetError EVALUATION_DIGEST_MISSING without the digests of dataset and model; EVALUATION_PREDICTIONS_INVALID;
 * EVALUATION_SLICE_UNKNOWN when a slice's label or condition names what no sample can have; EVALUATION_POLICY_INVALID
 */
export function evaluateGate(input: GateInput): GateResult {
  const { policy, predictions, datasetDigest, modelDigest } = input;
  if (!isDigest(datasetDigest) || !isDigest(modelDigest)) {
    throw new FleetError(
      'EVALUATION_DIGEST_MISSING',
      `metrics without the digests of their dataset (${datasetDigest || 'none'}) and model (${modelDigest || 'none'}) say nothing: name both`,
    );
  }
  checkPredictions(predictions, input.labels);
  const conditions = compileSlices(input);
  const slices = policy.slices.map((slice, index) => measureSlice(slice, conditions[index], input));
  const deciding = decidingSlice(slices);
  return {
    verdict: deciding.verdict,
    policy: { name: policy.name, version: policy.version },
    datasetDigest,
    modelDigest,
    overall: measureOverall(predictions),
    slices,
    decidedBy: deciding.name,
    assumption: policy.assumption,
  };
}

/**
 * Compiles each slice's condition against the attributes that these samples have.
 * @throws FleetError EVALUATION_SLICE_UNKNOWN naming the slice; EVALUATION_POLICY_INVALID when a condition does not parse
 */
function compileSlices(input: GateInput): readonly (CompiledExpression | undefined)[] {
  const variables: Record<string, VariableType> = { session: 'string', label: 'string' };
  for (const name of attributeNames(input.predictions)) variables[name] = 'string';
  return input.policy.slices.map((slice) => {
    if (!input.labels.includes(slice.label)) throw unknownSlice(slice, `the labels are ${input.labels.join(', ')}`);
    return slice.where === undefined ? undefined : compileCondition(slice, slice.where, variables);
  });
}

function compileCondition(
  slice: PolicySlice,
  where: string,
  variables: Readonly<Record<string, VariableType>>,
): CompiledExpression {
  try {
    return compileExpression(where, variables, {
      syntax: 'EVALUATION_POLICY_INVALID',
      type: 'EVALUATION_SLICE_UNKNOWN',
    });
  } catch (error) {
    const failure = FleetError.from(error);
    if (failure.code !== 'EVALUATION_SLICE_UNKNOWN') throw failure;
    throw unknownSlice(slice, `samples have ${Object.keys(variables).join(', ')}; ${failure.message}`);
  }
}

function unknownSlice(slice: PolicySlice, why: string): FleetError {
  return new FleetError(
    'EVALUATION_SLICE_UNKNOWN',
    `slice ${slice.name} cannot be produced from these samples: ${why}`,
    {
      details: { slice: slice.name },
    },
  );
}

function measureSlice(slice: PolicySlice, condition: CompiledExpression | undefined, input: GateInput): SliceResult {
  const { bound } = input.policy;
  const base = {
    name: slice.name,
    label: slice.label,
    where: slice.where ?? null,
    anomaly: slice.anomaly ?? null,
    required: slice.required,
    threshold: slice.threshold,
  };
  const nothing = { value: null, lowerBound: null, designEffect: null, count: 0, runs: 0 };
  let runs: readonly RunCount[];
  try {
    runs = countRuns(slice, condition, input.predictions);
  } catch (error) {
    return {
      ...base,
      ...nothing,
      verdict: 'error',
      reason: `the condition fails on a sample: ${FleetError.from(error).message}`,
    };
  }
  const count = runs.reduce((sum, run) => sum + run.windows, 0);
  if (count === 0) return { ...base, ...nothing, verdict: 'failed', reason: 'missing: no sample is in this slice' };
  const quantile = NORMAL_QUANTILES[`${bound.confidence}`];
  const measured = recallBound(runs, { quantile, designEffectMin: bound.designEffectMin });
  const lowerBound = measured.lowerBound ?? null;
  const decision = decideSlice(slice, { ...measured, lowerBound, count, runs: runs.length });
  return {
    ...base,
    ...decision,
    value: measured.value,
    lowerBound,
    designEffect: measured.designEffect,
    count,
    runs: runs.length,
  };
}

function countRuns(
  slice: PolicySlice,
  condition: CompiledExpression | undefined,
  predictions: readonly Prediction[],
): readonly RunCount[] {
  const runs = new Map<string, { windows: number; correct: number }>();
  for (const prediction of predictions) {
    if (prediction.label !== slice.label) continue;
    const { session, label, attributes } = prediction;
    if (condition !== undefined && !condition.evaluate({ ...attributes, session, label })) continue;
    const run = runs.get(session) ?? { windows: 0, correct: 0 };
    run.windows += 1;
    run.correct += isCorrect(prediction) ? 1 : 0;
    runs.set(session, run);
  }
  return [...runs.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, run]) => run);
}

type Measured = {
  readonly value: number;
  readonly lowerBound: number | null;
  readonly count: number;
  readonly runs: number;
};

function decideSlice(slice: PolicySlice, measured: Measured): { readonly verdict: Verdict; readonly reason: string } {
  const { value, lowerBound, count, runs } = measured;
  if (count < slice.windowsMin || runs < slice.runsMin) {
    const reason = `too small: ${count} windows of ${runs} runs, at least ${slice.windowsMin} of ${slice.runsMin} are needed`;
    return { verdict: 'failed', reason };
  }
  const shown = `recall ${value.toFixed(3)} over ${count} windows of ${runs} runs`;
  if (lowerBound === null) return { verdict: 'inconclusive', reason: `${shown}: a single run has no bound` };
  const compared = `${shown}, lower bound ${lowerBound.toFixed(3)}, ${slice.threshold} is asked`;
  return lowerBound >= slice.threshold
    ? { verdict: 'passed', reason: compared }
    : { verdict: 'failed', reason: compared };
}

const SEVERITY: Readonly<Record<Verdict, number>> = { error: 3, failed: 2, inconclusive: 1, passed: 0 };

/** The worst verdict first, then the least margin, then the policy's order. */
function decidingSlice(slices: readonly SliceResult[]): SliceResult {
  const required = slices.filter((slice) => slice.required);
  const margin = (slice: SliceResult): number => (slice.lowerBound ?? 0) - slice.threshold;
  const [first, ...others] = required;
  if (first === undefined) throw new FleetError('EVALUATION_POLICY_INVALID', 'the policy requires no slice');
  return others.reduce((worst, slice) => {
    const step = SEVERITY[slice.verdict] - SEVERITY[worst.verdict];
    return step > 0 || (step === 0 && margin(slice) < margin(worst)) ? slice : worst;
  }, first);
}
