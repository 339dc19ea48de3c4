/** Why: people can pause, resume and abort a rollout at any moment; this is where they reach it and what they see. */
import { condition, defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import { flowFailure } from '../flow/failure.ts';
import type { HealthFinding } from '@fleetloop/schemas';
import { advance, type RolloutPhase } from './rollout-phase.ts';

export type RolloutStatus = {
  readonly phase: RolloutPhase;
  /** Index of the wave that is being worked on. */
  readonly wave: number;
  /** State of each vehicle's share. */
  readonly actions: Readonly<Record<string, string>>;
  /** Findings of the latest look. */
  readonly findings: readonly HealthFinding[];
};

export type Order = { readonly by: string; readonly reason: string };

export const statusQuery = defineQuery<RolloutStatus>('status');
export const pauseUpdate = defineUpdate<RolloutStatus, [Order]>('pause');
export const promoteUpdate = defineUpdate<RolloutStatus, [Order]>('promote');
export const abortUpdate = defineUpdate<RolloutStatus, [Order]>('abort');

/** The mutable middle of one rollout: written by the workflow and by people. */
export class RolloutControls {
  phase: RolloutPhase = 'pending';
  wave = 0;
  readonly actions: Record<string, string> = {};
  findings: readonly HealthFinding[] = [];
  abortOrder: Order | undefined;
  paused = false;

  constructor() {
    setHandler(statusQuery, () => this.status());
    setHandler(pauseUpdate, () => this.#pause(), { validator: (_order) => this.#mustBe(['progressing']) });
    setHandler(promoteUpdate, () => this.#resume(), { validator: (_order) => this.#mustBe(['paused']) });
    setHandler(abortUpdate, (order) => this.#abort(order), {
      validator: (_order) => this.#mustBe(['pending', 'progressing', 'paused']),
    });
  }

  status(): RolloutStatus {
    return { phase: this.phase, wave: this.wave, actions: { ...this.actions }, findings: this.findings };
  }

  enter(phase: RolloutPhase): void {
    this.phase = advance(this.phase, phase);
  }

  /** Resolves when nobody holds the rollout, or somebody aborted it. */
  async untilResumed(): Promise<void> {
    await condition(() => !this.paused || this.abortOrder !== undefined);
  }

  #pause(): RolloutStatus {
    this.paused = true;
    this.enter('paused');
    return this.status();
  }

  #resume(): RolloutStatus {
    this.paused = false;
    this.enter('progressing');
    return this.status();
  }

  #abort(order: Order): RolloutStatus {
    this.abortOrder = order;
    return this.status();
  }

  #mustBe(phases: readonly RolloutPhase[]): void {
    if (phases.includes(this.phase) && this.abortOrder === undefined) return;
    throw flowFailure(
      'ROLLOUT_STATE',
      `the rollout is ${this.abortOrder === undefined ? this.phase : 'being aborted'}: this works only while it is ${phases.join(' or ')}`,
    );
  }
}
