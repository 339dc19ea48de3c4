/** Why: one training: lay out the folder that the contract names, run the guest, check what it left, keep it as blobs. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest, FeatureSet } from '@fleetloop/schemas';
import type { TrainedModel, TrainModelInput } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import type { Liveness } from '../workflow/activity-guard.ts';
import { writeSplit } from './feature-table.ts';
import { readParquet } from './parquet.ts';
import { checkPredictionsFile, checkTrainerOutput, TRAINER_FILES, type TrainerMetrics } from './trainer-output.ts';
import { runTrainerProcess } from './trainer-process.ts';
import { SEARCH_DEFAULT, trainerScript } from './trainers.ts';

export const TRAINER_TIMEOUT_MS_DEFAULT = 20 * 60_000;

export type TrainerContext = Pick<ControlPlane, 'config' | 'blobs'> & {
  readonly trainersFolder: string;
  readonly timeoutMs: number;
};
export type TrainerOrder = {
  readonly training: TrainModelInput;
  readonly featureSet: FeatureSet;
  readonly table: Digest;
};

/**
 * Trains one model.
 * @throws FleetError TRAINING_TRAINER_FAILED, TRAINING_TIMEOUT, TRAINING_OUTPUT_INVALID, REQUEST_INVALID
 */
export async function trainOnce(
  context: TrainerContext,
  order: TrainerOrder,
  liveness: Liveness,
): Promise<TrainedModel> {
  const script = await trainerScript(context.trainersFolder, order.training.trainer, 'train.py');
  return inWorkFolder(context, async (folder) => {
    const table = await context.blobs.pathOf(order.table);
    const [input, output] = [join(folder, 'in'), join(folder, 'out')];
    await mkdir(input);
    await mkdir(output);
    const labels = await labelsOf(table);
    const features = order.featureSet.features.map((feature) => feature.name);
    const request = {
      contract: 1,
      featureSet: order.featureSet,
      labels,
      seed: order.training.seed,
      search: order.training.parameters ?? SEARCH_DEFAULT,
    };
    await writeFile(join(input, 'request.json'), JSON.stringify(request));
    for (const split of ['train', 'test'] as const) await writeSplit(table, split, join(input, `${split}.parquet`));
    const startedMs = Date.now();
    await runTrainerProcess({
      python: context.config.python,
      script,
      arguments: ['--in', input, '--out', output],
      folder,
      timeoutMs: context.timeoutMs,
      signal: liveness.signal,
      onLine: liveness.say,
    });
    const seconds = (Date.now() - startedMs) / 1_000;
    const metrics = await checkTrainerOutput(output, { labels, features, testTable: join(input, 'test.parquet') });
    const artifacts = await storeFiles(context, output, TRAINER_FILES);
    const [model, predictions] = [artifacts['model.onnx'] ?? '', artifacts['predictions.parquet'] ?? ''];
    return {
      model,
      predictions,
      artifacts,
      parameters: parametersOf(order, metrics),
      metrics: figuresOf(metrics),
      seconds,
    };
  });
}

/**
 * Runs a model of before over the test split of a table and keeps the predictions.
 * @throws FleetError as {@link trainOnce}
 */
export async function predictOnce(
  context: TrainerContext,
  order: {
    readonly trainer: string;
    readonly model: Digest;
    readonly labels: readonly string[];
    readonly featureSet: FeatureSet;
    readonly table: Digest;
  },
  liveness: Liveness,
): Promise<Digest> {
  const script = await trainerScript(context.trainersFolder, order.trainer, 'predict.py');
  return inWorkFolder(context, async (folder) => {
    const [input, output] = [join(folder, 'in'), join(folder, 'out')];
    await mkdir(input);
    await mkdir(output);
    const request = {
      contract: 1,
      featureSet: order.featureSet,
      labels: order.labels,
      seed: 0,
      search: SEARCH_DEFAULT,
    };
    await writeFile(join(input, 'request.json'), JSON.stringify(request));
    await writeFile(join(input, 'model.onnx'), await context.blobs.get(order.model));
    await writeSplit(await context.blobs.pathOf(order.table), 'test', join(input, 'test.parquet'));
    await runTrainerProcess({
      python: context.config.python,
      script,
      arguments: ['--in', input, '--out', output],
      folder,
      timeoutMs: context.timeoutMs,
      signal: liveness.signal,
      onLine: liveness.say,
    });
    const path = join(output, 'predictions.parquet');
    const features = order.featureSet.features.map((feature) => feature.name);
    await checkPredictionsFile(path, 'predictions.parquet', {
      labels: order.labels,
      features,
      testTable: join(input, 'test.parquet'),
    });
    return context.blobs.put(await readFile(path));
  });
}

/** All labels of a feature table, sorted: the order of the model's outputs. */
export async function labelsOf(table: string): Promise<readonly string[]> {
  const rows = await readParquet(table, ['label']);
  return [...new Set(rows.map((row) => String(row['label'])))].sort();
}

async function inWorkFolder<Result>(
  context: TrainerContext,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(context.config.dataDir, 'work', randomUUID());
  await mkdir(folder, { recursive: true });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function storeFiles(
  context: TrainerContext,
  folder: string,
  files: readonly string[],
): Promise<Record<string, string>> {
  const stored: Record<string, string> = {};
  for (const file of files) stored[file] = await context.blobs.put(await readFile(join(folder, file)));
  return stored;
}

function parametersOf(order: TrainerOrder, metrics: TrainerMetrics): Record<string, string | number> {
  const { trainer, seed } = order.training;
  return {
    trainer,
    seed,
    selected: metrics.selected.name,
    search: JSON.stringify(order.training.parameters ?? SEARCH_DEFAULT),
  };
}

function figuresOf(metrics: TrainerMetrics): Record<string, number> {
  const recalls = Object.entries(metrics.recall).map(([label, recall]) => [`recall_${label}`, recall] as const);
  return { accuracy: metrics.accuracy, ...Object.fromEntries(recalls) };
}
