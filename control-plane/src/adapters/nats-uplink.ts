/** Feeds an intake from the work queue of the uplink, one lane per priority class, so that nothing waits behind what matters less. */
import { AckPolicy, type Consumer, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { PRIORITIES, SUBJECTS_OF_ALL } from '@fleetloop/schemas';
import { ACK_WAIT_MS, type LaneParts, LaneWork } from './nats-uplink-lane.ts';

const RECONNECT_DELAY_MS = 500;
const NS_PER_MS = 1_000_000;
/** Messages delivered and not acknowledged, for each that is worked on: the window in which vehicles take turns. */
const WINDOW_PER_WORKER = 8;

export type UplinkParts = LaneParts & {
  readonly stream: string;
  /** Begins the names of the durable consumers. */
  readonly consumer: string;
  readonly lanes: readonly Lane[];
};

/** One durable consumer and the subjects that it reads. */
export type Lane = { readonly name: string; readonly filters: readonly string[] };

/** Lanes of the vehicles' own messages. A tombstone is small and explains a loss: it travels with safety. */
export const VEHICLE_LANES: readonly Lane[] = PRIORITIES.map((priority) => ({
  name: priority,
  filters: [
    `fleet.*.uplink.chunk.${priority}`,
    `fleet.*.uplink.manifest.${priority}`,
    ...(priority === 'safety' ? ['fleet.*.uplink.tombstone'] : []),
  ],
}));

/** The same at the centre, where relays report as well. */
export const CENTRE_LANES: readonly Lane[] = [
  ...VEHICLE_LANES,
  { name: 'relay-refusal', filters: [SUBJECTS_OF_ALL.relayRefusal] },
];

/** Consumes all lanes until `signal` aborts; resolves when the last message in work is answered. */
export async function consumeUplink(parts: UplinkParts, signal: AbortSignal): Promise<void> {
  await Promise.all(parts.lanes.map(async (lane) => consumeLane(parts, lane, signal)));
}

async function consumeLane(parts: UplinkParts, lane: Lane, signal: AbortSignal): Promise<void> {
  await using work = new LaneWork(parts);
  while (!signal.aborted) {
    try {
      const consumer = await openConsumer(parts, lane);
      const messages = await consumer.consume({ max_messages: parts.concurrency * 2 });
      const stop = (): void => messages.stop();
      signal.addEventListener('abort', stop, { once: true });
      // It may have been aborted while the consumer was opened.
      if (signal.aborted) stop();
      // Never waits here: the server delivers no more than the window, and what lies in a client's buffer cannot be kept alive.
      for await (const message of messages) work.add(message);
      signal.removeEventListener('abort', stop);
    } catch (error) {
      parts.logger.warn({ err: error, lane: lane.name }, 'ingest.uplink.interrupted');
    }
    if (!signal.aborted) await delay(RECONNECT_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function openConsumer(parts: UplinkParts, lane: Lane): Promise<Consumer> {
  const { connection, stream, concurrency } = parts;
  const name = `${parts.consumer}-${lane.name}`;
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(stream, {
    durable_name: name,
    filter_subjects: [...lane.filters],
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * NS_PER_MS,
    max_deliver: -1,
    max_ack_pending: concurrency * WINDOW_PER_WORKER,
  });
  return jetstream(connection).consumers.get(stream, name);
}
