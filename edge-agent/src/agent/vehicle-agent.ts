/** One vehicle: drives go in, events go out, desired state is followed, health is told. Composes the stages and owns their lives. */
import { FleetError, type ReportedState, subjects, type VehicleId } from '@fleetloop/schemas';
import { DesiredFollower } from '../assign/desired-follower.ts';
import { DirectorHandOver } from '../assign/director-hand-over.ts';
import { StateReporter } from '../assign/state-reporter.ts';
import { encodeHeartbeat, HEARTBEAT_INTERVAL_MS } from '../health/heartbeat.ts';
import { InferenceTelemetry } from '../health/inference-telemetry.ts';
import type {
  AgentClock,
  AgentLogger,
  Drive,
  DriveSource,
  InferenceResult,
  ModelRuntime,
  SpoolFiles,
  VehicleLink,
  VehicleSigner,
} from '../ports.ts';
import type { RecordedEvent } from '../record/event-recorder.ts';
import { Spool } from '../spool/spool.ts';
import { Uplink } from '../uplink/uplink.ts';
import { CaptureLine } from './capture-line.ts';
import { DrivePace } from './drive-pace.ts';

/** Tries to write an event before it is given up, and the wait between them, ms. */
const WRITE_TRIES_MAX = 5;
const WRITE_RETRY_MS = 500;

export type VehicleAgentOptions = {
  readonly vehicleId: VehicleId;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly spoolQuotaBytes: number;
  readonly ringBytesMax: number;
  readonly files: SpoolFiles;
  /** Small files of the agent beside the spool. */
  readonly stateFiles: SpoolFiles;
  readonly link: VehicleLink;
  readonly signer: VehicleSigner;
  readonly drives: DriveSource;
  readonly runtime: ModelRuntime;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly rssBytes: () => number;
};

export class VehicleAgent {
  readonly #options: VehicleAgentOptions;
  readonly #line: CaptureLine;
  readonly #spool: Spool;
  readonly #uplink: Uplink;
  readonly #telemetry: InferenceTelemetry;
  readonly #follower: DesiredFollower;
  readonly #director: DirectorHandOver;
  readonly #reporter: StateReporter;
  #messages = 0;
  #inferences = 0;

  private constructor(options: VehicleAgentOptions, spool: Spool) {
    const { vehicleId, hardwareRevision, softwareVersion, ringBytesMax, link, clock, logger, runtime } = options;
    this.#options = options;
    this.#spool = spool;
    const software = { name: 'fleetloop-agent', version: softwareVersion };
    this.#line = new CaptureLine({ vehicle: { id: vehicleId, hardwareRevision }, software, ringBytesMax });
    this.#uplink = new Uplink({ vehicleId, spool, link, signer: options.signer, clock, logger });
    this.#telemetry = new InferenceTelemetry({ vehicleId, hardwareRevision, link, clock, logger });
    this.#director = new DirectorHandOver(runtime, logger);
    this.#reporter = new StateReporter({ vehicleId, link, clock, logger, state: () => this.report() });
    this.#follower = new DesiredFollower({
      vehicleId,
      link,
      files: options.stateFiles,
      clock,
      logger,
      onDesired: (desired) => {
        this.#line.campaigns.apply(desired.campaigns, desired.refused);
        for (const refused of this.#line.campaigns.refused) logger.warn(refused, 'campaign.refused');
        this.#director.take(desired.director);
        this.#reporter.changed();
      },
    });
    spool.onChange(() => this.#reporter.changed());
    runtime.onChange(() => this.#reporter.changed());
  }

  /** Opens the spool and takes up the state of the last run. @throws FleetError SPOOL_CORRUPT, RECORD_WRITE */
  static async open(options: VehicleAgentOptions): Promise<VehicleAgent> {
    const { files, clock, logger, spoolQuotaBytes } = options;
    const spool = await Spool.open({ files, clock, logger, quotaBytes: spoolQuotaBytes });
    const agent = new VehicleAgent(options, spool);
    await agent.#follower.restore();
    return agent;
  }

  /** Works until the signal is aborted; then stops between two messages and tells the rest. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const parts = [
      this.#uplink.run(either),
      this.#follower.run(either),
      this.#reporter.run(either),
      this.#telemetry.run(either),
      this.#beat(either),
      this.#drive(either),
    ];
    try {
      await Promise.all(parts);
    } finally {
      failed.abort();
      await Promise.allSettled(parts);
      await this.#director.close();
      await this.#telemetry.flush();
      await this.#reporter.report();
    }
  }

  /** What the vehicle has, as it is reported. */
  report(): ReportedState {
    const { vehicleId, hardwareRevision, softwareVersion, clock, drives, runtime, rssBytes } = this.#options;
    return {
      kind: 'reported-state',
      vehicleId,
      at: new Date(clock.nowMs()).toISOString(),
      desiredVersion: this.#follower.version,
      hardwareRevision,
      softwareVersion,
      campaigns: this.#line.campaigns.report(),
      model: runtime.report(),
      uplink: this.#spool.counts(),
      source: { sessionsDone: drives.finishedCount, messages: this.#messages, atEnd: drives.isAtEnd },
      rssBytes: rssBytes(),
    };
  }

  async #drive(signal: AbortSignal): Promise<void> {
    const { drives, logger } = this.#options;
    while (!signal.aborted) {
      try {
        const drive = await drives.next(signal);
        if (drive === undefined) break;
        if (!(await this.#driveOnce(drive, signal))) break;
      } catch (error) {
        if (signal.aborted) break;
        // A drive that cannot be read is over; its open events were closed by what could be read.
        const { code, message } = FleetError.from(error);
        logger.error({ code, message }, 'capture.drive.failed');
      }
      await drives.finished();
      this.#reporter.changed();
    }
    this.#reporter.changed();
  }

  /** Returns false when it was stopped on the way: then the drive comes again from its start. */
  async #driveOnce(drive: Drive, signal: AbortSignal): Promise<boolean> {
    const { runtime, clock, logger } = this.#options;
    const pace = new DrivePace(drive.speed, clock);
    this.#line.startSession(drive);
    logger.info({ session: drive.session, speed: drive.speed }, 'capture.drive.started');
    try {
      for await (const batch of drive.batches(signal)) {
        for (const message of batch) {
          await pace.waitFor(message.logTimeNs, signal);
          if (signal.aborted) return false;
          this.#messages += 1;
          await this.#infer(await runtime.push(message, drive.session));
          await this.#keep(this.#line.push(message), signal);
        }
        await clock.wait(0);
      }
      if (signal.aborted) return false;
    } finally {
      const last = await runtime.endSession();
      if (signal.aborted) this.#line.recorder.abandonSession();
      else {
        await this.#infer(last);
        await this.#keep(this.#line.recorder.endSession(), signal);
      }
    }
    logger.info({ session: drive.session, messages: this.#messages }, 'capture.drive.finished');
    return true;
  }

  async #infer(results: readonly InferenceResult[]): Promise<void> {
    for (const result of results) {
      this.#inferences += 1;
      this.#telemetry.add(result, this.#options.runtime.deadlineMisses);
      await this.#keep(this.#line.pushInference(result));
    }
  }

  async #keep(events: readonly RecordedEvent[], signal?: AbortSignal): Promise<void> {
    for (const event of events) await this.#keepOne(event, signal);
  }

  /** A disk that refuses is asked again; then the event is named as lost. */
  async #keepOne(event: RecordedEvent, signal: AbortSignal | undefined): Promise<void> {
    const { clock, logger } = this.#options;
    const { id: eventId, priority, session } = event;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const added = await this.#spool.add(event);
        logger.info(
          { eventId, session, priority, messages: event.messages.length, triggers: event.window.triggers.length },
          `record.event.${added}`,
        );
        return;
      } catch (error) {
        const { code, message } = FleetError.from(error);
        logger.error(
          { eventId, attempt, code, message },
          attempt < WRITE_TRIES_MAX ? 'record.event.unwritten' : 'record.event.lost',
        );
        if (attempt >= WRITE_TRIES_MAX) return;
        await clock.wait(WRITE_RETRY_MS, signal);
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock, link, vehicleId, logger } = this.#options;
    while (!signal.aborted) {
      if (link.isConnected) {
        await link.publish(subjects.heartbeat(vehicleId), this.#heartbeat()).catch((error: unknown) => {
          logger.warn({ reason: FleetError.from(error).message }, 'health.heartbeat.failed');
        });
      }
      await clock.wait(HEARTBEAT_INTERVAL_MS, signal);
    }
  }

  #heartbeat(): Uint8Array {
    const { vehicleId, clock, runtime, rssBytes } = this.#options;
    const { spooled, spooledBytes } = this.#spool.counts();
    const { activeSlot, slots } = runtime.report();
    return encodeHeartbeat({
      vehicleId,
      atMs: clock.nowMs(),
      rssBytes: rssBytes(),
      messagesCaptured: this.#messages,
      recordingsSpooled: spooled,
      spooledBytes,
      activeBundle: slots.find((slot) => slot.slot === activeSlot)?.bundle ?? '',
      inferences: this.#inferences,
    });
  }
}
