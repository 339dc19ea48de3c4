/** The two engines of a feature set: how long a vehicle waits for a vector, and how long a table of many windows takes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeFromMessages } from '@fleetloop/control-plane';
import { type FeatureSet, parseFeatureSet, type SignalMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator } from '@fleetloop/schemas/features';
import type { Figure } from '../figure.ts';
import { type Measurement, repeat } from '../measurement.ts';
import { featureMessages } from './feature-workload.ts';

/** Ten signals, five transforms of each over 5 s windows: 50 features. */
const FEATURE_SET = join(import.meta.dirname, '../../../feature-sets/axes.json');
/** 2,000 vectors: enough for a 99th percentile, twice over. */
const MESSAGES = 1_000_000;
const VECTOR_P99_MS_MAX = 0.2;
/** The computing is to fit beside everything else of the vehicle. */
const BATCH_S_MAX = 10;

const axes = async (): Promise<FeatureSet> => parseFeatureSet(JSON.parse(await readFile(FEATURE_SET, 'utf8')));

/** Time from the message that closes a window to its vector, ms, and messages per second over all. */
function streamed(
  featureSet: FeatureSet,
  messages: readonly SignalMessage[],
): { readonly p99Ms: number; readonly rate: number } {
  const evaluator = createStreamingEvaluator(featureSet);
  const latenciesMs: number[] = [];
  const beganMs = performance.now();
  for (const message of messages) {
    const startedMs = performance.now();
    const vectors = evaluator.push(message);
    if (vectors.length > 0) latenciesMs.push(performance.now() - startedMs);
  }
  const rate = messages.length / ((performance.now() - beganMs) / 1_000);
  latenciesMs.sort((left, right) => left - right);
  return { p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? Number.NaN, rate };
}

async function vectorFigures(repeats: number): Promise<readonly Measurement[]> {
  const featureSet = await axes();
  const messages = featureMessages(featureSet, MESSAGES);
  const bench = 'data';
  const p99 = await repeat(repeats, async () => streamed(featureSet, messages).p99Ms);
  const rate = await repeat(repeats, async () => streamed(featureSet, messages).rate);
  return [
    { bench, figure: 'feature vector 50 p99', unit: 'ms', ...p99, target: { atMost: VECTOR_P99_MS_MAX } },
    { bench, figure: 'messages through the stream engine, 50 features', unit: '1/s', ...rate },
  ];
}

async function batchFigures(repeats: number): Promise<readonly Measurement[]> {
  const featureSet = await axes();
  const messages = featureMessages(featureSet, MESSAGES);
  const seconds = await repeat(repeats, async () => {
    const startedMs = performance.now();
    await computeFromMessages(featureSet, messages);
    return (performance.now() - startedMs) / 1_000;
  });
  return [
    {
      bench: 'data',
      figure: '50 window features over 1 M rows',
      unit: 's',
      ...seconds,
      target: { atMost: BATCH_S_MAX },
    },
  ];
}

export const featureFigures: readonly Figure[] = [
  { name: 'feature-vector', run: async ({ repeats }) => vectorFigures(repeats) },
  { name: 'feature-batch', run: async ({ repeats }) => batchFigures(repeats) },
];
