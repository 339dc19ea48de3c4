/** Feeds ingest from the UPLINK work queue: acknowledges a message only after what it brought is durable. */
import { toBinary } from '@bufbuild/protobuf';
import { AckPolicy, type Consumer, jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CHUNK_DIGEST_HEADER,
  FleetError,
  parseVehicleId,
  STREAMS,
  subjects,
  vehicleOfSubject,
} from '@fleetloop/schemas';
import { ReceiptSchema } from '@fleetloop/schemas/wire';
import type { Logger } from 'pino';
import type { IntakeOutcome, UploadIntake } from '../ingest/upload-intake.ts';
import { VehicleOrder } from '../ingest/vehicle-order.ts';

const CONSUMER = 'ingest';
/** A message that was not answered for this long is delivered again, ms. After a crash this is the longest pause. */
const ACK_WAIT_MS = 4_000;
const KEEP_ALIVE_MS = ACK_WAIT_MS / 4;
const RETRY_DELAY_MS_MIN = 250;
const RETRY_DELAY_MS_MAX = 15_000;
const RECONNECT_DELAY_MS = 500;
const NS_PER_MS = 1_000_000;

export type UplinkParts = {
  readonly connection: NatsConnection;
  readonly intake: UploadIntake;
  readonly concurrency: number;
  readonly logger: Logger;
};

/** Consumes until `signal` aborts; resolves when the last message in work is answered. */
export async function consumeUplink(parts: UplinkParts, signal: AbortSignal): Promise<void> {
  const order = new VehicleOrder();
  const inWork = new Set<Promise<void>>();
  while (!signal.aborted) {
    try {
      const consumer = await openConsumer(parts);
      const messages = await consumer.consume({ max_messages: parts.concurrency * 2 });
      const stop = (): void => messages.stop();
      signal.addEventListener('abort', stop, { once: true });
      for await (const message of messages) {
        const work = order.run(vehicleOfSubject(message.subject), isManifest(message), async () =>
          handle(parts, message),
        );
        inWork.add(work);
        void work.finally(() => inWork.delete(work));
        if (inWork.size >= parts.concurrency) await Promise.race(inWork);
      }
      signal.removeEventListener('abort', stop);
    } catch (error) {
      parts.logger.warn({ err: error }, 'ingest.uplink.interrupted');
    }
    if (!signal.aborted) await delay(RECONNECT_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(inWork);
}

async function openConsumer({ connection, concurrency }: UplinkParts): Promise<Consumer> {
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(STREAMS.uplink, {
    durable_name: CONSUMER,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * NS_PER_MS,
    max_deliver: -1,
    max_ack_pending: concurrency * 4,
  });
  return jetstream(connection).consumers.get(STREAMS.uplink, CONSUMER);
}

function isManifest(message: JsMsg): boolean {
  return message.subject.endsWith('.uplink.manifest');
}

/** Never throws: what cannot be stored now is asked for again later. */
async function handle(parts: UplinkParts, message: JsMsg): Promise<void> {
  const keepAlive = setInterval(() => message.working(), KEEP_ALIVE_MS);
  const vehicleId = vehicleOfSubject(message.subject);
  try {
    const outcome = await take(parts.intake, vehicleId, message);
    report(parts.logger, vehicleId, outcome);
    if (outcome.kind !== 'stored' && outcome.receipt !== undefined) {
      parts.connection.publish(subjects.receipt(parseVehicleId(vehicleId)), toBinary(ReceiptSchema, outcome.receipt));
    }
    message.ack();
  } catch (error) {
    const failure = FleetError.from(error);
    const attempt = message.info.deliveryCount;
    const retryMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN * 2 ** Math.min(attempt, 10));
    parts.logger.warn({ err: failure, vehicleId, attempt, retryMs }, 'ingest.retry');
    message.nak(retryMs);
  } finally {
    clearInterval(keepAlive);
  }
}

async function take(intake: UploadIntake, vehicleId: string, message: JsMsg): Promise<IntakeOutcome> {
  if (isManifest(message)) return intake.takeManifest(vehicleId, message.data);
  return intake.takeChunk(vehicleId, {
    claimed: message.headers?.get(CHUNK_DIGEST_HEADER),
    bytes: message.data,
  });
}

function report(logger: Logger, vehicleId: string, outcome: IntakeOutcome): void {
  if (outcome.kind === 'stored') logger.debug({ vehicleId }, 'ingest.chunk.stored');
  else if (outcome.kind === 'incomplete') logger.debug({ vehicleId }, 'ingest.recording.incomplete');
  else if (outcome.kind === 'refused')
    logger.warn({ vehicleId, code: outcome.code, reason: outcome.message }, 'ingest.refused');
  else
    logger.info(
      { vehicleId, recording: outcome.recording, sequence: outcome.sequence, isNew: outcome.isNew },
      'ingest.recording.verified',
    );
}
