/** Why: what a training touches: frozen datasets, features in batch, the trainer's process, blobs and the ledger. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Digest, type FactBody, FleetError } from '@fleetloop/schemas';
import { assertNoLeakage, type FeatureTable, type TrainingActivities, type TrainingRun } from '@fleetloop/workflows';
import { findDataset } from '../dataset/frozen-datasets.ts';
import { storeEffectivePolicy } from '../evaluation/effective-policy.ts';
import { findRegistered } from '../features/feature-registry.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { digestKey, ledgerKey, recordFacts } from '../workflow/record-facts.ts';
import { featureTableRows, writeFeatureTable } from './feature-table.ts';
import { modelVersionsOf, runOfModel } from './registered.ts';
import { labelsOf, predictOnce, trainOnce, TRAINER_TIMEOUT_MS_DEFAULT } from './run-trainer.ts';
import { TRAINERS_FOLDER } from './trainers.ts';

export type TrainingContext = Pick<ControlPlane, 'config' | 'ledger' | 'projection' | 'blobs' | 'features'>;
export type TrainingOptions = { readonly trainerTimeoutMs?: number };

export function createTrainingActivities(context: TrainingContext, options: TrainingOptions = {}): TrainingActivities {
  const trainer = {
    ...context,
    trainersFolder: context.config.trainersDir ?? TRAINERS_FOLDER,
    timeoutMs: options.trainerTimeoutMs ?? TRAINER_TIMEOUT_MS_DEFAULT,
  };
  return guardActivities<TrainingActivities>({
    async resolveTraining({ training, runId }) {
      const dataset = await findDataset(context.projection, training.dataset);
      assertNoLeakage(dataset.document);
      const featureSet = await findRegistered(context.projection, training.featureSet);
      const { policy } = await storeEffectivePolicy(context, training.policy);
      return {
        runId,
        dataset: dataset.digest,
        datasetName: `${dataset.dataset}/${dataset.version}`,
        featureSet: featureSet.digest,
        featureSetName: training.featureSet,
        policy,
      };
    },
    computeFeatureTable: async (input) => withHeartbeat(async () => featureTableOf(context, input)),
    runTrainer: async ({ basis, training, table }) =>
      withHeartbeat(async (liveness) => {
        const { featureSet } = await findRegistered(context.projection, basis.featureSet);
        return trainOnce(trainer, { training, featureSet, table: table as Digest }, liveness);
      }),
    predictWithModel: async ({ model, trainer: name, featureSet: reference, table }) =>
      withHeartbeat(async (liveness) => {
        const { featureSet } = await findRegistered(context.projection, reference);
        const run = await runOfModel(context.projection, model);
        const labels = await labelsOf(await context.blobs.pathOf(run.featureTable as Digest));
        const predictions = await predictOnce(
          trainer,
          { trainer: name, model: model as Digest, labels, featureSet, table: table as Digest },
          liveness,
        );
        return { predictions };
      }),
    registerModel: async ({ run, mlflowRunId }) => ({ version: await register(context, run, mlflowRunId) }),
  });
}

type TableInput = { readonly dataset: string; readonly featureSet: string; readonly actor: string };

/** Computed once per dataset and feature set: the fact says where it is. */
async function featureTableOf(context: TrainingContext, input: TableInput): Promise<FeatureTable> {
  const known = (await context.projection.facts('feature_table.computed')).find(
    ({ body }) => body.dataset === input.dataset && body.featureSet === input.featureSet,
  );
  if (known !== undefined && (await context.blobs.has(known.body.digest as Digest))) return known.body;
  const { document } = await findDataset(context.projection, input.dataset);
  const { featureSet } = await findRegistered(context.projection, input.featureSet);
  const features = await context.features.computeMany(
    document.recordings.map((entry) => entry.recording as Digest),
    featureSet,
  );
  const table = featureTableRows(document.recordings, features, featureSet);
  if (table.trainRows === 0 || table.testRows === 0) {
    throw new FleetError(
      'DATASET_EMPTY',
      `${document.dataset}/${document.version} gives ${table.trainRows} train and ${table.testRows} test windows for ${featureSet.name}: its recordings are shorter than one window`,
    );
  }
  const digest = await storeTable(context, table);
  const counts = {
    rows: table.rows.length,
    recordings: document.recordings.length,
    trainRows: table.trainRows,
    testRows: table.testRows,
  };
  const body = { digest, dataset: input.dataset, featureSet: input.featureSet, ...counts };
  await recordFacts(context, [
    {
      kind: 'feature_table.computed',
      key: digestKey(digest),
      actor: input.actor,
      evidence: [input.dataset, input.featureSet],
      body,
    },
  ]);
  return { digest, ...counts };
}

async function storeTable(context: TrainingContext, table: ReturnType<typeof featureTableRows>): Promise<Digest> {
  const folder = join(context.config.dataDir, 'work', randomUUID());
  await mkdir(folder, { recursive: true });
  try {
    const path = join(folder, 'features.parquet');
    await writeFeatureTable(table, path);
    return await context.blobs.put(await readFile(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Versions count up per model name; the key of the fact makes two writers of one version collide instead of agree. */
async function register(context: TrainingContext, run: TrainingRun, mlflowRunId: string | null): Promise<number> {
  const { basis, input, table, trained } = run;
  const versions = await modelVersionsOf(context.projection, input.model);
  const known = versions.find((entry) => entry.runId === basis.runId);
  if (known !== undefined) return known.version;
  const version = Math.max(0, ...versions.map((entry) => entry.version)) + 1;
  const finished: FactBody<'run.finished'> = {
    runId: basis.runId,
    mlflowRunId,
    trainer: input.trainer,
    seed: input.seed,
    dataset: basis.dataset,
    featureTable: table.digest,
    featureSet: basis.featureSet,
    model: trained.model,
    artifacts: { ...trained.artifacts },
    parameters: { ...trained.parameters },
    metrics: { ...trained.metrics },
    seconds: trained.seconds,
  };
  const registered: FactBody<'model.registered'> = {
    name: input.model,
    version,
    model: trained.model,
    runId: basis.runId,
    dataset: basis.dataset,
    featureSet: basis.featureSet,
    datasetName: basis.datasetName,
    featureSetName: basis.featureSetName,
  };
  await recordFacts(context, [
    {
      kind: 'run.finished',
      key: basis.runId,
      actor: input.actor,
      evidence: [basis.dataset, table.digest],
      body: finished,
    },
    {
      kind: 'model.registered',
      key: ledgerKey(`${input.model}-${version}`),
      actor: input.actor,
      evidence: [trained.model],
      body: registered,
    },
  ]);
  await mustOwnVersion(context, registered);
  return version;
}

/** Two trainings may have taken one number at once: whoever came second tries again with the next. */
async function mustOwnVersion(context: TrainingContext, mine: FactBody<'model.registered'>): Promise<void> {
  const first = (await context.projection.facts('model.registered', { every: true })).find(
    ({ body }) => body.name === mine.name && body.version === mine.version,
  );
  if (first?.body.runId === mine.runId) return;
  throw new FleetError('LEDGER_CONFLICT', `another run registered ${mine.name}@${mine.version} first`);
}
