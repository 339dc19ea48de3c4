/** Why: the activities of long work on features as a worker runs them: alive while they compute, stopped when they are told. */
import type { FeatureActivities, ValidationActivities } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { computeFeaturesPart, joinFeatures, type Live, planFeatures } from './computation-activities.ts';
import { judgeSkew, planSkew, tallySkew } from './skew-activities.ts';
import { compareEnginesPart, judgeValidation, planValidation } from './validation-activities.ts';

type Context = Pick<
  ControlPlane,
  'ledger' | 'projection' | 'blobs' | 'features' | 'telemetry' | 'sampledVectors' | 'config'
>;

export function createFeatureActivities(context: Context): FeatureActivities & ValidationActivities {
  return guardActivities<FeatureActivities & ValidationActivities>({
    planFeatures: living(context, planFeatures(context)),
    computeFeaturesPart: living(context, computeFeaturesPart(context)),
    joinFeatures: living(context, joinFeatures(context)),
    planValidation: living(context, planValidation(context)),
    compareEngines: living(context, compareEnginesPart(context)),
    judgeValidation: living(context, judgeValidation(context)),
    planSkew: living(context, planSkew(context)),
    tallySkew: living(context, tallySkew(context)),
    judgeSkew: living(context, judgeSkew(context)),
  });
}

/** A worker may have a projection of its own: it first knows all that whoever asked knew. */
function living<Input, Output>(
  { ledger, projection }: Context,
  activity: Live<(input: Input) => Promise<Output>>,
): (input: Input) => Promise<Output> {
  return async (input) =>
    withHeartbeat(async ({ signal }) => {
      await projection.waitFor(await ledger.size(), signal);
      return activity(input, signal);
    });
}
