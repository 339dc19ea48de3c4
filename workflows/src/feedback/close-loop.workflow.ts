/**
 * Why: an anomaly must become targeted recordings, a dataset, a model that is held to it for ever, and a controlled
 * rollout, as one workflow that anybody can look at, and not as a to-do list.
 */
import type { DatasetSpecification } from '@fleetloop/schemas';
import { ApplicationFailure, executeChild, proxyActivities, uuid4 } from '@temporalio/workflow';
import { promoteModel, type PromotionOutcome } from '../approval/promote-model.workflow.ts';
import { freezeDataset } from '../dataset/freeze-dataset.workflow.ts';
import { LONG_STEP, SHORT_STEP, WAITING_STEP } from '../flow/activity-options.ts';
import { flowFailure, reasonOf } from '../flow/failure.ts';
import { type ReportStep, trackProgress } from '../flow/progress.ts';
import type {
  BriefCampaign,
  EvaluationActivities,
  FeedbackActivities,
  FrozenDataset,
  GateOutcome,
  LedgerActivities,
  OpenAnomaly,
  TrainingActivities,
  TrainModelInput,
} from '../ports.ts';
import { briefFact, closedFact, describeOutcome, regressionFact, type Released } from './loop-facts.ts';
import type { HealthRules } from '../rollout/health-rules.ts';
import { rollOut, type RolloutResult } from '../rollout/rollout.workflow.ts';
import { trainModel, type TrainModelResult } from '../training/train-model.workflow.ts';

/** A slice that the policy holds from now on; sizes and bound are the most that are asked, the policy may ask less. */
export type RegressionSlice = {
  readonly name: string;
  readonly where: string;
  readonly countMin: number;
  readonly runsMin: number;
  readonly lowerBoundMin: number;
};

export type CloseLoopInput = {
  readonly briefId: string;
  readonly rolloutId: string;
  readonly owner: string;
  readonly recordingsWanted: number;
  readonly campaign: BriefCampaign;
  readonly specification: DatasetSpecification;
  /** Tried in this order; the first that passes the gate is proposed. `dataset` is the one of `specification`. */
  readonly trainings: readonly Omit<TrainModelInput, 'dataset' | 'actor'>[];
  readonly regression: RegressionSlice;
  readonly rollout: {
    readonly rolloutId: string;
    readonly waves: readonly (readonly string[])[];
    readonly health: HealthRules;
  };
  readonly promotionId: string;
  readonly promotionExpiresInMs: number;
  readonly recordingsTimeoutMs: number;
  readonly labelsTimeoutMs: number;
};

export type CloseLoopResult = {
  readonly anomalyId: string;
  readonly briefId: string;
  readonly campaignId: string;
  readonly recordings: readonly string[];
  readonly dataset: string;
  readonly datasetDigest: string;
  /** Gates of the new models in the order in which they were trained. */
  readonly trained: readonly TrainModelResult[];
  readonly formerGate: GateOutcome;
  /** Whether the gate with the regression slice refuses the model that caused the anomaly. */
  readonly refusesFormerModel: boolean;
  readonly promotion: PromotionOutcome | null;
  readonly rollout: RolloutResult | null;
  readonly outcome: string;
};

const short = proxyActivities<FeedbackActivities & LedgerActivities & EvaluationActivities & TrainingActivities>(
  SHORT_STEP,
);
const long = proxyActivities<TrainingActivities>(LONG_STEP);
const waiting = proxyActivities<FeedbackActivities>(WAITING_STEP);

/** From the anomaly of an aborted rollout to its fix, or to a refusal with numbers. */
export async function closeLoop(input: CloseLoopInput): Promise<CloseLoopResult> {
  const report = trackProgress();
  report('anomaly', 'running');
  const anomaly = await short.findAnomaly({ rolloutId: input.rolloutId });
  report(
    'anomaly',
    'done',
    `${anomaly.anomalyId}: ${anomaly.feature} on revision ${anomaly.hardwareRevision}, ${anomaly.vehicles.join(', ')}`,
  );
  await short.recordFacts([briefFact(input, anomaly)]);
  report('brief', 'done', `${input.briefId}, owner ${input.owner}, ${input.recordingsWanted} recordings wanted`);
  try {
    const collected = await collect(input, anomaly, report);
    return await improve({ input, anomaly, report }, collected);
  } catch (error) {
    const { code, message } = reasonOf(error);
    report('brief closed', 'failed', `${code}: ${message}`);
    // The vehicles must not go on keeping what nobody waits for.
    await stopCollecting(input, anomaly, `brief ${input.briefId} ended: ${code}`);
    await short.recordFacts([
      closedFact(input, { recordings: [], dataset: null, outcome: `failed: ${code}: ${message}`.slice(0, 4_000) }),
    ]);
    throw error;
  }
}

type Loop = { readonly input: CloseLoopInput; readonly anomaly: OpenAnomaly; readonly report: ReportStep };
type Collected = { readonly campaignId: string; readonly recordings: readonly string[] };

/** The aborted candidate watches silently on the affected vehicles; what it is lost in is kept and uploaded. */
async function collect(input: CloseLoopInput, anomaly: OpenAnomaly, report: ReportStep): Promise<Collected> {
  report('campaign', 'running', `shadow and campaign to ${anomaly.vehicles.join(', ')}`);
  const reason = `brief ${input.briefId}: the candidate runs as shadow`;
  await short.assignShadow({ vehicles: anomaly.vehicles, shadow: anomaly.bundle, reason });
  const { campaignId } = await short.publishBriefCampaign({
    briefId: input.briefId,
    anomaly,
    owner: input.owner,
    campaign: input.campaign,
  });
  report('campaign', 'done', campaignId);
  const wanted = { briefId: input.briefId, recordingsWanted: input.recordingsWanted };
  report('recordings', 'waiting', `${input.recordingsWanted} recordings with brief ${input.briefId}`);
  const arrived = await waiting.awaitBriefRecordings({
    ...wanted,
    labelled: false,
    untilMs: Date.now() + input.recordingsTimeoutMs,
  });
  mustHold(
    arrived.recordings.length >= input.recordingsWanted,
    `${arrived.recordings.length} of ${input.recordingsWanted} recordings arrived for brief ${input.briefId}`,
  );
  report('recordings', 'done', `${arrived.recordings.length} arrived`);
  // No new triggers from here on: whatever arrives later would still need a label.
  await stopCollecting(input, anomaly, `brief ${input.briefId}: the recordings are here`);
  report('labels', 'waiting', `${arrived.unlabelled} recordings wait for an annotator`);
  const untilMs = Date.now() + input.labelsTimeoutMs;
  const labelled = await waiting.awaitBriefRecordings({ ...wanted, labelled: true, untilMs });
  mustHold(labelled.unlabelled === 0, `${labelled.unlabelled} recordings of brief ${input.briefId} have no label`);
  report('labels', 'done', `${labelled.recordings.length} labelled`);
  return { campaignId, recordings: labelled.recordings };
}

/** Campaign and shadow leave the vehicles together. */
async function stopCollecting(input: CloseLoopInput, anomaly: OpenAnomaly, reason: string): Promise<void> {
  await short.endBriefCampaign({ briefId: input.briefId, owner: input.owner, reason });
  await short.assignShadow({ vehicles: anomaly.vehicles, shadow: null, reason });
}

function mustHold(holds: boolean, message: string): void {
  if (!holds) throw flowFailure('FEEDBACK_TIMEOUT', `${message} until the deadline`);
}

async function improve(loop: Loop, collected: Collected): Promise<CloseLoopResult> {
  const { input, anomaly, report } = loop;
  const dataset = await buildDataset(loop);
  await short.recordFacts([regressionFact(input, anomaly)]);
  report('regression', 'done', `${input.regression.name}: ${input.regression.where}`);
  const formerGate = await gateFormerModel(loop, dataset);
  const trained = await trainCandidates(loop, dataset);
  const winner = trained.find((candidate) => candidate.gate.verdict === 'passed');
  const released = winner === undefined ? undefined : await release(loop, winner);
  const outcome = describeOutcome(trained, released);
  const body = { recordings: [...collected.recordings], dataset: dataset.digest, outcome };
  await short.recordFacts([closedFact(input, body)]);
  report('brief closed', 'done', outcome);
  return {
    anomalyId: anomaly.anomalyId,
    briefId: input.briefId,
    ...collected,
    dataset: `${dataset.dataset}/${dataset.version}`,
    datasetDigest: dataset.digest,
    trained,
    formerGate,
    refusesFormerModel: formerGate.verdict !== 'passed',
    promotion: released?.promotion ?? null,
    rollout: released?.rollout ?? null,
    outcome,
  };
}

async function buildDataset({ input, report }: Loop): Promise<FrozenDataset> {
  const name = `${input.specification.dataset}/${input.specification.version}`;
  report('dataset', 'running', name);
  const dataset = await executeChild(freezeDataset, {
    workflowId: `dataset-${input.briefId}`,
    args: [{ specification: input.specification, actor: input.owner }],
  });
  report('dataset', 'done', `${name}: ${dataset.train} train, ${dataset.test} test recordings`);
  return dataset;
}

/** The model that caused the anomaly, judged on the new test split with the regression slice in the policy. */
async function gateFormerModel({ input, anomaly, report }: Loop, dataset: FrozenDataset): Promise<GateOutcome> {
  report('former model', 'running', `${anomaly.modelName}@${anomaly.modelVersion} on the new test split`);
  const { featureSet, trainer } = await short.describeModel({ model: anomaly.model });
  const table = await long.computeFeatureTable({ dataset: dataset.digest, featureSet, actor: input.owner });
  const { predictions } = await long.predictWithModel({
    model: anomaly.model,
    trainer,
    featureSet,
    table: table.digest,
  });
  const policy = await short.effectivePolicy({ policy: firstTraining(input).policy });
  const gate = await short.evaluateModelGate({
    gateId: `ga-${uuid4().replaceAll('-', '').slice(0, 16)}`,
    model: anomaly.model,
    modelName: anomaly.modelName,
    modelVersion: anomaly.modelVersion,
    dataset: dataset.digest,
    table: table.digest,
    policy: policy.policy,
    predictions,
    actor: input.owner,
  });
  report('former model', 'done', `${gate.verdict}: ${gate.decidedBy}`);
  return gate;
}

function firstTraining(input: CloseLoopInput): CloseLoopInput['trainings'][number] {
  const [first] = input.trainings;
  if (first === undefined)
    throw ApplicationFailure.nonRetryable('a loop needs at least one training', 'REQUEST_INVALID');
  return first;
}

/** Trains in order and stops at the first that passes. */
async function trainCandidates({ input, report }: Loop, dataset: FrozenDataset): Promise<readonly TrainModelResult[]> {
  const trained: TrainModelResult[] = [];
  for (const [index, training] of input.trainings.entries()) {
    const step = `training ${training.featureSet}`;
    report(step, 'running');
    const args: [TrainModelInput] = [
      { ...training, dataset: `${dataset.dataset}/${dataset.version}`, actor: input.owner },
    ];
    const result = await executeChild(trainModel, { workflowId: `train-${input.briefId}-${index}`, args });
    trained.push(result);
    report(step, 'done', `${result.modelName}@${result.modelVersion} ${result.gate.verdict}: ${result.gate.decidedBy}`);
    if (result.gate.verdict === 'passed') break;
  }
  return trained;
}

async function release({ input, report }: Loop, model: TrainModelResult): Promise<Released> {
  const { promotionId } = input;
  report('approval', 'waiting', promotionId);
  const proposal = {
    promotionId,
    model: model.modelName,
    version: model.modelVersion,
    proposer: input.owner,
    expiresInMs: input.promotionExpiresInMs,
  };
  const promotion = await executeChild(promoteModel, { workflowId: `promote-${promotionId}`, args: [proposal] });
  report('approval', promotion.state === 'approved' ? 'done' : 'failed', promotion.state);
  if (promotion.state !== 'approved') return { promotion, rollout: null };
  const { rolloutId } = input.rollout;
  report('rollout', 'running', rolloutId);
  const order = { ...input.rollout, model: model.modelName, version: model.modelVersion, actor: input.owner };
  const rollout = await executeChild(rollOut, { workflowId: `rollout-${rolloutId}`, args: [order] });
  report('rollout', rollout.phase === 'healthy' ? 'done' : 'failed', `${rollout.phase}: ${rollout.reason}`);
  return { promotion, rollout };
}
