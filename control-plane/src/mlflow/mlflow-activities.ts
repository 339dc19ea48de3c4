/** Why: MLflow shows what happened to people who live there. Our ledger stays the truth; every call may be repeated. */
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { MlflowActivities, TrainingRun } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { BundleManifests } from '../package/bundle-manifests.ts';
import { guardActivities } from '../workflow/activity-guard.ts';
import { MLFLOW_DIGEST_LENGTH_MAX, MlflowClient, type MlflowMetric } from './mlflow-client.ts';

/** Artifacts that are uploaded; predictions and models stay findable by their digests. */
const UPLOADED = [
  'model.onnx',
  'model.int8.onnx',
  'metrics.json',
  'training-stats.json',
  'environment.json',
  'predictions.parquet',
] as const;
const RUN_TAG = 'fleetloop.run';
const VERSION_TAG = 'fleetloop.version';
const CHAMPION = 'champion';

type Context = Pick<ControlPlane, 'config' | 'blobs'>;

export function createMlflowActivities(context: Context): MlflowActivities {
  const { url } = context.config.mlflow;
  const manifests = new BundleManifests(context.blobs);
  const client = url === null ? undefined : new MlflowClient(url);
  return guardActivities<MlflowActivities>({
    logRunToMlflow: async (run) => (client === undefined ? null : logRun(client, context, run)),
    async registerInMlflow({ run, mlflowRunId, version }) {
      if (client === undefined) return;
      const name = run.input.model;
      await client.ensureRegisteredModel(name);
      if ((await findVersion(client, name, version)) !== undefined) return;
      const source = `${await client.artifactUri(mlflowRunId)}/model.onnx`;
      const tags = Object.entries({ ...digestTags(run), [VERSION_TAG]: String(version) }).map(([key, value]) => ({
        key,
        value,
      }));
      await client.createModelVersion({ name, source, runId: mlflowRunId, tags });
    },
    async tagGateInMlflow({ model, version, gate }) {
      const found = client === undefined ? undefined : await findVersion(client, model, version);
      if (client === undefined || found === undefined) return;
      await client.tagModelVersion(model, found, { key: 'fleetloop.gate', value: gate.verdict });
      await client.tagModelVersion(model, found, {
        key: 'fleetloop.gate.decided_by',
        value: gate.decidedBy.slice(0, 1_000),
      });
    },
    async moveChampion({ model, version }) {
      if (client !== undefined) await moveChampion(client, model, version);
    },
    async moveChampionToBundle({ bundle }) {
      if (client === undefined) return;
      const { model } = await manifests.get(bundle);
      await moveChampion(client, model.name, model.version);
    },
  });
}

async function moveChampion(client: MlflowClient, model: string, version: number): Promise<void> {
  const found = await findVersion(client, model, version);
  if (found === undefined) {
    const what = `MLflow has no version of ${model} that stands for ${model}@${version}: register it there again`;
    throw new FleetError('TRAINING_MLFLOW', what);
  }
  await client.setAlias(model, CHAMPION, found);
}

/** MLflow counts versions by itself; the tag says which of ours one stands for. */
async function findVersion(client: MlflowClient, name: string, version: number): Promise<string | undefined> {
  const versions = await client.modelVersions(name);
  return versions.find((entry) => entry.tags?.some((tag) => tag.key === VERSION_TAG && tag.value === String(version)))
    ?.version;
}

async function logRun(client: MlflowClient, context: Context, run: TrainingRun): Promise<string> {
  const experiment = await client.experiment(run.input.model);
  const marker = { key: RUN_TAG, value: run.basis.runId };
  const tags = [marker, ...Object.entries(digestTags(run)).map(([key, value]) => ({ key, value }))];
  const known = await client.findRun(experiment, marker);
  const runId = known ?? (await client.createRun(experiment, run.basis.runId, tags));
  const digest = run.basis.dataset.slice('sha256:'.length).slice(0, MLFLOW_DIGEST_LENGTH_MAX);
  const dataset = { dataset_name: run.basis.datasetName, dataset_digest: digest };
  const metrics: MlflowMetric[] = Object.entries(run.trained.metrics).map(([key, value]) => ({
    key,
    value,
    timestamp: Date.now(),
    step: 0,
    ...dataset,
  }));
  const params = Object.fromEntries(Object.entries(run.trained.parameters).map(([key, value]) => [key, String(value)]));
  await client.logBatch(runId, params, metrics);
  await client.logDataset(runId, {
    name: run.basis.datasetName,
    digest,
    source: JSON.stringify({ digest: run.basis.dataset }),
  });
  const root = await client.artifactUri(runId);
  for (const file of UPLOADED) {
    const artifact = run.trained.artifacts[file];
    if (artifact !== undefined) await client.putArtifact(root, file, await context.blobs.get(artifact as Digest));
  }
  await client.finishRun(runId);
  return runId;
}

function digestTags({ basis, table, trained }: TrainingRun): Record<string, string> {
  return {
    'fleetloop.dataset': basis.dataset,
    'fleetloop.feature_set': basis.featureSet,
    'fleetloop.feature_table': table.digest,
    'fleetloop.policy': basis.policy,
    'fleetloop.model': trained.model,
  };
}
