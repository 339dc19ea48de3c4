/** Where a model finds its features: the newest vector with what it was computed from, how old it is and how long it took to be there. */
import type { FeatureSet, SourceMessage } from '@fleetloop/schemas';
import {
  createStreamingEvaluator,
  type FeatureVector,
  type InputChoice,
  SAMPLES_BUFFERED_MAX,
  type StreamingEvaluator,
} from '@fleetloop/schemas/features';

/** The definition that a vector was computed by. */
export type ServedFeatureSet = { readonly name: string; readonly version: number; readonly digest: string };

/** The newest vector. Its age is the time since the message that closed its window. */
export type ServedVector = Omit<FeatureVector, 'inputs'> & {
  readonly featureSet: ServedFeatureSet;
  readonly ageMs: number;
};

/** What a cache says of itself. Latencies run from the message that closed a window to its vector being here. */
export type FeatureCacheReport = {
  readonly featureSet: ServedFeatureSet;
  readonly vectors: number;
  readonly windowEndNs: bigint | null;
  readonly ageMs: number | null;
  readonly latencyBudgetMs: number;
  readonly latencyMs: { readonly last: number; readonly worst: number } | null;
  /** How often the budget was exceeded. */
  readonly budgetMisses: number;
  readonly lateSamples: number;
  readonly overflows: number;
};

export type FeatureCacheOptions = {
  readonly featureSet: FeatureSet;
  /** Of the definition, as its bundle states it. */
  readonly digest: string;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
};

/** The streaming engine of one feature set with its newest vector. */
export class FeatureCache {
  readonly #served: ServedFeatureSet;
  readonly #budgetMs: number;
  readonly #now: () => number;
  readonly #evaluator: StreamingEvaluator;
  #wantsInputs: InputChoice = () => false;
  #newest: { readonly vector: Omit<FeatureVector, 'inputs'>; readonly atMs: number } | undefined;
  #vectors = 0;
  #budgetMisses = 0;
  #lastMs = 0;
  #worstMs = 0;

  constructor({ featureSet, digest, now }: FeatureCacheOptions) {
    this.#served = { name: featureSet.name, version: featureSet.version, digest };
    this.#budgetMs = featureSet.latencyBudgetMs;
    this.#now = now;
    this.#evaluator = createStreamingEvaluator(featureSet, SAMPLES_BUFFERED_MAX, (startNs) =>
      this.#wantsInputs(startNs),
    );
  }

  /** From now on the vectors of chosen windows come with what they were computed from. */
  sample(choice: InputChoice): void {
    this.#wantsInputs = choice;
  }

  /** Takes a message; returns the vectors of the windows that it closed. @throws FleetError FEATURE_SET_INVALID */
  push(message: SourceMessage): readonly FeatureVector[] {
    const startedMs = this.#now();
    return this.#keep(this.#evaluator.push(message), startedMs);
  }

  /** Returns the vectors of the open windows. The next session starts without a vector: one of another drive is not of this one. */
  endSession(): readonly FeatureVector[] {
    const startedMs = this.#now();
    const vectors = this.#keep(this.#evaluator.endSession(), startedMs);
    this.#newest = undefined;
    return vectors;
  }

  /** The newest vector of this session. */
  latest(): ServedVector | undefined {
    if (this.#newest === undefined) return undefined;
    const { vector, atMs } = this.#newest;
    return { ...vector, featureSet: this.#served, ageMs: this.#now() - atMs };
  }

  report(): FeatureCacheReport {
    const newest = this.latest();
    return {
      featureSet: this.#served,
      vectors: this.#vectors,
      windowEndNs: newest?.windowEndNs ?? null,
      ageMs: newest === undefined ? null : Math.round(newest.ageMs),
      latencyBudgetMs: this.#budgetMs,
      latencyMs: this.#vectors === 0 ? null : { last: this.#lastMs, worst: this.#worstMs },
      budgetMisses: this.#budgetMisses,
      lateSamples: this.#evaluator.lateSamples,
      overflows: this.#evaluator.overflows,
    };
  }

  #keep(vectors: readonly FeatureVector[], startedMs: number): readonly FeatureVector[] {
    const vector = vectors.at(-1);
    if (vector === undefined) return vectors;
    const atMs = this.#now();
    const { windowStartNs, windowEndNs, values } = vector;
    this.#newest = { vector: { windowStartNs, windowEndNs, values }, atMs };
    this.#vectors += vectors.length;
    this.#lastMs = atMs - startedMs;
    this.#worstMs = Math.max(this.#worstMs, this.#lastMs);
    if (this.#lastMs > this.#budgetMs) this.#budgetMisses += vectors.length;
    return vectors;
  }
}
