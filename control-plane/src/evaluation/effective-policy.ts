/** Why: every confirmed failure is a permanent regression case; a policy is never applied without the slices that the ledger holds for its name. */
import { canonicalJson, FleetError, type JsonValue } from '@fleetloop/schemas';
import { addRegression, type GatePolicy, parseGatePolicy } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';

type Context = Pick<ControlPlane, 'projection' | 'blobs'>;

/**
 * Stores the policy that a gate applies now: the document plus every regression of its name, oldest first.
 * @throws FleetError EVALUATION_POLICY_INVALID
 */
export async function storeEffectivePolicy(
  context: Context,
  document: unknown,
): Promise<{ readonly policy: string; readonly name: string }> {
  const policy = await withRegressions(context, parseGatePolicy(document));
  const digest = await context.blobs.put(Buffer.from(canonicalJson(policy as unknown as JsonValue), 'utf8'));
  return { policy: digest, name: policy.name };
}

async function withRegressions(context: Context, policy: GatePolicy): Promise<GatePolicy> {
  let effective = policy;
  for (const { body, at } of await context.projection.facts('regression.added')) {
    if (body.policyName !== policy.name || effective.slices.some((slice) => slice.anomaly === body.anomalyId)) continue;
    const { name, where, countMin, runsMin, lowerBoundMin } = body.slice;
    const added = addRegression(effective, {
      anomaly: body.anomalyId,
      name: sliceName(name),
      where,
      date: at.slice(0, 10),
    });
    // The fact states the most that its slices ask: a scenario under the anomaly's conditions has fewer runs than the whole test split.
    const slices = added.slices.map((slice) =>
      slice.anomaly === body.anomalyId
        ? {
            ...slice,
            windowsMin: Math.min(slice.windowsMin, countMin),
            runsMin: Math.min(slice.runsMin, runsMin),
            threshold: Math.min(slice.threshold, lowerBoundMin),
          }
        : slice,
    );
    effective = parseGatePolicy({ ...added, slices });
  }
  return effective;
}

function sliceName(name: string): string {
  const cleaned = name.replaceAll(/[^A-Za-z0-9 ._/-]/g, '-').slice(0, 60);
  if (cleaned === '') throw new FleetError('EVALUATION_POLICY_INVALID', 'a regression slice has no name');
  return cleaned;
}
