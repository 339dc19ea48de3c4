/** Why: what a gate touches: predictions, the feature table, the policy, and the fact that holds its result. */
import type { Digest, FactBody } from '@fleetloop/schemas';
import { evaluateGate, type EvaluationActivities, type GateResult, parseGatePolicy } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { labelsOf } from '../training/run-trainer.ts';
import { guardActivities } from '../workflow/activity-guard.ts';
import { recordFacts } from '../workflow/record-facts.ts';
import { storeEffectivePolicy } from './effective-policy.ts';
import { gatePredictions } from './gate-predictions.ts';

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs'>;

export function createEvaluationActivities(context: Context): EvaluationActivities {
  return guardActivities<EvaluationActivities>({
    async evaluateModelGate({ gateId, model, modelName, modelVersion, dataset, table, policy, predictions, actor }) {
      const known = (await context.projection.facts('gate.evaluated', { key: gateId })).at(0);
      const result = known?.body.result ?? (await evaluate(context, { model, dataset, table, policy, predictions }));
      const body: FactBody<'gate.evaluated'> = {
        gateId,
        model,
        modelName,
        modelVersion,
        dataset,
        policy,
        predictions,
        result,
      };
      await recordFacts(context, [
        { kind: 'gate.evaluated', key: gateId, actor, evidence: [model, dataset, policy, predictions], body },
      ]);
      return { gateId, verdict: result.verdict, decidedBy: result.decidedBy, overall: result.overall, policy };
    },
    effectivePolicy: async ({ policy }) => storeEffectivePolicy(context, policy),
  });
}

type GateInputs = {
  readonly model: string;
  readonly dataset: string;
  readonly table: string;
  readonly policy: string;
  readonly predictions: string;
};

async function evaluate(context: Context, inputs: GateInputs): Promise<FactBody<'gate.evaluated'>['result']> {
  const table = await context.blobs.pathOf(inputs.table as Digest);
  const policy = parseGatePolicy(
    JSON.parse(Buffer.from(await context.blobs.get(inputs.policy as Digest)).toString('utf8')),
  );
  const predictions = await gatePredictions(table, await context.blobs.pathOf(inputs.predictions as Digest));
  const labels = await labelsOf(table);
  return factOf(
    evaluateGate({ policy, predictions, labels, datasetDigest: inputs.dataset, modelDigest: inputs.model }),
  );
}

function factOf(result: GateResult): FactBody<'gate.evaluated'>['result'] {
  return {
    verdict: result.verdict,
    overall: result.overall.accuracy,
    slices: result.slices.map(({ name, value, lowerBound, count, runs, required, threshold, verdict, reason }) => ({
      name,
      value,
      lowerBound,
      count,
      runs,
      required,
      threshold,
      verdict,
      reason,
    })),
    decidedBy: decisionInWords(result),
    assumption: result.assumption,
  };
}

function decisionInWords(result: GateResult): string {
  const slice = result.slices.find((entry) => entry.name === result.decidedBy);
  return slice === undefined ? result.decidedBy : `${slice.name}: ${slice.reason}`;
}
