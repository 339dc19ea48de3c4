/** One life of a whole agent, from its start to its stop or to a power cut, on a disk and a link that fail. */
import {
  type AgentLogger,
  type Disk,
  type Drive,
  type DriveSource,
  DurableFiles,
  type ModelRuntime,
  nkeySigner,
  UplinkConfig,
  VehicleAgent,
  type VehicleAgentOptions,
} from '@fleetloop/edge-agent';
import { parseVehicleId, type SourceMessage } from '@fleetloop/schemas';
import { createUser } from '@nats-io/nkeys';
import type { HostileLink } from './hostile-link.ts';
import { settled, type VirtualClock } from './virtual-clock.ts';

export const VEHICLE = parseVehicleId('vehicle-1');
export const STATE = '/state';
/** Making the key takes longer than a short life. */
const SIGNER = nkeySigner(new TextDecoder().decode(createUser().getSeed()));
const STOP_PASSES_MAX = 40;

/** What the agent said of an event: `record.event.spooled` means that the spool has acknowledged it. */
export type LogLine = { readonly event: string; readonly fields: Readonly<Record<string, unknown>> };

const NO_MODEL: ModelRuntime = {
  applyDirector: async () => {},
  push: async () => [],
  endSession: async () => [],
  report: () => ({ counter: 0, activeSlot: null, slots: [], shadowBundle: null, refused: null }),
  deadlineMisses: 0,
  features: () => [],
  onChange: () => {},
  close: async () => {},
};

export type LifeOptions = {
  readonly disk: Disk;
  readonly link: HostileLink;
  readonly clock: VirtualClock;
  readonly limits: Pick<VehicleAgentOptions, 'spoolLimits' | 'ringBytesMax' | 'ringLimits'>;
  readonly network?: VehicleAgentOptions['network'];
  readonly uplinkConfig?: UplinkConfig;
  readonly redactor?: VehicleAgentOptions['redactor'];
  readonly onLog: (line: LogLine) => void;
};

export class AgentLife {
  readonly agent: VehicleAgent;
  readonly feed: LiveFeed;
  readonly #clock: VirtualClock;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #isDone = false;
  /** Why it ended, if it ended by itself. */
  failure: unknown;

  private constructor(agent: VehicleAgent, feed: LiveFeed, clock: VirtualClock) {
    this.agent = agent;
    this.feed = feed;
    this.#clock = clock;
    this.#done = agent
      .run(this.#stop.signal)
      .catch((error: unknown) => {
        this.failure = error;
      })
      .then(() => {
        this.#isDone = true;
      });
  }

  static async start(options: LifeOptions): Promise<AgentLife> {
    const { disk, link, clock, limits, network, uplinkConfig = UplinkConfig.parse({}), redactor, onLog } = options;
    const feed = new LiveFeed();
    const agent = await VehicleAgent.open({
      vehicleId: VEHICLE,
      hardwareRevision: 'A',
      softwareVersion: '1.0.0',
      attributes: {},
      disk,
      link,
      clock,
      uplinkConfig,
      ...limits,
      ...(network === undefined ? {} : { network }),
      ...(redactor === undefined ? {} : { redactor }),
      folders: {
        spool: `${STATE}/spool`,
        ring: `${STATE}/ring`,
      },
      stateFiles: new DurableFiles(disk, STATE),
      signer: SIGNER,
      drives: feed,
      runtime: NO_MODEL,
      logger: loggerTo(onLog),
      rssBytes: () => 0,
    });
    return new AgentLife(agent, feed, clock);
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.#stop.abort();
    for (let passes = 0; !this.#isDone && passes < STOP_PASSES_MAX; passes += 1) await this.#clock.pass(1_000);
    if (!this.#isDone) throw new Error('the agent does not stop');
    await this.#done;
  }
}

function loggerTo(onLog: (line: LogLine) => void): AgentLogger {
  const note = (fields: object, event: string): void => onLog({ event, fields: { ...fields } });
  return { debug: () => {}, info: note, warn: note, error: note };
}

/** Live sessions whose messages come when they are handed over. */
export class LiveFeed implements DriveSource {
  readonly #sessions: LiveQueue[] = [];
  #wake: () => void = () => {};
  #finished = 0;

  get finishedCount(): number {
    return this.#finished;
  }
  get isAtEnd(): boolean {
    return false;
  }

  /** Ends the open session and begins another. */
  begin(drive: Omit<Drive, 'batches' | 'isReplayable' | 'speed' | 'attributes'>): void {
    this.end();
    this.#sessions.push(new LiveQueue(drive));
    this.#wake();
  }
  end(): void {
    this.#sessions.at(-1)?.end();
  }

  /** Resolves when all that can happen with them at once has happened. */
  async push(...messages: readonly SourceMessage[]): Promise<void> {
    this.#sessions.at(-1)?.push(messages);
    await settled();
  }

  async next(signal: AbortSignal): Promise<Drive | undefined> {
    while (!signal.aborted) {
      const queue = this.#sessions.find((each) => !each.isTaken);
      if (queue !== undefined) return queue.take();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return undefined;
  }
  async finished(): Promise<void> {
    this.#finished += 1;
  }
}

class LiveQueue {
  readonly #drive: Omit<Drive, 'batches' | 'isReplayable' | 'speed' | 'attributes'>;
  #batches: (readonly SourceMessage[])[] = [];
  #isEnded = false;
  #wake: () => void = () => {};
  isTaken = false;

  constructor(drive: Omit<Drive, 'batches' | 'isReplayable' | 'speed' | 'attributes'>) {
    this.#drive = drive;
  }

  push(messages: readonly SourceMessage[]): void {
    this.#batches.push(messages);
    this.#wake();
  }
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  take(): Drive {
    this.isTaken = true;
    return {
      ...this.#drive,
      attributes: {},
      isReplayable: false,
      speed: 0,
      batches: (signal) => this.#give(signal),
    };
  }

  async *#give(signal?: AbortSignal): AsyncGenerator<readonly SourceMessage[]> {
    signal?.addEventListener('abort', () => this.#wake(), { once: true });
    while (signal?.aborted !== true) {
      const batch = this.#batches.shift();
      if (batch !== undefined) yield batch;
      else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
