/** Why: what a trainer leaves is believed only after it was checked: every file of the contract, and a prediction for exactly each test sample. */
import { stat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError, GoldenVectors } from '@fleetloop/schemas';
import { z } from 'zod';
import { readParquet, type ParquetRow } from './parquet.ts';

export const TRAINER_FILES = [
  'model.onnx',
  'model.int8.onnx',
  'predictions.parquet',
  'predictions.int8.parquet',
  'training-stats.json',
  'golden.json',
  'metrics.json',
  'environment.json',
] as const;
export type TrainerFile = (typeof TRAINER_FILES)[number];
const FILE_BYTES_MAX = 512 * 1024 * 1024;
const PROBABILITY_SLACK = 1e-6;

const Metrics = z.looseObject({
  contract: z.literal(1),
  accuracy: z.number(),
  recall: z.record(z.string(), z.number()),
  selected: z.looseObject({ name: z.string() }),
  seconds: z.number(),
});
const Statistics = z.looseObject({
  features: z.array(z.looseObject({ name: z.string(), mean: z.number(), std: z.number().positive() })),
  distance: z.looseObject({ heldOutSessions: z.record(z.string(), z.number()) }),
});
export type TrainerMetrics = z.infer<typeof Metrics>;

export type ExpectedOutput = {
  readonly labels: readonly string[];
  readonly features: readonly string[];
  readonly testTable: string;
};

/**
 * Checks a trainer's output folder against what was asked.
 * @throws FleetError TRAINING_OUTPUT_INVALID naming the file and what is wrong with it
 */
export async function checkTrainerOutput(folder: string, expected: ExpectedOutput): Promise<TrainerMetrics> {
  for (const file of TRAINER_FILES) await checkFile(folder, file);
  const metrics = await readJson(folder, 'metrics.json', Metrics);
  const statistics = await readJson(folder, 'training-stats.json', Statistics);
  const golden = await readJson(folder, 'golden.json', GoldenVectors);
  const names = statistics.features.map((feature) => feature.name);
  if (names.join() !== expected.features.join())
    throw invalid('training-stats.json', 'its features are not those of the feature set in order');
  if (golden.inputs.length !== golden.outputs.length)
    throw invalid('golden.json', 'inputs and outputs differ in number');
  if (
    golden.inputs.some((row) => row.length !== expected.features.length) ||
    golden.outputs.some((row) => row.length !== expected.labels.length)
  ) {
    throw invalid('golden.json', 'a row does not have one number per feature or label');
  }
  for (const file of ['predictions.parquet', 'predictions.int8.parquet'] as const)
    await checkPredictionsFile(join(folder, file), file, expected);
  return metrics;
}

/**
 * Checks that a file of predictions covers exactly the test samples, with their labels and a label of ours as answer.
 * @throws FleetError TRAINING_OUTPUT_INVALID
 */
export async function checkPredictionsFile(path: string, file: string, expected: ExpectedOutput): Promise<void> {
  const samples = await readParquet(expected.testTable, ['sample_id', 'label']);
  const predictions = await predictionsOf(path, file);
  const truth = new Map(samples.map((row) => [String(row['sample_id']), String(row['label'])]));
  const labels = new Set(expected.labels);
  const seen = new Set<string>();
  for (const row of predictions) {
    const id = String(row['sample_id']);
    if (!truth.has(id)) throw invalid(file, `sample ${id} is not in the test split`);
    if (seen.has(id)) throw invalid(file, `sample ${id} occurs twice`);
    seen.add(id);
    if (String(row['label']) !== truth.get(id))
      throw invalid(file, `sample ${id} has label ${String(row['label'])}, its label is ${truth.get(id)}`);
    if (!labels.has(String(row['predicted'])))
      throw invalid(file, `sample ${id} is predicted as ${String(row['predicted'])}, which is no label`);
    const confidence = row['confidence'];
    if (typeof confidence !== 'number' || !(confidence >= 0 && confidence <= 1 + PROBABILITY_SLACK))
      throw invalid(file, `sample ${id} has confidence ${String(confidence)}`);
  }
  if (seen.size !== truth.size) throw invalid(file, `it covers ${seen.size} of ${truth.size} test samples`);
}

async function predictionsOf(path: string, file: string): Promise<readonly ParquetRow[]> {
  try {
    return await readParquet(path, ['sample_id', 'label', 'predicted', 'confidence']);
  } catch (cause) {
    throw invalid(
      file,
      `it is not Parquet with sample_id, label, predicted and confidence (${messageOf(cause)})`,
      cause,
    );
  }
}

async function checkFile(folder: string, file: TrainerFile): Promise<void> {
  const found = await stat(join(folder, file)).catch(() => undefined);
  if (found === undefined || !found.isFile()) throw invalid(file, 'it is not there');
  if (found.size === 0 || found.size > FILE_BYTES_MAX)
    throw invalid(file, `it has ${found.size} bytes, 1 to ${FILE_BYTES_MAX} are possible`);
}

async function readJson<Schema extends z.ZodType>(
  folder: string,
  file: TrainerFile,
  schema: Schema,
): Promise<z.infer<Schema>> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(join(folder, file), 'utf8'));
  } catch (cause) {
    throw invalid(file, 'it is not JSON', cause);
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw invalid(file, z.prettifyError(parsed.error));
}

function invalid(file: string, what: string, cause?: unknown): FleetError {
  return new FleetError('TRAINING_OUTPUT_INVALID', `${file} of the trainer breaks the contract: ${what}`, {
    cause,
    details: { file },
  });
}

const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown);
