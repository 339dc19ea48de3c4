/** Features of one recording file by either engine, or by both over the same messages, without any server. */
import type { FeatureSet, SourceMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { computeFromMessages } from './feature-batch.ts';
import type { SessionFeatureRow } from './feature-parquet.ts';
import { type FeatureSource, type FeatureSourceOptions, openFeatureSource } from './feature-source.ts';
import { InputWatch } from './missing-inputs.ts';

export const ENGINES = ['stream', 'batch'] as const;
export type Engine = (typeof ENGINES)[number];

export type ComputeOptions = FeatureSourceOptions & { readonly featureSet: FeatureSet };

/** Windows of one file, in order of time. */
export type FileFeatures = {
  readonly session: string;
  readonly messages: number;
  /** Samples that came after all their windows had closed, and are in none; both engines count them alike. */
  readonly lateSamples: number;
  readonly rows: readonly SessionFeatureRow[];
};

/** @throws FleetError FEATURE_SET_INVALID, FEATURE_INPUT_MISSING, FEATURE_LIMIT, and what sources throw */
export async function computeFile(path: string, engine: Engine, options: ComputeOptions): Promise<FileFeatures> {
  const counted = new CountedMessages(await openFeatureSource(path, options));
  const { featureSet, signal } = options;
  if (engine === 'batch') {
    let lateSamples = 0;
    const onLateSamples = (_: unknown, late: number): void => void (lateSamples = late);
    const rows = await computeFromMessages(featureSet, counted.read(), { signal, onLateSamples });
    const { session, messages } = counted;
    return { session, messages, lateSamples, rows: named(session, rows) };
  }
  const evaluator = createStreamingEvaluator(featureSet);
  const vectors: FeatureVector[] = [];
  const inputs = new InputWatch(featureSet);
  for await (const message of counted.read()) {
    inputs.see(message);
    vectors.push(...evaluator.push(message));
  }
  inputs.refuseMissing();
  vectors.push(...evaluator.endSession());
  const { session, messages } = counted;
  return { session, messages, lateSamples: evaluator.lateSamples, rows: named(session, vectors) };
}

/** Both engines over one reading of the file. */
export async function computeBoth(
  path: string,
  options: ComputeOptions,
): Promise<{ readonly streaming: readonly SessionFeatureRow[]; readonly batch: readonly SessionFeatureRow[] }> {
  const counted = new CountedMessages(await openFeatureSource(path, options));
  const evaluator = createStreamingEvaluator(options.featureSet);
  const vectors: FeatureVector[] = [];
  async function* through(): AsyncGenerator<SourceMessage> {
    for await (const message of counted.read()) {
      vectors.push(...evaluator.push(message));
      yield message;
    }
    vectors.push(...evaluator.endSession());
  }
  const rows = await computeFromMessages(options.featureSet, through(), { signal: options.signal });
  return { streaming: named(counted.session, vectors), batch: named(counted.session, rows) };
}

class CountedMessages {
  messages = 0;
  readonly session: string;
  readonly #source: FeatureSource;

  constructor(source: FeatureSource) {
    this.session = source.session;
    this.#source = source;
  }

  async *read(): AsyncGenerator<SourceMessage> {
    for await (const message of this.#source.messages()) {
      this.messages += 1;
      yield message;
    }
  }
}

type Window = { readonly windowStartNs: bigint; readonly windowEndNs: bigint; readonly values: ArrayLike<number> };

function named(session: string, windows: readonly Window[]): SessionFeatureRow[] {
  return windows.map(({ windowStartNs, windowEndNs, values }) => ({
    session,
    windowStartNs,
    windowEndNs,
    values: Array.from(values),
  }));
}
