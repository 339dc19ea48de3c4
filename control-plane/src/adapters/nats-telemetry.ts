/** Feeds monitoring from the TELEMETRY stream in order; acknowledges after inferences and samples are on disk. */
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, jetstream, jetstreamManager, type Consumer, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { STREAMS, vehicleOfSubject } from '@fleetloop/schemas';
import type { Logger } from 'pino';
import type { FleetTelemetry, TelemetryMessage } from '../monitoring/fleet-telemetry.ts';
import type { TelemetrySamples } from '../monitoring/sampled-vectors.ts';

const CONSUMER = 'monitoring';
const ACK_WAIT_MS = 5_000;
const FLUSH_INTERVAL_MS = 2_000;
const RECONNECT_DELAY_MS = 500;
/** Messages delivered and not yet on disk. */
const PENDING_MESSAGES_MAX = 4_096;
const NS_PER_MS = 1_000_000;

export type TelemetryParts = {
  readonly connection: NatsConnection;
  readonly telemetry: FleetTelemetry;
  readonly samples: TelemetrySamples;
  readonly logger: Logger;
};

/** Consumes until `signal` aborts, then writes what is left. */
export async function consumeTelemetry(parts: TelemetryParts, signal: AbortSignal): Promise<void> {
  const writer = new Writer(parts);
  const timer = setInterval(() => void writer.flush(), FLUSH_INTERVAL_MS);
  while (!signal.aborted) {
    try {
      const consumer = await openConsumer(parts.connection);
      const messages = await consumer.consume({ max_messages: PENDING_MESSAGES_MAX / 4 });
      const stop = (): void => messages.stop();
      signal.addEventListener('abort', stop, { once: true });
      // It may have been aborted while the consumer was opened.
      if (signal.aborted) stop();
      for await (const message of messages) await writer.take(message);
      signal.removeEventListener('abort', stop);
    } catch (error) {
      parts.logger.warn({ err: error }, 'monitoring.telemetry.interrupted');
    }
    if (!signal.aborted) await delay(RECONNECT_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
  clearInterval(timer);
  await writer.flush();
}

async function openConsumer(connection: NatsConnection): Promise<Consumer> {
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(STREAMS.telemetry, {
    durable_name: CONSUMER,
    // Acknowledging one message acknowledges all before it.
    ack_policy: AckPolicy.All,
    ack_wait: ACK_WAIT_MS * NS_PER_MS,
    max_deliver: -1,
    max_ack_pending: PENDING_MESSAGES_MAX,
  });
  return jetstream(connection).consumers.get(STREAMS.telemetry, CONSUMER);
}

class Writer {
  readonly #parts: TelemetryParts;
  #last: JsMsg | undefined;
  #flushing: Promise<void> | undefined;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
  }

  async take(message: JsMsg): Promise<void> {
    await this.#flushing;
    this.#last = message;
    const { telemetry, samples } = this.#parts;
    const taken: TelemetryMessage = {
      vehicleId: vehicleOfSubject(message.subject),
      kind: message.subject.split('.').at(-1) ?? '',
      bytes: message.data,
      sequence: message.seq,
      receivedAtMs: Math.floor(message.info.timestampNanos / NS_PER_MS),
    };
    const isFull = [telemetry.take(taken), samples.take(taken)].includes(true);
    if (isFull) await this.flush();
  }

  async flush(): Promise<void> {
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async #write(): Promise<void> {
    const last = this.#last;
    if (last === undefined) return;
    this.#last = undefined;
    try {
      await this.#parts.telemetry.flush(last.seq);
      await this.#parts.samples.flush(last.seq);
      last.ack();
    } catch (error) {
      this.#last = last;
      this.#parts.logger.error({ err: error }, 'monitoring.inferences.write-failed');
    }
  }
}
