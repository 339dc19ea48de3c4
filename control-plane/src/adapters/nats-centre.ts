/** The way of a relay to the centre: over the leaf link, into the stream of the centre, which confirms each message. */
import { fromBinary } from '@bufbuild/protobuf';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import {
  CHUNK_DIGEST_HEADER,
  type Digest,
  FleetError,
  parseVehicleId,
  RELAY_HEADER,
  subjects,
} from '@fleetloop/schemas';
import { type Receipt, ReceiptSchema } from '@fleetloop/schemas/wire';
import { z } from 'zod';
import type { ReceivedManifest } from '../ingest/manifest.ts';
import type { Centre } from '../relay/ports.ts';

const STORE_TIMEOUT_MS = 5_000;
/** Ingest answers within this, or the manifest is sent again. */
const ANSWER_TIMEOUT_MS = 15_000;
const Stored = z.object({ stream: z.string().optional(), error: z.object({ description: z.string() }).optional() });

export class NatsCentre implements Centre {
  readonly #connection: NatsConnection;
  readonly #relay: string;
  /** Who waits for an answer, by vehicle and event. */
  readonly #waiting = new Map<string, PromiseWithResolvers<Receipt>>();

  constructor(connection: NatsConnection, relay: string) {
    this.#connection = connection;
    this.#relay = relay;
    connection.subscribe(subjects.relayReceipt(relay, '*'), {
      callback: (error, message) => {
        if (error === null) this.#answer(message.subject.split('.').at(-1) ?? '', message.data);
      },
    });
  }

  async sendChunk(manifest: ReceivedManifest, digest: Digest, bytes: Uint8Array): Promise<void> {
    const named = headers();
    named.set(CHUNK_DIGEST_HEADER, digest);
    await this.#store(subjects.chunk(parseVehicleId(manifest.vehicleId), manifest.priority), bytes, named);
  }

  async ask(manifest: ReceivedManifest): Promise<Receipt> {
    const key = keyOf(manifest.vehicleId, manifest.eventId);
    const answer = Promise.withResolvers<Receipt>();
    this.#waiting.set(key, answer);
    const timer = setTimeout(
      () =>
        answer.reject(new FleetError('RELAY_UNAVAILABLE', `the centre did not answer for ${manifest.eventId} in time`)),
      ANSWER_TIMEOUT_MS,
    );
    // The answer may fail while the manifest is still on its way; whoever waits below sees it.
    answer.promise.catch(() => undefined);
    try {
      const named = headers();
      named.set(RELAY_HEADER, this.#relay);
      await this.#store(
        subjects.manifest(parseVehicleId(manifest.vehicleId), manifest.priority),
        manifest.bytes,
        named,
      );
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(key);
    }
  }

  async sendTombstone(vehicleId: string, bytes: Uint8Array): Promise<void> {
    await this.#store(subjects.tombstone(parseVehicleId(vehicleId)), bytes, undefined);
  }

  async reportRefusal(vehicleId: string, report: Uint8Array): Promise<void> {
    await this.#request(subjects.relayRefusal(parseVehicleId(vehicleId)), report, undefined);
  }

  #answer(vehicleId: string, bytes: Uint8Array): void {
    const receipt = fromBinary(ReceiptSchema, bytes);
    this.#waiting.get(keyOf(vehicleId, receipt.eventId))?.resolve(receipt);
  }

  async #store(uplinkSubject: string, bytes: Uint8Array, named: MsgHdrs | undefined): Promise<void> {
    await this.#request(subjects.relayed(uplinkSubject), bytes, named);
  }

  async #request(subject: string, bytes: Uint8Array, named: MsgHdrs | undefined): Promise<void> {
    const reply = await this.#connection
      .request(subject, bytes, { timeout: STORE_TIMEOUT_MS, ...(named === undefined ? {} : { headers: named }) })
      .catch((cause: unknown) => {
        throw new FleetError('RELAY_UNAVAILABLE', 'the centre is out of reach: it is tried again', { cause });
      });
    const stored = Stored.safeParse(JSON.parse(reply.string()));
    if (stored.success && stored.data.error === undefined && stored.data.stream !== undefined) return;
    const why = stored.data?.error?.description ?? 'no stream took it';
    throw new FleetError('RELAY_UNAVAILABLE', `the centre did not store a message on ${subject}: ${why}`);
  }
}

/** Ids hold no slash. */
const keyOf = (vehicleId: string, eventId: string): string => `${vehicleId}/${eventId}`;
