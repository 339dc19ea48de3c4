// Why this file exists: carries out what the install machine decides, one effect at a time, with the state on disk before each effect.
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever, FleetError } from '@fleetloop/schemas';
import type { RunningModel } from '../infer/running-model.ts';
import type { AgentLogger } from '../ports.ts';
import { type InstallerOptions, loadBundle, stageBundle } from './bundle-installer.ts';
import { type InstallEffect, type InstallInput, stepInstall } from './install-machine.ts';
import type { InstallState, SlotName } from './install-state.ts';
import type { Place } from './slot-folders.ts';

/** Most inputs that wait; each comes from a director document, a health decision or an effect. */
const INPUTS_MAX = 64;
/** Tries of one download before the installation is refused for the time being. */
const FETCH_TRIES_MAX = 1_000;
const FETCH_WAIT_MS = 500;
const FETCH_WAIT_MS_MAX = 30_000;

/** Where the models go that the installation loads. */
export interface ModelSeats {
  /** Replaces the active model and closes the former one. */
  seatActive(model: RunningModel | null): Promise<void>;
  seatShadow(model: RunningModel | null): Promise<void>;
  /** The state has changed. */
  onState(): void;
}

export type RunnerOptions = InstallerOptions & { readonly seats: ModelSeats; readonly logger: AgentLogger };

const placeOf = (slot: SlotName): Place => `slot-${slot}`;

export class InstallRunner {
  readonly #options: RunnerOptions;
  #state: InstallState;
  readonly #inputs: InstallInput[] = [];
  #draining: Promise<void> | undefined;
  #current = new AbortController();
  #prepared: { readonly slot: SlotName; readonly model: RunningModel } | undefined;
  #isInterrupted = false;
  #isClosed = false;

  constructor(options: RunnerOptions, state: InstallState) {
    this.#options = options;
    this.#state = state;
  }

  get state(): InstallState {
    return this.#state;
  }

  /** Loads what is active on disk; whatever is left to install goes on in the background. */
  async start(): Promise<void> {
    await this.#take({ kind: 'started' });
    void this.#drain();
  }

  /** Resolves when there is nothing left to do. */
  async dispatch(input: InstallInput): Promise<void> {
    if (this.#isClosed) return;
    if (input.kind === 'directed') this.#isInterrupted = false;
    if (this.#isUrgent(input)) this.#current.abort();
    if (this.#inputs.length >= INPUTS_MAX) {
      this.#options.logger.error({ waiting: this.#inputs.length }, 'install.input.dropped');
      return;
    }
    this.#inputs.push(input);
    await this.#drain();
  }

  /** Gives up a running download; the next director document decides what comes instead. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#current.abort();
  }

  /** Stops and lets go of what is prepared; an interrupted installation goes on at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#inputs.length = 0;
    this.#current.abort();
    await this.#draining;
    await this.#prepared?.model.close();
    this.#prepared = undefined;
  }

  async #drain(): Promise<void> {
    if (this.#inputs.length > 0) this.#draining ??= this.#takeAll();
    await this.#draining;
  }

  async #takeAll(): Promise<void> {
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) await this.#take(input);
    // In the same turn as the empty look: an input that comes a moment later starts a new round.
    this.#draining = undefined;
  }

  async #take(input: InstallInput): Promise<void> {
    try {
      const step = stepInstall(this.#state, input);
      if (step.state !== this.#state) {
        await this.#options.folders.writeState(step.state);
        this.#state = step.state;
        this.#options.seats.onState();
      }
      this.#options.logger.debug(
        { input: input.kind, effects: step.effects.map((effect) => effect.kind) },
        'install.step',
      );
      for (const effect of step.effects) {
        const next = await this.#run(effect);
        if (next !== undefined && !this.#isClosed) this.#inputs.push(next);
      }
    } catch (thrown) {
      // The disk refused: the former state stands, on disk and here, and the next document or start tries again.
      this.#options.logger.error({ input: input.kind, error: FleetError.from(thrown).toJSON() }, 'install.step.failed');
    }
  }

  async #run(effect: InstallEffect): Promise<InstallInput | undefined> {
    switch (effect.kind) {
      case 'stage':
        return this.#stage(effect.slot, effect.bundle);
      case 'prepare':
        return this.#prepare(effect.slot);
      case 'swap':
        return this.#swap(effect.slot);
      case 'restore':
        return this.#restore(effect.slot);
      case 'unload':
        await this.#options.seats.seatActive(null);
        return { kind: 'continue' };
      case 'stage-shadow':
        return this.#stageShadow(effect.bundle);
      case 'load-shadow':
        return this.#loadShadow();
      case 'unload-shadow':
        await this.#options.seats.seatShadow(null);
        return undefined;
      default:
        return assertNever(effect);
    }
  }

  async #stage(slot: SlotName, bundle: string): Promise<InstallInput | undefined> {
    const result = await this.#fetchAndTry(placeOf(slot), bundle);
    switch (result.kind) {
      case 'chosen':
        this.#options.logger.info({ slot, bundle, variant: result.name }, 'install.bundle.staged');
        return { kind: 'staged', slot, bundle, variant: result.name, reason: result.reason };
      case 'aborted':
        return this.#afterAbort();
      case 'failed':
        return { kind: 'stage-failed', bundle, ...result.failure.toJSON() };
      default:
        return assertNever(result);
    }
  }

  async #stageShadow(bundle: string): Promise<InstallInput | undefined> {
    const result = await this.#fetchAndTry('shadow', bundle);
    switch (result.kind) {
      case 'chosen':
        return { kind: 'shadow-staged', bundle, variant: result.name };
      case 'aborted':
        return this.#afterAbort();
      case 'failed':
        return { kind: 'shadow-failed', bundle, ...result.failure.toJSON() };
      default:
        return assertNever(result);
    }
  }

  async #fetchAndTry(place: Place, bundle: string): Promise<StageResult> {
    this.#current = new AbortController();
    const { signal } = this.#current;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (!this.#mayDownload()) return { kind: 'aborted' };
        return { kind: 'chosen', ...(await stageBundle(this.#options, place, bundle, signal)) };
      } catch (thrown) {
        if (signal.aborted) return { kind: 'aborted' };
        const failure = FleetError.from(thrown);
        this.#options.logger.warn({ bundle, place, attempt, error: failure.toJSON() }, 'install.stage.failed');
        if (!failure.retryable || attempt === FETCH_TRIES_MAX) return { kind: 'failed', failure };
        await wait(Math.min(FETCH_WAIT_MS * 2 ** (attempt - 1), FETCH_WAIT_MS_MAX), signal);
      }
    }
  }

  /** Interrupted by the caller it rests; given up for another input it looks again after that one. */
  #afterAbort(): InstallInput | undefined {
    return this.#isInterrupted || this.#isClosed ? undefined : { kind: 'continue' };
  }

  /** A revert or a newer document cannot wait for a download; what is given up for it is looked at again right after. */
  #isUrgent(input: InstallInput): boolean {
    if (input.kind === 'healthy' || input.kind === 'unhealthy') return true;
    return input.kind === 'directed' && input.counter > this.#state.counter;
  }

  /** Whether nothing urgent waits: it may have come while the state was being stored. */
  #mayDownload(): boolean {
    return !this.#isClosed && !this.#isInterrupted && !this.#inputs.some((input) => this.#isUrgent(input));
  }

  async #prepare(slot: SlotName): Promise<InstallInput> {
    const { bundle, variant } = this.#state.slots[slot];
    try {
      await this.#prepared?.model.close();
      this.#prepared = undefined;
      const model = await loadBundle(this.#options, placeOf(slot), { bundle: bundle ?? '', variant: variant ?? '' });
      this.#prepared = { slot, model };
      return { kind: 'prepared', slot };
    } catch (thrown) {
      return { kind: 'prepare-failed', slot, ...FleetError.from(thrown).toJSON() };
    }
  }

  async #swap(slot: SlotName): Promise<InstallInput> {
    const prepared = this.#prepared;
    if (prepared === undefined || prepared.slot !== slot) return this.#restore(slot);
    this.#prepared = undefined;
    await this.#options.seats.seatActive(prepared.model);
    this.#options.logger.info(
      { slot, bundle: prepared.model.bundle, variant: prepared.model.variant },
      'install.slot.activated',
    );
    return { kind: 'continue' };
  }

  async #restore(slot: SlotName): Promise<InstallInput> {
    const { bundle, variant } = this.#state.slots[slot];
    try {
      await this.#options.seats.seatActive(
        await loadBundle(this.#options, placeOf(slot), { bundle: bundle ?? '', variant: variant ?? '' }),
      );
      this.#options.logger.info({ slot, bundle, variant }, 'install.slot.restored');
      return { kind: 'continue' };
    } catch (thrown) {
      const failure = FleetError.from(thrown);
      this.#options.logger.error({ slot, bundle, error: failure.toJSON() }, 'install.slot.unusable');
      return { kind: 'restore-failed', slot, ...failure.toJSON() };
    }
  }

  async #loadShadow(): Promise<InstallInput | undefined> {
    const { shadow } = this.#state;
    if (shadow === null) return undefined;
    try {
      await this.#options.seats.seatShadow(await loadBundle(this.#options, 'shadow', shadow));
      this.#options.seats.onState();
      return undefined;
    } catch (thrown) {
      return { kind: 'shadow-failed', bundle: shadow.bundle, ...FleetError.from(thrown).toJSON() };
    }
  }
}

type StageResult =
  | { readonly kind: 'chosen'; readonly name: string; readonly reason: string }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'failed'; readonly failure: FleetError };

/** Waits, or returns at once when the signal is given: the caller looks at the signal next. */
async function wait(timeMs: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(timeMs, undefined, { signal });
  } catch {
    return;
  }
}
