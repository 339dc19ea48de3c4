/** Brings the reported states of a region's vehicles to the centre; each is confirmed there before it is forgotten here. */
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS } from '@fleetloop/schemas';
import type { Logger } from 'pino';

const CONSUMER = 'relay-reports';
const STREAM = `KV_${BUCKETS.reported}`;
const ACK_WAIT_NS = 10_000_000_000;
const STORE_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MS = 1_000;

export type ReportParts = { readonly connection: NatsConnection; readonly hubDomain: string; readonly logger: Logger };

/** Works until `signal` aborts. */
export async function forwardReports(parts: ReportParts, signal: AbortSignal): Promise<void> {
  const { connection, logger } = parts;
  while (!signal.aborted) {
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false });
      await manager.consumers.add(STREAM, {
        durable_name: CONSUMER,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.LastPerSubject,
        filter_subject: `$KV.${BUCKETS.reported}.>`,
        ack_wait: ACK_WAIT_NS,
        // One after the other: a later report of a vehicle must not be overtaken by an earlier one.
        max_ack_pending: 1,
      });
      const consumer = await jetstream(connection).consumers.get(STREAM, CONSUMER);
      const messages = await consumer.consume({ max_messages: 1 });
      const stop = (): void => messages.stop();
      signal.addEventListener('abort', stop, { once: true });
      for await (const message of messages) await forward(parts, message);
      signal.removeEventListener('abort', stop);
    } catch (error) {
      logger.warn({ err: error }, 'relay.reports.interrupted');
    }
    if (!signal.aborted) await delay(RETRY_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function forward({ connection, hubDomain, logger }: ReportParts, message: JsMsg): Promise<void> {
  try {
    await connection.request(`$JS.${hubDomain}.API.${message.subject}`, message.data, { timeout: STORE_TIMEOUT_MS });
    message.ack();
  } catch (error) {
    logger.debug({ err: error }, 'relay.report.retry');
    message.nak(RETRY_DELAY_MS);
  }
}
