/** A vehicle that only uploads: what the ingest benchmark sends comes from outside of the process that is measured. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ApiClient } from '@fleetloop/control-plane';
import {
  CHUNK_DIGEST_HEADER,
  CHUNK_SIZE_BYTES_MAX,
  type Digest,
  FleetError,
  parseVehicleId,
  subjects,
  type VehicleId,
} from '@fleetloop/schemas';
import { digestOfBytes, digestToBytes } from '@fleetloop/schemas/crypto';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import { ManifestSchema, ReceiptSchema, SignedManifestSchema } from '@fleetloop/schemas/wire';
import { jetstream } from '@nats-io/jetstream';
import { createUser, type KeyPair } from '@nats-io/nkeys';
import { connect, headers, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';

/** Chunks on their way at once. */
const CHUNKS_AT_ONCE = 8;
const PUBLISH_TIMEOUT_MS = 30_000;
const START_NS = 1_700_000_000_000_000_000n;

export type PreparedUpload = {
  readonly chunks: readonly { readonly bytes: Uint8Array; readonly digest: Digest }[];
  readonly manifest: Uint8Array;
  readonly sizeBytes: number;
};

export class BenchVehicle implements AsyncDisposable {
  readonly id: VehicleId;
  readonly #key: KeyPair;
  readonly #connection: NatsConnection;
  #open = 0;
  #done = Promise.withResolvers<void>();

  private constructor(id: VehicleId, key: KeyPair, connection: NatsConnection) {
    this.id = id;
    this.#key = key;
    this.#connection = connection;
  }

  static async enrol(api: ApiClient, natsUrl: string, id: string): Promise<BenchVehicle> {
    const vehicleId = parseVehicleId(id);
    const key = createUser();
    const body = {
      vehicleId,
      publicKey: key.getPublicKey(),
      hardwareRevision: 'A',
      softwareVersion: '1.0.0',
      place: '',
    };
    const { jwt } = await api.post<{ jwt: string }>('/v1/vehicles', body);
    const connection = await connect({
      servers: natsUrl,
      authenticator: jwtAuthenticator(jwt, key.getSeed()),
      inboxPrefix: subjects.inboxPrefix(vehicleId),
    });
    const vehicle = new BenchVehicle(vehicleId, key, connection);
    void vehicle.#listen();
    await connection.flush();
    return vehicle;
  }

  /** Cuts, hashes and signs: the vehicle's own work, which is not part of ingest. */
  prepare(eventId: string, bytes: Uint8Array): PreparedUpload {
    const chunks = Array.from({ length: Math.ceil(bytes.length / CHUNK_SIZE_BYTES_MAX) }, (_, index) => {
      const chunk = bytes.subarray(index * CHUNK_SIZE_BYTES_MAX, (index + 1) * CHUNK_SIZE_BYTES_MAX);
      return { bytes: chunk, digest: digestOfBytes(chunk) };
    });
    const digests = chunks.map(({ digest }) => digestToBytes(digest));
    return { chunks, manifest: this.#manifest(eventId, bytes, digests), sizeBytes: bytes.length };
  }

  /** Sends chunks and manifest; the receipt is awaited by `allVerified`. */
  async upload({ chunks, manifest }: PreparedUpload): Promise<void> {
    const js = jetstream(this.#connection);
    const onTheWay = new Set<Promise<unknown>>();
    for (const { bytes, digest } of chunks) {
      const header = headers();
      header.set(CHUNK_DIGEST_HEADER, digest);
      const sent: Promise<unknown> = js
        .publish(subjects.chunk(this.id, 'normal'), bytes, { headers: header, timeout: PUBLISH_TIMEOUT_MS })
        .finally(() => onTheWay.delete(sent));
      onTheWay.add(sent);
      if (onTheWay.size >= CHUNKS_AT_ONCE) await Promise.race(onTheWay);
    }
    await Promise.all(onTheWay);
    this.#open += 1;
    await js.publish(subjects.manifest(this.id, 'normal'), manifest, { timeout: PUBLISH_TIMEOUT_MS });
  }

  /** Resolves when every upload so far is verified. */
  async allVerified(): Promise<void> {
    while (this.#open > 0) await this.#done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }

  #manifest(eventId: string, bytes: Uint8Array, chunkDigests: Uint8Array[]): Uint8Array {
    const manifest = toBinary(
      ManifestSchema,
      create(ManifestSchema, {
        version: 1,
        vehicleId: this.id,
        eventId,
        recordingDigest: digestToBytes(digestOfBytes(bytes)),
        sizeBytes: BigInt(bytes.length),
        chunkSizeBytes: CHUNK_SIZE_BYTES_MAX,
        chunkDigests,
        priority: 'normal',
        session: 'bench',
        campaignIds: ['bench'],
      }),
    );
    return toBinary(
      SignedManifestSchema,
      create(SignedManifestSchema, {
        manifest,
        signature: this.#key.sign(manifest),
        publicKey: this.#key.getPublicKey(),
      }),
    );
  }

  async #listen(): Promise<void> {
    for await (const message of this.#connection.subscribe(subjects.receipt(this.id))) {
      const { outcome } = fromBinary(ReceiptSchema, message.data);
      if (outcome.case === 'verified') this.#open -= 1;
      else
        this.#done.reject(
          new FleetError('UPLINK_REFUSED', `the benchmark's upload was answered with ${String(outcome.case)}`),
        );
      this.#done.resolve();
      this.#done = Promise.withResolvers();
    }
  }
}

/** A recording of about `sizeBytes` of incompressible numbers, so that its size on the wire is its size on disk. */
export async function makeBenchRecording(options: {
  readonly vehicleId: string;
  readonly eventId: string;
  readonly sizeBytes: number;
  readonly valuesPerMessage: number;
  /** The most messages, for a recording that is smaller than one MCAP chunk. */
  readonly messagesMax?: number;
}): Promise<Uint8Array> {
  const { vehicleId, eventId, sizeBytes, valuesPerMessage, messagesMax = Number.POSITIVE_INFINITY } = options;
  const parts: Uint8Array[] = [];
  let position = 0;
  const writable = {
    position: () => BigInt(position),
    write: async (bytes: Uint8Array) => {
      parts.push(Uint8Array.from(bytes));
      position += bytes.length;
    },
  };
  const writer = await RecordingWriter.open(writable, {
    vehicle: { id: vehicleId, hardwareRevision: 'A' },
    software: { name: 'bench', version: '1.0.0' },
    session: { name: 'bench', attributes: {} },
    clock: { source: 'bench', uncertaintyNs: '0' },
    event: { id: eventId, startNs: String(START_NS), endNs: String(START_NS), triggers: [], campaigns: [] },
    gaps: [],
    loss: {},
  });
  const signals = Array.from({ length: valuesPerMessage }, (_, index) => ({
    path: `Vehicle.Bench.Value${index}`,
    field: `value${index}`,
    unit: '',
  }));
  const channel = { kind: 'signal', topic: '/vss/Vehicle.Bench', signals } as const;
  const values = new Float64Array(valuesPerMessage);
  for (let sequence = 0; position < sizeBytes && sequence < messagesMax; sequence += 1) {
    for (let index = 0; index < valuesPerMessage; index += 1) values[index] = Math.random();
    const logTimeNs = START_NS + BigInt(sequence) * 1_000_000n;
    await writer.write({ kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values });
  }
  await writer.close();
  return Buffer.concat(parts);
}
