/** Does what the recorder asks for: recordings to disk, in order, beside the capture that goes on. */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger } from '../ports.ts';
import type { ClosedRecording, RecorderEffect } from '../record/recorder-effects.ts';
import type { Spool } from '../spool/spool.ts';

/** Tries to write a recording before it is given up, and the wait between them, ms. */
const WRITE_TRIES_MAX = 5;
const WRITE_RETRY_MS = 500;
/** Effects that wait for the disk; with more, capture waits too. Each holds its part of the ring. */
const WAITING_MAX = 16;
/** Recordings that a disk did not take and that are tried again with what comes after them; they hold their part of the ring too. */
const PARKED_MAX = 8;

export type RecordingKeeperOptions = {
  readonly spool: Pick<Spool, 'add' | 'settle' | 'withdraw' | 'entry' | 'unwritten'>;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  /** A recording is on disk. */
  readonly onKept: (recording: ClosedRecording, sizeBytes: number) => Promise<void>;
};

type Parked = { readonly recording: ClosedRecording; readonly isSettled: boolean };

export class RecordingKeeper {
  readonly #options: RecordingKeeperOptions;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #lost = 0;
  #parked: readonly Parked[] = [];

  constructor(options: RecordingKeeperOptions) {
    this.#options = options;
  }

  /** Effects that are not done yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Recordings that the disk did not take. */
  get lost(): number {
    return this.#lost;
  }

  /** Begins to do them after those before; returns a promise of room when too many wait. */
  take(effects: readonly RecorderEffect[], signal?: AbortSignal): Promise<void> | undefined {
    for (const effect of effects) {
      this.#waiting += 1;
      this.#last = this.#last.then(async () => this.#do(effect, signal)).finally(() => (this.#waiting -= 1));
    }
    return this.#waiting > WAITING_MAX ? this.#last : undefined;
  }

  /** Resolves when all that was taken is on disk, or given up. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #do(effect: RecorderEffect, signal: AbortSignal | undefined): Promise<void> {
    const { spool, logger } = this.#options;
    await this.#unpark();
    if (effect.kind === 'close') return this.#keep(effect.recording, effect.isSettled, signal);
    this.#follow(effect);
    try {
      if (effect.kind === 'settle') await spool.settle(effect.eventId);
      else await spool.withdraw(effect.eventId, effect.into);
    } catch (error) {
      // What is not settled on disk is settled at the next start.
      const { code, message } = FleetError.from(error);
      logger.error({ eventId: effect.eventId, effect: effect.kind, code, message }, 'record.event.unsettled');
    }
  }

  /** A disk that refuses is asked again; then the recording is lost, and the cloud is told so. */
  async #keep(recording: ClosedRecording, isSettled: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { clock, logger } = this.#options;
    const { id: eventId } = recording;
    let last: FleetError | undefined;
    for (let attempt = 1; attempt <= WRITE_TRIES_MAX; attempt += 1) {
      try {
        await this.#write(recording, isSettled);
        recording.release();
        return;
      } catch (error) {
        last = FleetError.from(error);
        const { code, message } = last;
        logger.error({ eventId, attempt, code, message }, 'record.event.unwritten');
        if (attempt < WRITE_TRIES_MAX) await clock.wait(WRITE_RETRY_MS, signal);
      }
    }
    if (await this.#bury(recording, last)) return;
    const parked = { recording, isSettled };
    this.#parked = [...this.#parked.filter((each) => each.recording.id !== eventId), parked];
    for (const { recording: oldest } of this.#parked.slice(0, -PARKED_MAX)) this.#lose(oldest);
    this.#parked = this.#parked.slice(-PARKED_MAX);
  }

  /** What becomes of an event becomes of its recording that waits too. */
  #follow({ kind, eventId }: Exclude<RecorderEffect, { kind: 'close' }>): void {
    const parked = this.#parked.find((each) => each.recording.id === eventId);
    if (parked === undefined) return;
    this.#parked = this.#parked.flatMap((each) => {
      if (each !== parked) return [each];
      return kind === 'settle' ? [{ ...each, isSettled: true }] : [];
    });
    if (kind === 'withdraw') parked.recording.release();
  }

  /** Once each: the disk may take again what it refused, or at least the line that says that it is lost. */
  async #unpark(): Promise<void> {
    for (const parked of this.#parked) {
      const { recording, isSettled } = parked;
      try {
        await this.#write(recording, isSettled);
        recording.release();
      } catch (error) {
        if (!(await this.#bury(recording, FleetError.from(error)))) return;
      }
      this.#parked = this.#parked.filter((each) => each !== parked);
    }
  }

  /** Says to the spool that it is lost; false when the disk does not take that either. */
  async #bury(recording: ClosedRecording, why: FleetError | undefined): Promise<boolean> {
    try {
      const reason = `it could not be written: ${why?.message ?? 'the disk refused it'}`;
      await this.#options.spool.unwritten(recording, why?.code ?? 'RECORD_WRITE', reason);
      this.#lose(recording);
      return true;
    } catch {
      return false;
    }
  }

  #lose(recording: ClosedRecording): void {
    this.#lost += 1;
    this.#options.logger.error({ eventId: recording.id }, 'record.event.lost');
    recording.release();
  }

  async #write(recording: ClosedRecording, isSettled: boolean): Promise<void> {
    const { spool, logger, onKept } = this.#options;
    const { id: eventId, session, priority, messages, triggers } = recording;
    const added = await spool.add(recording, { isSettled });
    logger.info(
      { eventId, session, priority, messages, triggers: triggers.length, isSettled },
      `record.event.${added}`,
    );
    if (added !== 'spooled') return;
    const sizeBytes = spool.entry(eventId)?.sizeBytes ?? 0;
    await onKept(recording, sizeBytes).catch((error: unknown) => {
      const { code, message } = FleetError.from(error);
      logger.warn({ eventId, code, message }, 'campaign.budget.unwritten');
    });
  }
}
