/** One vehicle: drives go in, recordings go out, desired state is followed, health is told. Composes the stages and owns their lives. */
import { type AgentQuestion, FleetError, type ReportedState, subjects, type VehicleId } from '@fleetloop/schemas';
import { DesiredFollower } from '../assign/desired-follower.ts';
import { DirectorHandOver } from '../assign/director-hand-over.ts';
import { StateReporter } from '../assign/state-reporter.ts';
import type { AgentStatus, PublishedReport } from '../health/agent-status.ts';
import { FeatureSamples } from '../features/feature-samples.ts';
import { encodeHeartbeat, HEARTBEAT_INTERVAL_MS } from '../health/heartbeat.ts';
import { InferenceTelemetry } from '../health/inference-telemetry.ts';
import { type Plain, toPlain } from '../health/plain.ts';
import type { AgentClock, AgentLogger, Disk, DriveSource, ModelRuntime, VehicleLink, VehicleSigner } from '../ports.ts';
import { DiskRing, type DiskRingLimits } from '../record/disk-ring.ts';
import { PullDesk } from '../record/pull-desk.ts';
import type { Redactor } from '../record/redactor.ts';
import type { DurableFiles } from '../spool/durable-files.ts';
import { Spool } from '../spool/spool.ts';
import type { SpoolLimits } from '../spool/spool-space.ts';
import type { NetworkClassSource } from '../uplink/network-class.ts';
import { Uplink } from '../uplink/uplink.ts';
import type { UplinkConfig } from '../uplink/uplink-config.ts';
import { AgentExplainer } from './agent-explainer.ts';
import { CaptureLine } from './capture-line.ts';
import { DriveRunner } from './drive-runner.ts';
import { RecordingKeeper } from './recording-keeper.ts';

/** How long a stop waits for the last report. */
const LAST_REPORT_MS = 1_000;

export type VehicleAgentOptions = {
  readonly vehicleId: VehicleId;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly disk: Disk;
  /** Folders of the spool and of the ring, absolute. */
  readonly folders: { readonly spool: string; readonly ring: string };
  readonly spoolLimits: SpoolLimits;
  readonly ringBytesMax: number;
  readonly ringLimits: Partial<DiskRingLimits>;
  /** Small files of the agent beside the spool. */
  readonly stateFiles: DurableFiles;
  readonly link: VehicleLink;
  readonly signer: VehicleSigner;
  readonly uplinkConfig: UplinkConfig;
  readonly network?: NetworkClassSource;
  readonly drives: DriveSource;
  /** What live publishers have sent, for the status; undefined for a playlist. */
  readonly published?: PublishedReport;
  readonly redactor?: Redactor;
  /** Most bytes of sampled feature inputs in an hour; none without it. */
  readonly sampleBytesPerHour?: number;
  readonly runtime: ModelRuntime;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly rssBytes: () => number;
};

export class VehicleAgent {
  readonly #options: VehicleAgentOptions;
  readonly #line: CaptureLine;
  readonly #spool: Spool;
  readonly #ring: DiskRing;
  readonly #keeper: RecordingKeeper;
  readonly #runner: DriveRunner;
  readonly #pulls: PullDesk;
  readonly #uplink: Uplink;
  readonly #telemetry: InferenceTelemetry;
  readonly #samples: FeatureSamples;
  readonly #follower: DesiredFollower;
  readonly #director: DirectorHandOver;
  readonly #reporter: StateReporter;
  readonly #explainer: AgentExplainer;
  readonly #stopping = new AbortController();
  #inferences = 0;

  private constructor(options: VehicleAgentOptions, spool: Spool, ring: DiskRing) {
    const { vehicleId, hardwareRevision, link, clock, logger, runtime, signer, drives, stateFiles } = options;
    this.#options = options;
    this.#spool = spool;
    this.#ring = ring;
    this.#line = this.#makeLine();
    this.#keeper = new RecordingKeeper({
      spool,
      clock,
      logger,
      onKept: async ({ campaignIds, endNs }, sizeBytes) => this.#line.campaigns.recorded(campaignIds, sizeBytes, endNs),
    });
    this.#telemetry = new InferenceTelemetry({ vehicleId, hardwareRevision, link, clock, logger });
    this.#samples = this.#makeSamples();
    this.#runner = new DriveRunner({
      drives,
      runtime,
      clock,
      logger,
      line: this.#line,
      keeper: this.#keeper,
      onInference: (result, { attributes }) => {
        this.#inferences += 1;
        this.#telemetry.add(result, runtime.deadlineMisses);
        this.#samples.add(result, attributes);
      },
      onDrive: () => this.#reporter.changed(),
    });
    this.#pulls = this.#makePulls();
    const { uplinkConfig: config, network } = options;
    this.#uplink = new Uplink({
      vehicleId,
      spool,
      link,
      signer,
      clock,
      logger,
      config,
      files: stateFiles,
      ...(network === undefined ? {} : { network }),
    });
    this.#director = new DirectorHandOver(runtime, logger);
    this.#reporter = new StateReporter({ vehicleId, link, clock, logger, state: () => this.report() });
    this.#follower = this.#makeFollower();
    this.#explainer = this.#makeExplainer();
    spool.onChange(() => this.#reporter.changed());
    runtime.onChange(() => this.#reporter.changed());
  }

  /**
   * Opens the ring and takes up the state of the last run. Capture need not wait until the index of a full spool is read: what it
   * gives out waits for it. @throws FleetError SPOOL_CORRUPT, RECORD_WRITE
   */
  static async open(options: VehicleAgentOptions): Promise<VehicleAgent> {
    const { disk, folders, clock, logger, spoolLimits, ringLimits } = options;
    const spool = Spool.begin({ disk, root: folders.spool, clock, logger, limits: spoolLimits });
    const ring = await DiskRing.open({ disk, root: folders.ring, clock, logger, limits: ringLimits });
    const agent = new VehicleAgent(options, spool, ring);
    await agent.#restore();
    return agent;
  }

  /**
   * Works until the signal is aborted; then stops between two messages and tells the rest.
   * @throws FleetError SPOOL_CORRUPT, RECORD_WRITE
   */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const parts = [
      this.#runner.run(either),
      this.#follower.run(either),
      this.#telemetry.run(either),
      // What they tell of the spool must be true.
      this.#spool.opened.then(async () =>
        Promise.all([
          this.#uplink.run(either),
          this.#reporter.run(either),
          this.#beat(either),
          this.#samples.run(either),
        ]),
      ),
    ];
    try {
      await Promise.all(parts);
    } finally {
      failed.abort();
      this.#stopping.abort();
      await Promise.allSettled(parts);
      await this.#director.close();
      await this.#pulls.idle();
      await this.#keeper.idle();
      await this.#ring.close();
      await this.#spool.close();
      await this.#tellTheRest();
    }
  }

  /** Answers a question of a person or of the cloud. @throws FleetError NOT_FOUND */
  async answer(question: AgentQuestion): Promise<Plain> {
    if (question.kind === 'why') await this.#spool.opened;
    return toPlain(question.kind === 'status' ? this.#explainer.status() : this.#explainer.why(question.subject));
  }

  status(): AgentStatus {
    return this.#explainer.status();
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
      pulls: [...this.#pulls.report()],
      disk: this.#spool.diskState(),
      channels: [...this.#line.monitor.report()],
      source: { sessionsDone: drives.finishedCount, messages: this.#runner.messages, atEnd: drives.isAtEnd },
      rssBytes: rssBytes(),
    };
  }

  #makeLine(): CaptureLine {
    const { vehicleId, hardwareRevision, softwareVersion, ringBytesMax, redactor, stateFiles, logger } = this.#options;
    return new CaptureLine({
      vehicle: { id: vehicleId, hardwareRevision },
      software: { name: 'fleetloop-agent', version: softwareVersion },
      ringBytesMax,
      disk: this.#ring,
      campaigns: {
        vehicle: { ...this.#options.attributes, vehicleId, hardwareRevision, softwareVersion },
        files: stateFiles,
        onTransition: (campaign) => {
          logger.info(campaign, `campaign.${campaign.state}`);
          this.#reporter?.changed();
        },
      },
      ...(redactor === undefined ? {} : { redactor }),
    });
  }

  /** They go where bytes cost little, and after everything else. */
  #makeSamples(): FeatureSamples {
    const {
      vehicleId,
      hardwareRevision,
      softwareVersion,
      sampleBytesPerHour: bytesPerHour = 0,
      link,
      clock,
      logger,
    } = this.#options;
    const { stateFiles: files, redactor, network, uplinkConfig } = this.#options;
    return new FeatureSamples({
      vehicleId,
      hardwareRevision,
      softwareVersion,
      bytesPerHour,
      link,
      clock,
      logger,
      files,
      mayGo: () => {
        const networkClass = network?.current() ?? uplinkConfig.networkClass;
        return (networkClass === 'wifi' || networkClass === 'cellular') && this.#spool.counts().spooled === 0;
      },
      ...(redactor === undefined ? {} : { redactor }),
    });
  }

  #makePulls(): PullDesk {
    const { stateFiles: files, logger } = this.#options;
    return new PullDesk({
      claimRange: async (pull) => this.#line.recorder.claimRange(pull),
      keep: async (effects) => {
        await this.#keeper.take(effects);
        await this.#keeper.idle();
      },
      explain: (eventId) => this.#spool.explain(eventId),
      giveUp: async (eventId, code, reason) => this.#spool.giveUp(eventId, code, reason),
      files,
      logger,
      onChange: () => this.#reporter.changed(),
    });
  }

  #makeFollower(): DesiredFollower {
    const { vehicleId, link, stateFiles: files, clock, logger } = this.#options;
    return new DesiredFollower({
      vehicleId,
      link,
      files,
      clock,
      logger,
      onDesired: (desired) => {
        this.#line.campaigns.apply(desired.campaigns, desired.refused);
        this.#pulls.apply(desired.pulls);
        this.#director.take(desired.director);
        this.#reporter.changed();
      },
    });
  }

  #makeExplainer(): AgentExplainer {
    const { published, redactor, runtime, drives } = this.#options;
    return new AgentExplainer({
      options: this.#options,
      line: this.#line,
      keeper: this.#keeper,
      runner: this.#runner,
      spool: this.#spool,
      uplink: this.#uplink,
      pulls: this.#pulls,
      follower: this.#follower,
      runtime,
      drives,
      redactor,
      published,
      inferences: () => this.#inferences,
    });
  }

  /** What the last run has left: campaigns, budgets, pulls, and the events that a power cut found open. */
  async #restore(): Promise<void> {
    const { logger } = this.#options;
    for (const restored of [this.#line.campaigns.restore(), this.#pulls.restore(), this.#samples.restore()]) {
      await restored.catch((error: unknown) => {
        const { code, message } = FleetError.from(error);
        logger.error({ code, message }, 'agent.state.unreadable');
      });
    }
    const recovered = await this.#line.recorder.recover();
    if (recovered.length > 0) logger.info({ events: recovered.length }, 'record.events.recovered');
    void this.#keeper.take(recovered);
    // Beside the capture that begins: nothing of the last run can be extended any more once its events are on disk.
    void this.#keeper
      .idle()
      .then(async () => this.#spool.settleResumed(this.#stopping.signal))
      .catch((error: unknown) => logger.error({ reason: FleetError.from(error).message }, 'spool.settle.failed'));
    await this.#follower.restore();
  }

  /** Behind a chunk on a slow link an answer takes long; a stop does not wait for it. */
  async #tellTheRest(): Promise<void> {
    const timer = new AbortController();
    const told = this.#telemetry.flush().then(async () => this.#reporter.report());
    await Promise.race([told, this.#options.clock.wait(LAST_REPORT_MS, timer.signal)]);
    timer.abort();
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
      messagesCaptured: this.#runner.messages,
      recordingsSpooled: spooled,
      spooledBytes,
      activeBundle: slots.find((slot) => slot.slot === activeSlot)?.bundle ?? '',
      inferences: this.#inferences,
    });
  }
}
