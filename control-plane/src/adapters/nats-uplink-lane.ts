/** Works on the messages of one lane: vehicles take turns, and a message is acknowledged only after what it brought is durable. */
import { toBinary } from '@bufbuild/protobuf';
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  CHUNK_DIGEST_HEADER,
  FleetError,
  parseVehicleId,
  RELAY_HEADER,
  subjects,
  vehicleOfSubject,
} from '@fleetloop/schemas';
import { ReceiptSchema } from '@fleetloop/schemas/wire';
import type { Logger } from 'pino';
import { FairQueue } from '../ingest/fair-queue.ts';
import type { Intake, IntakeOutcome } from '../ingest/intake.ts';
import { VehicleOrder } from '../ingest/vehicle-order.ts';
import { RELAY_NAME } from '../relay/relay-config.ts';

/** A message that was not answered for this long is delivered again, ms. After a crash this is the longest pause. */
export const ACK_WAIT_MS = 4_000;
const KEEP_ALIVE_MS = ACK_WAIT_MS / 4;
const RETRY_DELAY_MS_MIN = 250;
const RETRY_DELAY_MS_MAX = 15_000;

export type LaneParts = {
  readonly connection: NatsConnection;
  readonly intake: Intake;
  /** Messages of one lane that are worked on at once. */
  readonly concurrency: number;
  readonly logger: LaneLogger;
};

/** What of a logger lanes need. */
export type LaneLogger = Pick<Logger, 'debug' | 'info' | 'warn'>;

/** What was delivered in one lane and is not answered yet. Disposing it waits for what is in work and gives the rest back. */
export class LaneWork implements AsyncDisposable {
  readonly #parts: LaneParts;
  readonly #queue = new FairQueue<JsMsg>();
  readonly #order = new VehicleOrder();
  readonly #inWork = new Set<Promise<void>>();
  readonly #held = new Set<JsMsg>();
  readonly #timer: NodeJS.Timeout;
  #isOpen = true;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#held.forEach((message) => message.working()), KEEP_ALIVE_MS);
  }

  add(message: JsMsg): void {
    this.#held.add(message);
    this.#queue.push(vehicleOfSubject(message.subject), message);
    this.#pump();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) message.nak();
    await Promise.all(this.#inWork);
    clearInterval(this.#timer);
  }

  #pump(): void {
    while (this.#isOpen && this.#inWork.size < this.#parts.concurrency) {
      const message = this.#queue.shift();
      if (message === undefined) return;
      const vehicleId = vehicleOfSubject(message.subject);
      const work = this.#order.run(vehicleId, kindOf(message) === 'manifest', async () => this.#handle(message));
      this.#inWork.add(work);
      void work.finally(() => {
        this.#inWork.delete(work);
        this.#pump();
      });
    }
  }

  /** Never throws: what cannot be stored now is asked for again later. */
  async #handle(message: JsMsg): Promise<void> {
    const { connection, intake, logger } = this.#parts;
    const vehicleId = vehicleOfSubject(message.subject);
    try {
      const outcome = await take(intake, vehicleId, message);
      report(logger, vehicleId, outcome);
      if (outcome.kind !== 'stored' && outcome.receipt !== undefined)
        connection.publish(receiptSubject(message, vehicleId), toBinary(ReceiptSchema, outcome.receipt));
      message.ack();
    } catch (error) {
      this.#retry(message, vehicleId, FleetError.from(error));
    } finally {
      this.#held.delete(message);
    }
  }

  #retry(message: JsMsg, vehicleId: string, failure: FleetError): void {
    const { logger } = this.#parts;
    // Only what a relay reports can be beyond repair here: the intake answers vehicles itself.
    if (kindOf(message) === 'refusal' && !failure.retryable) {
      logger.warn({ err: failure, vehicleId }, 'ingest.relay-refusal.dropped');
      message.ack();
      return;
    }
    const attempt = message.info.deliveryCount;
    const retryMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN * 2 ** Math.min(attempt, 10));
    logger.warn({ err: failure, vehicleId, attempt, retryMs }, 'ingest.retry');
    message.nak(retryMs);
  }
}

type Kind = 'chunk' | 'manifest' | 'tombstone' | 'refusal';

/** `fleet.<vehicle>.uplink.<kind>.<priority>`, or `relayed.<vehicle>.refusal`. */
function kindOf(message: JsMsg): Kind {
  const [root, , second, third] = message.subject.split('.');
  if (root === 'relayed' && second === 'refusal') return 'refusal';
  return third === 'manifest' || third === 'tombstone' ? third : 'chunk';
}

/** Whoever handed it in gets the answer: the vehicle, or the relay that stands in for it. */
function receiptSubject(message: JsMsg, vehicleId: string): string {
  const relay = message.headers?.get(RELAY_HEADER) ?? '';
  return RELAY_NAME.test(relay) ? subjects.relayReceipt(relay, vehicleId) : subjects.receipt(parseVehicleId(vehicleId));
}

async function take(intake: Intake, vehicleId: string, message: JsMsg): Promise<IntakeOutcome> {
  switch (kindOf(message)) {
    case 'manifest':
      return intake.takeManifest(vehicleId, message.data);
    case 'tombstone':
      return intake.takeTombstone(vehicleId, message.data);
    case 'refusal':
      return intake.takeRelayRefusal(vehicleId, message.data);
    case 'chunk':
      return intake.takeChunk(vehicleId, {
        claimed: message.headers?.get(CHUNK_DIGEST_HEADER),
        bytes: message.data,
      });
  }
}

function report(logger: LaneLogger, vehicleId: string, outcome: IntakeOutcome): void {
  if (outcome.kind === 'stored') logger.debug({ vehicleId }, 'ingest.chunk.stored');
  else if (outcome.kind === 'kept') logger.info({ vehicleId, recording: outcome.recording }, 'relay.recording.stored');
  else if (outcome.kind === 'incomplete') logger.debug({ vehicleId }, 'ingest.recording.incomplete');
  else if (outcome.kind === 'refused')
    logger.warn({ vehicleId, code: outcome.code, reason: outcome.message }, 'ingest.refused');
  else
    logger.info(
      { vehicleId, recording: outcome.recording, sequence: outcome.sequence, isNew: outcome.isNew },
      'ingest.recording.verified',
    );
}
