/** Takes one drive after the other and lets each message pass: model, triggers, record. */
import { FleetError, type SourceMessage } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, Drive, DriveSource, InferenceResult, ModelRuntime } from '../ports.ts';
import type { RecorderEffect } from '../record/recorder-effects.ts';
import type { CaptureLine } from './capture-line.ts';
import { DrivePace } from './drive-pace.ts';
import type { RecordingKeeper } from './recording-keeper.ts';

/** How often time is told to a live drive, so that silence is noticed; the end of a window is told when it comes. Ms. */
const TICK_MS = 20;
/** Least time between two of them: an end that lies behind already is dealt with by then. */
const TICK_MS_MIN = 1;
const NS_PER_MS = 1e6;

export type DriveRunnerOptions = {
  readonly drives: DriveSource;
  readonly line: CaptureLine;
  readonly keeper: RecordingKeeper;
  readonly runtime: ModelRuntime;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly onInference: (result: InferenceResult, drive: Drive) => void;
  /** A drive is over. */
  readonly onDrive: () => void;
};

/** What a message may have to wait for. */
type Work = {
  readonly results: ReturnType<ModelRuntime['push']>;
  readonly kept: ReturnType<CaptureLine['redact']>;
};

export class DriveRunner {
  readonly #options: DriveRunnerOptions;
  #messages = 0;

  constructor(options: DriveRunnerOptions) {
    this.#options = options;
  }

  /** Messages seen since the start. */
  get messages(): number {
    return this.#messages;
  }

  /** Runs until the source is at its end or the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { drives, logger, keeper, onDrive } = this.#options;
    while (!signal.aborted) {
      try {
        const drive = await drives.next(signal);
        if (drive === undefined) break;
        if (!(await this.#drive(drive, signal))) break;
      } catch (error) {
        if (signal.aborted) break;
        // A drive that cannot be read is over; its open events were closed by what could be read.
        const { code, message } = FleetError.from(error);
        logger.error({ code, message }, 'capture.drive.failed');
      }
      await keeper.idle();
      await drives.finished();
      onDrive();
    }
    await keeper.idle();
    onDrive();
  }

  /** Returns false when it was stopped on the way. */
  async #drive(drive: Drive, signal: AbortSignal): Promise<boolean> {
    const { line, clock, logger } = this.#options;
    const pace = new DrivePace(drive.speed, clock);
    line.startSession(drive);
    logger.info({ session: drive.session, speed: drive.speed }, 'capture.drive.started');
    const over = new AbortController();
    const ticks = this.#tick(drive, AbortSignal.any([signal, over.signal]));
    try {
      for await (const batch of drive.batches(signal)) {
        for (const message of batch) {
          if (drive.speed > 0) await pace.waitFor(message.logTimeNs, signal);
          const passed = this.#pass(message, drive, signal);
          // Thousands a second pass without a wait: a promise for each would cost more than all the rest of its way.
          if (passed !== undefined) await passed;
          if (signal.aborted) return false;
        }
        if (batch.length > 0) line.advance((batch.at(-1) as SourceMessage).logTimeNs);
        // Files are read as fast as they can be: the rest of the agent gets its turn.
        if (drive.isReplayable) await clock.wait(0);
      }
      return !signal.aborted;
    } finally {
      over.abort();
      await ticks;
      await this.#end(drive, signal);
    }
  }

  /** A promise only where there is something to wait for. */
  #pass(message: SourceMessage, drive: Drive, signal: AbortSignal): Promise<void> | undefined {
    const { line, runtime } = this.#options;
    this.#messages += 1;
    const results = runtime.push(message, drive.session);
    const kept = line.redact(message);
    if (results instanceof Promise || kept instanceof Promise || results.length > 0)
      return this.#passLater(message, { results, kept }, drive, signal);
    const due = line.pushRedacted(message, kept);
    return due.length > 0 ? this.#keep(due, drive, signal) : undefined;
  }

  async #passLater(message: SourceMessage, work: Work, drive: Drive, signal: AbortSignal): Promise<void> {
    const [results, kept] = await Promise.all([work.results, work.kept]);
    await this.#infer(results, drive, signal);
    const due = this.#options.line.pushRedacted(message, kept);
    if (due.length > 0) await this.#keep(due, drive, signal);
  }

  async #infer(results: readonly InferenceResult[], drive: Drive, signal: AbortSignal): Promise<void> {
    const { line, keeper, onInference } = this.#options;
    for (const result of results) {
      onInference(result, drive);
      await keeper.take(line.pushInference(result), signal);
    }
  }

  /** A file waits for its recordings, so that its memory is bounded; a live drive goes on while the disk works. */
  async #keep(effects: readonly RecorderEffect[], { isReplayable }: Drive, signal: AbortSignal): Promise<void> {
    const { keeper } = this.#options;
    const room = keeper.take(effects, signal);
    if (isReplayable) await keeper.idle();
    else await room;
  }

  /** What was stopped can be read again from its start, or else it is closed here. */
  async #end(drive: Drive, signal: AbortSignal): Promise<void> {
    const { line, runtime, keeper, logger } = this.#options;
    const last = await runtime.endSession();
    if (signal.aborted && drive.isReplayable) {
      line.recorder.abandonSession();
      return;
    }
    await this.#infer(last, drive, signal);
    await keeper.take(line.recorder.endSession(), signal);
    await keeper.idle();
    logger.info({ session: drive.session, messages: this.#messages }, 'capture.drive.finished');
  }

  async #tick({ nowNs }: Drive, signal: AbortSignal): Promise<void> {
    if (nowNs === undefined) return;
    const { clock, line, keeper } = this.#options;
    while (!signal.aborted) {
      const { dueNs } = line.recorder;
      const untilDueMs = dueNs === undefined ? TICK_MS : Math.ceil(Number(dueNs - nowNs()) / NS_PER_MS);
      await clock.wait(Math.min(TICK_MS, Math.max(TICK_MS_MIN, untilDueMs)), signal);
      if (!signal.aborted) await keeper.take(line.tick(nowNs()), signal);
    }
  }
}
