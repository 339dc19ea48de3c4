// Why this file exists: the one door between the agent and its models: director documents go in, inferences and the report come out.
import { join } from 'node:path';
import { type DsseEnvelope, FleetError, type ReportedState, type SourceMessage } from '@fleetloop/schemas';
import { type Inference, Role } from '@fleetloop/schemas/wire';
import { chooseWindows, type FeatureVector } from '@fleetloop/schemas/features';
import { InstallRunner } from '../install/install-runner.ts';
import { toReport } from '../install/install-state.ts';
import { openSlotFolders, type SlotFolders } from '../install/slot-folders.ts';
import { verifyDirector } from '../install/trusted-documents.ts';
import type { InferenceResult, ModelRuntime, ModelRuntimeOptions } from '../ports.ts';
import { countOutcome, decideHealth, EMPTY_WINDOW, HEALTH_LIMITS, type HealthLimits } from './health-window.ts';
import { type OpenSession, openOnnxSession } from './model-session.ts';
import type { ModelOutput, RunningModel } from './running-model.ts';
import { openSequenceCounter, type SequenceCounter } from './sequence-counter.ts';

const NONE: readonly InferenceResult[] = [];

/** What tests replace; the defaults are the real ones. */
export type RuntimeParts = {
  readonly health?: HealthLimits;
  readonly openSession?: OpenSession;
  readonly wrapFolders?: (folders: SlotFolders) => SlotFolders;
};

/**
 * Opens the models of a vehicle: what is active on disk runs when the promise resolves.
 * @throws FleetError INSTALL_INCOMPATIBLE when the state on disk is damaged
 */
export async function createModelRuntime(
  options: ModelRuntimeOptions,
  parts: RuntimeParts = {},
): Promise<ModelRuntime> {
  const root = join(options.stateDir, 'models');
  const opened = await openSlotFolders(root);
  const folders = parts.wrapFolders?.(opened) ?? opened;
  const runtime = new VehicleModels(options, parts.health ?? HEALTH_LIMITS, await openSequenceCounter(root));
  const runner = new InstallRunner(
    {
      hardwareRevision: options.hardwareRevision,
      imageKeysPem: options.keys.image,
      folders,
      fetcher: options.fetcher,
      openSession: parts.openSession ?? openOnnxSession,
      seats: runtime,
      logger: options.logger,
    },
    await folders.readState(),
  );
  runtime.attach(runner);
  await runner.start();
  return runtime;
}

class VehicleModels implements ModelRuntime {
  deadlineMisses = 0;
  readonly #options: ModelRuntimeOptions;
  readonly #limits: HealthLimits;
  readonly #sequence: SequenceCounter;
  readonly #listeners: (() => void)[] = [];
  #runner: InstallRunner | undefined;
  #active: RunningModel | null = null;
  #shadow: RunningModel | null = null;
  #window = EMPTY_WINDOW;
  #session = '';

  constructor(options: ModelRuntimeOptions, limits: HealthLimits, sequence: SequenceCounter) {
    this.#options = options;
    this.#limits = limits;
    this.#sequence = sequence;
  }

  attach(runner: InstallRunner): void {
    this.#runner = runner;
  }

  async applyDirector(envelope: DsseEnvelope | null, signal?: AbortSignal): Promise<void> {
    if (envelope === null || signal?.aborted === true) return;
    try {
      const { targets, digest } = verifyDirector(envelope, this.#options.keys.director, this.#options.vehicleId);
      const { counter, bundle, shadow } = targets;
      const interrupt = (): void => this.#need().interrupt();
      signal?.addEventListener('abort', interrupt, { once: true });
      await this.#dispatch({ kind: 'directed', counter, digest, bundle, shadow });
      signal?.removeEventListener('abort', interrupt);
    } catch (thrown) {
      const { code, message } = FleetError.from(thrown);
      this.#options.logger.warn({ code, message }, 'install.director.refused');
      await this.#dispatch({ kind: 'refused', counter: 0, code, message });
    }
  }

  push(message: SourceMessage, session: string): readonly InferenceResult[] | Promise<readonly InferenceResult[]> {
    if (session !== this.#session) return this.#pushFirst(message, session);
    const active = this.#active;
    const shadow = this.#shadow;
    if (active === null && shadow === null) return NONE;
    const activeWindows = active === null ? [] : this.#feed(active, (model) => model.push(message));
    const shadowWindows = this.#shadowWindows(activeWindows, (model) => model.push(message));
    if (activeWindows.length === 0 && shadowWindows.length === 0) return NONE;
    const inferred = async (): Promise<readonly InferenceResult[]> => [
      ...(await this.#inferAll(active, activeWindows)),
      ...(await this.#inferAll(shadow, shadowWindows)),
    ];
    return inferred();
  }

  async #pushFirst(message: SourceMessage, session: string): Promise<readonly InferenceResult[]> {
    const former = await this.endSession();
    this.#session = session;
    return [...former, ...(await this.push(message, session))];
  }

  async endSession(): Promise<readonly InferenceResult[]> {
    const active = this.#active;
    const shadow = this.#shadow;
    const activeWindows = active === null ? [] : this.#feed(active, (model) => model.endSession());
    const shadowWindows = this.#shadowWindows(activeWindows, (model) => model.endSession());
    return [...(await this.#inferAll(active, activeWindows)), ...(await this.#inferAll(shadow, shadowWindows))];
  }

  report(): ReportedState['model'] {
    return toReport(this.#need().state, this.#shadow?.bundle ?? null);
  }

  features(): ReturnType<ModelRuntime['features']> {
    const caches = [this.#active, this.#shadow].flatMap((model) => (model === null ? [] : [model.features]));
    return [...new Set(caches)].map((cache) => cache.report());
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.#need().close();
    await this.seatActive(null);
    await this.seatShadow(null);
  }

  async seatActive(model: RunningModel | null): Promise<void> {
    const former = this.#active;
    this.#active = this.#prepare(model, this.#shadow);
    this.#window = EMPTY_WINDOW;
    await former?.close();
  }

  async seatShadow(model: RunningModel | null): Promise<void> {
    const former = this.#shadow;
    this.#shadow = this.#prepare(model, this.#active);
    await former?.close();
  }

  onState(): void {
    for (const listener of this.#listeners) listener();
  }

  #need(): InstallRunner {
    if (this.#runner === undefined) throw new Error('the runner is attached before the runtime is handed out');
    return this.#runner;
  }

  #dispatch(input: Parameters<InstallRunner['dispatch']>[0]): Promise<void> {
    return this.#need().dispatch(input);
  }

  /** Two models with one feature set share its cache: it is computed once, and sampled once. */
  #prepare(model: RunningModel | null, other: RunningModel | null): RunningModel | null {
    if (model === null) return null;
    const isShared = other?.manifest.featureSetDigest === model.manifest.featureSetDigest && !other.isBroken;
    if (isShared) model.features = other.features;
    else model.features.sample(chooseWindows(this.#options.sampleEvery ?? 0));
    return model;
  }

  /** What the active model's cache has closed is not asked for a second time. */
  #shadowWindows(
    activeWindows: readonly FeatureVector[],
    take: (model: RunningModel) => readonly FeatureVector[],
  ): readonly FeatureVector[] {
    const shadow = this.#shadow;
    if (shadow === null) return [];
    return shadow.features === this.#active?.features ? activeWindows : this.#feed(shadow, take);
  }

  /** A set that cannot be computed from what this vehicle has is a failure of the model, not of the agent. */
  #feed(model: RunningModel, take: (model: RunningModel) => readonly FeatureVector[]): readonly FeatureVector[] {
    if (model.isBroken) return [];
    try {
      return take(model);
    } catch (thrown) {
      const { code, message } = FleetError.from(thrown);
      model.isBroken = true;
      this.#options.logger.error({ bundle: model.bundle, code, message }, 'infer.features.failed');
      if (model === this.#active) void this.#dispatch({ kind: 'unhealthy', bundle: model.bundle, code, message });
      return [];
    }
  }

  async #inferAll(model: RunningModel | null, windows: readonly FeatureVector[]): Promise<readonly InferenceResult[]> {
    const results: InferenceResult[] = [];
    for (const window of windows) {
      // Replaced in between: its windows belong to nobody now.
      if (model === null || (model !== this.#active && model !== this.#shadow)) break;
      const output = await model.infer(window);
      if (output.outcome === 'deadline-miss') this.deadlineMisses += 1;
      results.push(await this.#toResult(model, output));
      if (model === this.#active) this.#watch(model, output);
    }
    return results;
  }

  /** Counts towards confirmation while the active slot is not confirmed. */
  #watch(model: RunningModel, output: ModelOutput): void {
    const { state } = this.#need();
    if (state.activeSlot === null || state.slots[state.activeSlot].state !== 'activated') return;
    this.#window = countOutcome(this.#window, output.outcome);
    const decision = decideHealth(this.#window, this.#limits);
    const { bundle } = model;
    if (decision.kind === 'healthy') void this.#dispatch({ kind: 'healthy', bundle });
    if (decision.kind === 'failing')
      void this.#dispatch({ kind: 'unhealthy', bundle, code: 'INFER_FAILED', message: decision.message });
    if (decision.kind === 'late')
      void this.#dispatch({ kind: 'unhealthy', bundle, code: 'INSTALL_LATENCY', message: decision.message });
  }

  async #toResult(model: RunningModel, output: ModelOutput): Promise<InferenceResult> {
    const inference: Inference = {
      $typeName: 'fleetloop.infer.Inference',
      sequence: await this.#sequence.next(),
      session: this.#session,
      windowStartNs: output.window.windowStartNs,
      windowEndNs: output.window.windowEndNs,
      output: output.output,
      confidence: output.confidence,
      distance: output.distance,
      latencyUs: output.latencyUs,
      role: model === this.#shadow ? Role.SHADOW : Role.ACTIVE,
      features: Array.from(output.window.values),
      fallback: output.isFallback,
    };
    const { bundle, variant, manifest } = model;
    const { inputs } = output.window;
    const { counter: directorCounter } = this.#need().state;
    const result = { inference, bundle, model: manifest.model.name, variant, directorCounter };
    if (inputs === undefined) return result;
    const paths = manifest.featureSet.signals.map(({ path }) => path);
    return { ...result, sampled: { featureSet: manifest.featureSetDigest, paths, inputs } };
  }
}
