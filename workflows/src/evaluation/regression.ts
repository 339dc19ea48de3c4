/** An anomaly becomes slices of the policy that no later version of the policy may drop or weaken. */
import { FleetError } from '@fleetloop/schemas';
import { type GatePolicy, parseGatePolicy, type PolicySlice } from './policy.ts';

export type Regression = {
  readonly anomaly: string;
  /** Prefix of the slices' names, e.g. `revision-b`. */
  readonly name: string;
  /** CEL over sample attributes: the conditions under which the anomaly happened. */
  readonly where: string;
  readonly date: string;
};

/**
 * The next version of a policy: for each required scenario slice one more, with the same label, threshold and sizes, under
 * the anomaly's conditions.
 * @throws FleetError EVALUATION_POLICY_INVALID when the anomaly is in the policy already or the result is not valid
 */
export function addRegression(policy: GatePolicy, regression: Regression): GatePolicy {
  if (policy.slices.some((slice) => slice.anomaly === regression.anomaly)) {
    throw new FleetError(
      'EVALUATION_POLICY_INVALID',
      `anomaly ${regression.anomaly} is in policy ${policy.name} already`,
    );
  }
  const scenarios = policy.slices.filter((slice) => slice.required && slice.anomaly === undefined);
  const added = scenarios.map((slice) => ({
    ...slice,
    name: `${regression.name}/${slice.name}`,
    where: regression.where,
    reason: `anomaly ${regression.anomaly} must not return; as ${slice.name}: ${slice.reason}`.slice(0, 500),
    anomaly: regression.anomaly,
  }));
  const next = { ...policy, version: policy.version + 1, date: regression.date, slices: [...policy.slices, ...added] };
  return parseGatePolicy(next);
}

/** Regression slices of `former` that `next` lacks or asks less of: empty when every past failure stays guarded. */
export function lostRegressions(former: GatePolicy, next: GatePolicy): readonly string[] {
  const kept = new Map(next.slices.map((slice) => [slice.name, slice]));
  return former.slices
    .filter((slice) => slice.anomaly !== undefined && !asksAtLeast(kept.get(slice.name), slice))
    .map((slice) => slice.name);
}

function asksAtLeast(next: PolicySlice | undefined, former: PolicySlice): boolean {
  return (
    next !== undefined &&
    next.anomaly === former.anomaly &&
    next.label === former.label &&
    next.where === former.where &&
    (next.required || !former.required) &&
    next.threshold >= former.threshold &&
    next.windowsMin >= former.windowsMin &&
    next.runsMin >= former.runsMin
  );
}
