// Why this file exists: one model at work: streaming features, session, deadline and fallback, for the active and the shadow role alike.
import { type BundleManifest, FleetError, type SourceMessage } from '@fleetloop/schemas';
import type { FeatureVector } from '@fleetloop/schemas/features';
import { FeatureCache } from '../features/feature-cache.ts';
import { indexOfMax } from '../install/variant-choice.ts';
import type { ModelSession } from './model-session.ts';
import { trainingDistance } from './training-distance.ts';

/** Result of one window. A fallback repeats the last valid output (empty before the first), with its confidence. */
export type ModelOutput = {
  readonly window: FeatureVector;
  readonly output: string;
  readonly confidence: number;
  readonly distance: number;
  readonly latencyUs: number;
  readonly isFallback: boolean;
  readonly outcome: 'valid' | 'deadline-miss' | 'failure';
};

export type RunningModelOptions = {
  readonly bundle: string;
  readonly variant: string;
  readonly manifest: BundleManifest;
  readonly session: ModelSession;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
};

export class RunningModel {
  readonly bundle: string;
  readonly variant: string;
  readonly manifest: BundleManifest;
  /** Set when its features cannot be computed from this vehicle's channels; it is then left alone. */
  isBroken = false;
  /** Its features, held for whoever asks; a model beside it with the same feature set may share them. */
  features: FeatureCache;
  readonly #session: ModelSession;
  readonly #now: () => number;
  #inFlight: Promise<unknown> = Promise.resolve();
  #last: { readonly output: string; readonly confidence: number } = { output: '', confidence: 0 };

  constructor(options: RunningModelOptions) {
    this.bundle = options.bundle;
    this.variant = options.variant;
    this.manifest = options.manifest;
    this.#session = options.session;
    this.#now = options.now ?? (() => performance.now());
    const { featureSet, featureSetDigest } = options.manifest;
    this.features = new FeatureCache({ featureSet, digest: featureSetDigest, now: this.#now });
  }

  /** Windows that this message closes; most messages close none. @throws FleetError FEATURE_SET_INVALID */
  push(message: SourceMessage): readonly FeatureVector[] {
    return this.features.push(message);
  }

  endSession(): readonly FeatureVector[] {
    return this.features.endSession();
  }

  /** Infers over one window within the bundle's latency budget; failures and misses are outcomes, not errors. */
  async infer(window: FeatureVector): Promise<ModelOutput> {
    const distance = trainingDistance(window.values, this.manifest.trainingDistribution);
    const startedMs = this.#now();
    const running = this.#run(window.values);
    this.#inFlight = running.catch(() => undefined);
    const probabilities = await running;
    const latencyMs = this.#now() - startedMs;
    const latencyUs = Math.round(latencyMs * 1_000);
    if (probabilities === undefined)
      return { window, ...this.#last, distance, latencyUs, isFallback: true, outcome: 'failure' };
    if (latencyMs > this.manifest.latencyBudgetMs) {
      return { window, ...this.#last, distance, latencyUs, isFallback: true, outcome: 'deadline-miss' };
    }
    const best = indexOfMax(probabilities);
    this.#last = { output: this.manifest.labels[best] ?? '', confidence: probabilities[best] ?? 0 };
    return { window, ...this.#last, distance, latencyUs, isFallback: false, outcome: 'valid' };
  }

  /** Waits for the inference in flight: the session must not go away under it. */
  async close(): Promise<void> {
    await this.#inFlight;
    await this.#session.close();
  }

  async #run(vector: Float64Array): Promise<Float32Array | undefined> {
    try {
      return await this.#session.run(vector);
    } catch (thrown) {
      if (FleetError.from(thrown).code === 'INFER_FAILED') return undefined;
      throw thrown;
    }
  }
}
