/** Composes the live sources that the configuration names, and keeps their clock sampled. */
import { SAMPLE_INTERVAL_MS, type ClockPair } from '../capture/clock-session.ts';
import type { TopicCounters } from '../capture/live-channels.ts';
import { LiveIntake } from '../capture/live-intake.ts';
import type { LiveConfig } from '../capture/live-limits.ts';
import { LiveSource } from '../capture/live-source.ts';
import type { AgentLogger } from '../ports.ts';
import { LiveNats } from './live-nats.ts';
import { LiveSocketServer } from './live-socket-server.ts';
import { bootId, machineClocks } from './machine-clocks.ts';

export type OpenLiveSourceOptions = {
  readonly config: LiveConfig;
  readonly logger: AgentLogger;
  /** Other clocks than the machine's. */
  readonly clocks?: ClockPair;
};

export type OpenedLiveSource = AsyncDisposable & {
  /** The drives, for `VehicleAgent`. */
  readonly source: LiveSource;
  /** Per topic, for the health report. */
  readonly counters: () => readonly TopicCounters[];
  readonly publishers: LiveSocketServer['publishers'];
  readonly natsConnections: number;
};

/** Everything stops when it is disposed of. @throws FleetError CONFIG_INVALID, SIGNAL_UNKNOWN, UNIT_UNKNOWN, PUBLISH_* */
export async function openLiveSource({ config, logger, clocks }: OpenLiveSourceOptions): Promise<OpenedLiveSource> {
  const intake = new LiveIntake({ config, clocks: clocks ?? machineClocks, bootId: bootId() });
  await using opened = new AsyncDisposableStack();
  const sampler = setInterval(() => sampleClock(intake, logger), SAMPLE_INTERVAL_MS).unref();
  opened.defer(() => clearInterval(sampler));
  let nats: LiveNats | undefined;
  if (config.nats !== undefined) {
    nats = new LiveNats({ config: config.nats, intake, logger });
    opened.defer(async () => nats?.close());
  }
  let server: LiveSocketServer | undefined;
  if (config.socket !== undefined) {
    server = await LiveSocketServer.open({ ...config.socket, intake, logger });
    opened.defer(async () => server?.close());
  }
  const resources = opened.move();
  return {
    source: new LiveSource(intake),
    counters: () => intake.counters(),
    get publishers() {
      return server?.publishers ?? [];
    },
    get natsConnections() {
      return nats?.connections ?? 0;
    },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

function sampleClock(intake: LiveIntake, logger: AgentLogger): void {
  const { name, clock } = intake.session;
  const step = clock.sample();
  if (step === undefined) return;
  logger.warn({ session: name, atNs: step.atNs.toString(), byNs: step.byNs.toString() }, 'capture.clock.stepped');
}
