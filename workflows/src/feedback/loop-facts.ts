/** Why: what the loop writes into the ledger and says in the end, apart from the order of its steps. */
import type { NewFact } from '@fleetloop/schemas';
import type { PromotionOutcome } from '../approval/promote-model.workflow.ts';
import { flowFailure } from '../flow/failure.ts';
import type { OpenAnomaly } from '../ports.ts';
import type { RolloutResult } from '../rollout/rollout.workflow.ts';
import type { TrainModelResult } from '../training/train-model.workflow.ts';
import type { CloseLoopInput } from './close-loop.workflow.ts';

export type Released = { readonly promotion: PromotionOutcome; readonly rollout: RolloutResult | null };

/** How a brief ended, in one line. */
export function describeOutcome(trained: readonly TrainModelResult[], released: Released | undefined): string {
  if (released === undefined) return `refused: ${trained.map(gateInWords).join('; ')}`.slice(0, 4_000);
  if (released.rollout === null) return `passed the gate, promotion ${released.promotion.state}`;
  return `passed the gate, rollout ${released.rollout.phase}`;
}

const gateInWords = ({ modelName, modelVersion, gate }: TrainModelResult): string =>
  `${modelName}@${modelVersion} ${gate.verdict} by ${gate.decidedBy}`;

export function briefFact(input: CloseLoopInput, anomaly: OpenAnomaly): NewFact {
  const { briefId, owner, recordingsWanted } = input;
  const text = `${recordingsWanted} recordings of the moments in which ${anomaly.modelName}@${anomaly.modelVersion} is far from its training (${anomaly.feature}, revision ${anomaly.hardwareRevision}) on ${anomaly.vehicles.join(', ')}`;
  const body = {
    briefId,
    anomalyId: anomaly.anomalyId,
    owner,
    vehicles: [...anomaly.vehicles],
    recordingsWanted,
    text,
  };
  return { kind: 'brief.opened', key: briefId, actor: owner, body };
}

export function closedFact(
  input: CloseLoopInput,
  end: { readonly recordings: string[]; readonly dataset: string | null; readonly outcome: string },
): NewFact {
  return { kind: 'brief.closed', key: input.briefId, actor: input.owner, body: { briefId: input.briefId, ...end } };
}

export function regressionFact(input: CloseLoopInput, anomaly: OpenAnomaly): NewFact {
  const regressionId = `re-${anomaly.anomalyId}`;
  const policyName = policyNameOf(input.trainings[0]?.policy);
  const body = {
    regressionId,
    anomalyId: anomaly.anomalyId,
    policyName,
    slice: { ...input.regression },
    formerModel: anomaly.model,
  };
  return { kind: 'regression.added', key: regressionId, actor: input.owner, evidence: [anomaly.model], body };
}

function policyNameOf(policy: unknown): string {
  const name = typeof policy === 'object' && policy !== null && 'name' in policy ? policy.name : undefined;
  if (typeof name === 'string') return name;
  throw flowFailure('EVALUATION_POLICY_INVALID', 'the gate policy has no name');
}
