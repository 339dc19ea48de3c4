/** Features of one recording file by either engine, or by both over the same messages, without any server. */
import type { FeatureSet, SourceMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { type LoadedMapping, openSource, type Source, type SourceFiles } from '@fleetloop/schemas/source';
import { computeFromMessages } from './feature-batch.ts';
import type { SessionFeatureRow } from './feature-parquet.ts';
import { InputWatch } from './missing-inputs.ts';

export const ENGINES = ['stream', 'batch'] as const;
export type Engine = (typeof ENGINES)[number];

export type ComputeOptions = {
  readonly featureSet: FeatureSet;
  readonly files: SourceFiles;
  /** Needed for sources that do not describe themselves. */
  readonly mapping?: LoadedMapping | undefined;
  readonly signal?: AbortSignal | undefined;
};

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
  const counted = new CountedMessages(await open(path, options), options.signal);
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
  const counted = new CountedMessages(await open(path, options), options.signal);
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

function open(path: string, { files, mapping, signal }: ComputeOptions): Promise<Source> {
  return openSource({ ...mapping, sourcePath: path, files, signal });
}

class CountedMessages {
  messages = 0;
  readonly session: string;
  readonly #source: Source;
  readonly #signal: AbortSignal | undefined;

  constructor(source: Source, signal: AbortSignal | undefined) {
    this.session = source.description.session;
    this.#source = source;
    this.#signal = signal;
  }

  async *read(): AsyncGenerator<SourceMessage> {
    for await (const batch of this.#source.batches()) {
      this.#signal?.throwIfAborted();
      this.messages += batch.length;
      yield* batch;
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
