/** Why: the uplink is tested from its other end, by a vehicle that can be made to send whatever a broken or hostile one would. */
import { setTimeout as delay } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { ApiClient } from '@fleetloop/control-plane';
import {
  CHUNK_DIGEST_HEADER,
  parseVehicleId,
  type Priority,
  type RecordingMetadata,
  subjects,
  type VehicleId,
} from '@fleetloop/schemas';
import { digestOfBytes, digestToBytes } from '@fleetloop/schemas/crypto';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import {
  type Manifest,
  ManifestSchema,
  type Receipt,
  ReceiptSchema,
  SignedManifestSchema,
  SignedTombstoneSchema,
  TombstoneSchema,
} from '@fleetloop/schemas/wire';
import { jetstream } from '@nats-io/jetstream';
import { createUser, type KeyPair } from '@nats-io/nkeys';
import { connect, headers, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';

const CHUNK_BYTES = 64 * 1024;
const MESSAGES = 400;
const RECEIPT_TIMEOUT_MS = 30_000;
/** An upload without an answer is repeated after this long. */
const RETRY_TIMEOUT_MS = 2_000;
const PUBLISH_TIMEOUT_MS = 3_000;
const START_NS = 1_700_000_000_000_000_000n;

export type TestRecording = { readonly bytes: Uint8Array; readonly eventId: string; readonly vehicleId: string };

class Refusal extends Error {}

export class TestVehicle implements AsyncDisposable {
  readonly id: VehicleId;
  readonly key: KeyPair;
  readonly connection: NatsConnection;
  readonly receipts: Receipt[] = [];
  #arrival = Promise.withResolvers<void>();

  private constructor(id: VehicleId, key: KeyPair, connection: NatsConnection) {
    this.id = id;
    this.key = key;
    this.connection = connection;
  }

  /** Enrols and connects. */
  static async enrol(api: ApiClient, natsUrl: string, id: string): Promise<TestVehicle> {
    const key = createUser();
    const body = {
      vehicleId: id,
      publicKey: key.getPublicKey(),
      hardwareRevision: 'A',
      softwareVersion: '1.0.0',
      place: 'Oulu',
    };
    const { jwt } = await api.post<{ jwt: string }>('/v1/vehicles', body);
    return TestVehicle.connect(id, key, jwt, natsUrl);
  }

  static async connect(id: string, key: KeyPair, jwt: string, natsUrl: string): Promise<TestVehicle> {
    const vehicleId = parseVehicleId(id);
    const connection = await connect({
      servers: natsUrl,
      authenticator: jwtAuthenticator(jwt, key.getSeed()),
      inboxPrefix: subjects.inboxPrefix(vehicleId),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    const vehicle = new TestVehicle(vehicleId, key, connection);
    void vehicle.#listen();
    await connection.flush();
    return vehicle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.close();
  }

  async sendChunks(bytes: Uint8Array, priority: Priority = 'normal'): Promise<void> {
    await Promise.all(chunksOf(bytes).map(async (chunk) => this.sendChunk(chunk, digestOfBytes(chunk), priority)));
  }

  async sendChunk(chunk: Uint8Array, claimed: string | undefined, priority: Priority = 'normal'): Promise<void> {
    const header = headers();
    if (claimed !== undefined) header.set(CHUNK_DIGEST_HEADER, claimed);
    await jetstream(this.connection).publish(subjects.chunk(this.id, priority), chunk, {
      headers: header,
      timeout: PUBLISH_TIMEOUT_MS,
    });
  }

  /** Publishes bytes as a manifest and returns the next receipt. */
  async sendManifest(bytes: Uint8Array, priority: Priority = 'normal'): Promise<Receipt> {
    const seen = this.receipts.length;
    await this.publish(subjects.manifest(this.id, priority), bytes);
    return this.receiptAfter(seen);
  }

  /** Publishes bytes as a tombstone and returns the next receipt. */
  async sendTombstone(bytes: Uint8Array): Promise<Receipt> {
    const seen = this.receipts.length;
    await this.publish(subjects.tombstone(this.id), bytes);
    return this.receiptAfter(seen);
  }

  async publish(subject: string, bytes: Uint8Array): Promise<void> {
    await jetstream(this.connection).publish(subject, bytes, { timeout: PUBLISH_TIMEOUT_MS });
  }

  /** Repeats a manifest until the answer is the one that is waited for, as an agent does that was told `stored`. */
  async askUntilVerified(recording: TestRecording): Promise<void> {
    const manifest = signManifest(manifestOf(recording), this.key);
    for (;;) {
      try {
        const isKnown = this.receipts.some(
          ({ eventId, outcome }) => eventId === recording.eventId && outcome.case === 'verified',
        );
        if (isKnown) return;
        const seen = this.receipts.length;
        await this.publish(subjects.manifest(this.id, 'normal'), manifest);
        const { outcome } = await this.receiptAfter(seen, RETRY_TIMEOUT_MS, recording.eventId);
        if (outcome.case === 'missing') throw new Refusal(`what was stored of ${recording.eventId} is gone`);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        await this.connection.flush().catch(() => undefined);
      }
    }
  }

  /** The first receipt after the `seen` first ones, of one event where it is named. */
  async receiptAfter(seen: number, timeoutMs = RECEIPT_TIMEOUT_MS, eventId?: string): Promise<Receipt> {
    const expired = delay(timeoutMs, 'expired', { ref: false });
    for (;;) {
      const receipt = this.receipts.slice(seen).find((each) => eventId === undefined || each.eventId === eventId);
      if (receipt !== undefined) return receipt;
      const outcome = await Promise.race([this.#arrival.promise, expired]);
      if (outcome === 'expired') throw new Error(`${this.id} got no receipt in ${timeoutMs} ms`);
    }
  }

  /** Uploads as an agent does: chunks, manifest, and again what is missing. */
  async upload(recording: TestRecording): Promise<Receipt> {
    await this.sendChunks(recording.bytes);
    return this.sendManifest(signManifest(manifestOf(recording), this.key));
  }

  /** Tries again for ever, as an agent does, until this recording is verified. */
  async uploadUntilVerified(recording: TestRecording): Promise<void> {
    await this.uploadUntil('verified', recording);
  }

  /** Tries again for ever until a relay has stored this recording, or the centre verified it. */
  async uploadUntil(outcome: 'stored' | 'verified', recording: TestRecording): Promise<void> {
    const manifest = signManifest(manifestOf(recording), this.key);
    for (;;) {
      try {
        await this.sendChunks(recording.bytes);
        const seen = this.receipts.length;
        await jetstream(this.connection).publish(subjects.manifest(this.id, 'normal'), manifest, {
          timeout: PUBLISH_TIMEOUT_MS,
        });
        const receipt = await this.receiptAfter(seen, RETRY_TIMEOUT_MS, recording.eventId);
        if (receipt.outcome.case === outcome || receipt.outcome.case === 'verified') return;
        if (receipt.outcome.case === 'refused') throw new Refusal(receipt.outcome.value.message);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        await this.connection.flush().catch(() => undefined);
      }
    }
  }

  async #listen(): Promise<void> {
    for await (const message of this.connection.subscribe(subjects.receipt(this.id))) {
      this.receipts.push(fromBinary(ReceiptSchema, message.data));
      this.#arrival.resolve();
      this.#arrival = Promise.withResolvers();
    }
  }
}

export function chunksOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

export function manifestOf(recording: TestRecording, overrides: Partial<Manifest> = {}): Manifest {
  return create(ManifestSchema, {
    version: 1,
    vehicleId: recording.vehicleId,
    eventId: recording.eventId,
    recordingDigest: digestToBytes(digestOfBytes(recording.bytes)),
    sizeBytes: BigInt(recording.bytes.length),
    chunkSizeBytes: CHUNK_BYTES,
    chunkDigests: chunksOf(recording.bytes).map((chunk) => digestToBytes(digestOfBytes(chunk))),
    priority: 'normal',
    session: 'test/drive_01',
    campaignIds: ['hard-brake'],
    ...overrides,
  });
}

export function signManifest(manifest: Manifest, key: KeyPair): Uint8Array {
  const bytes = toBinary(ManifestSchema, manifest);
  return toBinary(
    SignedManifestSchema,
    create(SignedManifestSchema, { manifest: bytes, signature: key.sign(bytes), publicKey: key.getPublicKey() }),
  );
}

export function signTombstone(tombstone: MessageInitShape<typeof TombstoneSchema>, key: KeyPair): Uint8Array {
  const bytes = toBinary(TombstoneSchema, create(TombstoneSchema, tombstone));
  return toBinary(
    SignedTombstoneSchema,
    create(SignedTombstoneSchema, { tombstone: bytes, signature: key.sign(bytes), publicKey: key.getPublicKey() }),
  );
}

/** A real recording; the event id also seeds the values, so that two events never have the same bytes. */
export async function makeRecording(vehicleId: string, eventId: string, messages = MESSAGES): Promise<TestRecording> {
  const parts: Uint8Array[] = [];
  let position = 0n;
  const writable = {
    position: () => position,
    write: async (bytes: Uint8Array) => {
      parts.push(Uint8Array.from(bytes));
      position += BigInt(bytes.length);
    },
  };
  const writer = await RecordingWriter.open(writable, metadataOf(vehicleId, eventId));
  const channel = {
    kind: 'signal',
    topic: '/vss/Vehicle.Acceleration',
    signals: ['Longitudinal', 'Lateral', 'Vertical'].map((name) => ({
      path: `Vehicle.Acceleration.${name}`,
      field: name.toLowerCase(),
      unit: 'm/s^2',
    })),
  } as const;
  let state = Array.from(eventId).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const logTimeNs = START_NS + BigInt(sequence) * 10_000_000n;
    await writer.write({
      kind: 'signal',
      channel,
      sequence,
      logTimeNs,
      publishTimeNs: logTimeNs,
      values: Float64Array.of(random(), random(), random()),
    });
  }
  await writer.close();
  return { bytes: Buffer.concat(parts), eventId, vehicleId };
}

function metadataOf(vehicleId: string, eventId: string): RecordingMetadata {
  return {
    vehicle: { id: vehicleId, hardwareRevision: 'A' },
    software: { name: 'test-vehicle', version: '1.0.0' },
    session: { name: 'test/drive_01', attributes: { place: 'Oulu' } },
    clock: { source: 'test', uncertaintyNs: '1000' },
    event: {
      id: eventId,
      startNs: String(START_NS),
      endNs: String(START_NS + 4_000_000_000n),
      triggers: [{ campaign: 'hard-brake', timeNs: String(START_NS) }],
      campaigns: ['hard-brake'],
    },
    gaps: [],
    loss: {},
  };
}
