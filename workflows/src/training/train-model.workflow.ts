/** Why: from a frozen dataset to a registered model with a verdict; the order of steps and what happens when one fails. */
import { proxyActivities, uuid4 } from '@temporalio/workflow';
import { LONG_STEP, MIRROR_STEP, SHORT_STEP } from '../flow/activity-options.ts';
import { reasonOf } from '../flow/failure.ts';
import { type ReportStep, trackProgress } from '../flow/progress.ts';
import type {
  EvaluationActivities,
  FeatureTable,
  GateOutcome,
  LedgerActivities,
  MlflowActivities,
  TrainedModel,
  TrainingActivities,
  TrainingBasis,
  TrainingRun,
  TrainModelInput,
} from '../ports.ts';

export type TrainModelResult = {
  readonly runId: string;
  readonly model: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly dataset: string;
  readonly featureSet: string;
  readonly featureTable: string;
  readonly predictions: string;
  readonly mlflowRunId: string | null;
  readonly gate: GateOutcome;
  readonly seconds: number;
};

const short = proxyActivities<TrainingActivities & EvaluationActivities & LedgerActivities>(SHORT_STEP);
const long = proxyActivities<TrainingActivities>(LONG_STEP);
const mirror = proxyActivities<MlflowActivities>(MIRROR_STEP);

/**
 * Trains, registers and gates one model version. A refused gate is a result, not a failure.
 * Fails with TRAINING_TRAINER_FAILED, TRAINING_OUTPUT_INVALID, TRAINING_TIMEOUT, DATASET_LEAKAGE or EVALUATION_*.
 */
export async function trainModel(input: TrainModelInput): Promise<TrainModelResult> {
  const report = trackProgress();
  const runId = `run-${uuid4().replaceAll('-', '').slice(0, 16)}`;
  report('resolve', 'running');
  const basis = await short.resolveTraining({ training: input, runId });
  report('resolve', 'done', `${basis.datasetName} with ${basis.featureSetName}`);
  report('features', 'running');
  const table = await long.computeFeatureTable({
    dataset: basis.dataset,
    featureSet: basis.featureSet,
    actor: input.actor,
  });
  report(
    'features',
    'done',
    `${table.trainRows} train and ${table.testRows} test rows of ${table.recordings} recordings`,
  );
  const trained = await runTrainer({ input, basis, table, report });
  const run: TrainingRun = { basis, input, table, trained };
  const registered = await register(run, report);
  const gate = await evaluate(run, registered.version, report);
  await mirrored('gate in MLflow', report, async () =>
    mirror.tagGateInMlflow({ model: input.model, version: registered.version, gate }),
  );
  return {
    runId,
    model: trained.model,
    modelName: input.model,
    modelVersion: registered.version,
    dataset: basis.dataset,
    featureSet: basis.featureSet,
    featureTable: table.digest,
    predictions: trained.predictions,
    mlflowRunId: registered.mlflowRunId,
    gate,
    seconds: trained.seconds,
  };
}

type TrainerStep = {
  readonly input: TrainModelInput;
  readonly basis: TrainingBasis;
  readonly table: FeatureTable;
  readonly report: ReportStep;
};

async function runTrainer({ input, basis, table, report }: TrainerStep): Promise<TrainedModel> {
  report('train', 'running', `trainer ${input.trainer}, seed ${input.seed}`);
  try {
    const trained = await long.runTrainer({ basis, training: input, table: table.digest });
    report('train', 'done', `${trained.model} in ${trained.seconds.toFixed(1)} s`);
    return trained;
  } catch (error) {
    const { code, message } = reasonOf(error);
    report('train', 'failed', `${code}: ${message}`);
    const body = { runId: basis.runId, dataset: basis.dataset, code, message: message.slice(0, 4_000) };
    await short.recordFacts([
      { kind: 'run.failed', key: basis.runId, actor: input.actor, evidence: [basis.dataset], body },
    ]);
    throw error;
  }
}

async function register(
  run: TrainingRun,
  report: ReportStep,
): Promise<{ readonly version: number; readonly mlflowRunId: string | null }> {
  const mlflowRunId = (await mirrored('run in MLflow', report, async () => mirror.logRunToMlflow(run))) ?? null;
  report('register', 'running');
  const { version } = await short.registerModel({ run, mlflowRunId });
  report('register', 'done', `${run.input.model}@${version}`);
  if (mlflowRunId !== null) {
    await mirrored('model in MLflow', report, async () => mirror.registerInMlflow({ run, mlflowRunId, version }));
  }
  return { version, mlflowRunId };
}

async function evaluate(run: TrainingRun, version: number, report: ReportStep): Promise<GateOutcome> {
  report('gate', 'running');
  const gate = await short.evaluateModelGate({
    gateId: `ga-${uuid4().replaceAll('-', '').slice(0, 16)}`,
    model: run.trained.model,
    modelName: run.input.model,
    modelVersion: version,
    dataset: run.basis.dataset,
    table: run.table.digest,
    policy: run.basis.policy,
    predictions: run.trained.predictions,
    actor: run.input.actor,
  });
  report('gate', 'done', `${gate.verdict}: ${gate.decidedBy}`);
  return gate;
}

/** Tells MLflow. MLflow is a mirror: when it does not answer after some tries, the step says so and the work goes on. */
async function mirrored<Result>(
  step: string,
  report: ReportStep,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    const result = await work();
    report(step, 'done');
    return result;
  } catch (error) {
    const { code, message } = reasonOf(error);
    report(step, 'failed', `${code}: ${message}`);
    return undefined;
  }
}
