/** The uplink that is measured: the vehicle's own, on a real nats-server and a real ingest, behind a scripted link. */
import type { ApiClient } from '@fleetloop/control-plane';
import { type AgentLogger, NatsLink, nkeySigner, systemClock, Uplink } from '@fleetloop/edge-agent';
import { parseVehicleId, type Priority, type VehicleId } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { createUser } from '@nats-io/nkeys';
import type { LinkScript } from '../../link/link-script.ts';
import { MemorySpool } from '../../link/memory-spool.ts';
import { ScriptedLink } from '../../link/scripted-link.ts';
import { waitUntil } from '../../world/wait-until.ts';
import type { BenchServers } from '../bench-servers.ts';
import { makeBenchRecording } from '../bench-vehicle.ts';

/** As the spool of the agent cuts them. */
export const CHUNK_BYTES = 64 * 1_024;
/** Different chunks that a recording is announced with which will never be whole. */
const ANNOUNCED_CHUNKS_KEPT = 16;
const LARGE = { valuesPerMessage: 110 };
/** A few messages, about 2 kB with all metadata. */
const SMALL = { valuesPerMessage: 4, messagesMax: 10 };
const VERIFY_TIMEOUT_MS = 300_000;
const QUIET: AgentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A link that counts what was handed over and has no answer yet. */
class CountedLink extends NatsLink {
  unansweredBytes = 0;
  /** Bytes without an answer when the first message went to a subject. */
  readonly aheadBytes = new Map<string, number>();

  override async publish(...args: Parameters<NatsLink['publish']>): Promise<void> {
    const [subject, payload] = args;
    if (!this.aheadBytes.has(subject)) this.aheadBytes.set(subject, this.unansweredBytes);
    this.unansweredBytes += payload.length;
    try {
      await super.publish(...args);
    } finally {
      this.unansweredBytes -= payload.length;
    }
  }
}

export class UplinkSubject implements AsyncDisposable {
  readonly id: VehicleId;
  readonly spool = new MemorySpool();
  readonly proxy: ScriptedLink;
  readonly link: CountedLink;
  readonly uplink: Uplink;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  private constructor(id: VehicleId, seed: string, jwt: string, proxy: ScriptedLink) {
    this.id = id;
    this.proxy = proxy;
    this.link = new CountedLink({ vehicleId: id, url: proxy.url, jwt, seed, logger: QUIET });
    this.uplink = new Uplink({
      vehicleId: id,
      spool: this.spool,
      link: this.link,
      signer: nkeySigner(seed),
      clock: systemClock,
      logger: QUIET,
    });
    this.#done = this.uplink.run(this.#stop.signal);
  }

  static async start({ api, nats }: BenchServers, name: string, script: LinkScript): Promise<UplinkSubject> {
    const key = createUser();
    const jwt = await enrol(api, name, key.getPublicKey());
    const proxy = await ScriptedLink.start({ target: nats.url, script });
    return new UplinkSubject(parseVehicleId(name), new TextDecoder().decode(key.getSeed()), jwt, proxy);
  }

  /** Makes a real recording; `put` starts its upload. */
  async record(eventId: string, priority: Priority, sizeBytes: number): Promise<() => number> {
    // Enough for the size of a large one, which is looked at after each MCAP chunk.
    const shape = sizeBytes < CHUNK_BYTES ? SMALL : LARGE;
    const bytes = await makeBenchRecording({ vehicleId: this.id, eventId, sizeBytes, ...shape });
    return () => this.spool.put({ ...this.#head(eventId, priority), bytes }).sizeBytes;
  }

  /** A recording that is announced and never sent as a whole. */
  announce(eventId: string, priority: Priority, sizeBytes: number): void {
    const bytes = new Uint8Array(ANNOUNCED_CHUNKS_KEPT * CHUNK_BYTES);
    for (let offset = 0; offset < bytes.length; offset += 65_536) {
      crypto.getRandomValues(bytes.subarray(offset, offset + 65_536));
    }
    const digests = Array.from({ length: ANNOUNCED_CHUNKS_KEPT }, (_, index) =>
      digestOfBytes(bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)),
    );
    const chunkDigests = Array.from({ length: sizeBytes / CHUNK_BYTES }, (_, index) => digests[index % digests.length]);
    this.spool.putEntry({
      ...this.#head(eventId, priority),
      bytes,
      sizeBytes,
      digest: digestOfBytes(bytes),
      chunkDigests: chunkDigests.filter((digest) => digest !== undefined),
    });
  }

  /** Resolves with the monotonic time at which the event was verified, ms. */
  async verified(eventId: string, signal: AbortSignal): Promise<number> {
    const end = await waitUntil(async () => this.spool.ends.find((each) => each.eventId === eventId), {
      what: `the receipt of ${eventId}`,
      timeoutMs: VERIFY_TIMEOUT_MS,
      signal,
    });
    if (end.outcome !== 'verified') throw new Error(`${eventId} ended as ${end.outcome}`);
    return end.atMs;
  }

  /** Resolves with the monotonic time at which the server had all chunks of a recording, ms. */
  async arrived(eventId: string, signal: AbortSignal): Promise<number> {
    return waitUntil(async () => (this.#isArrived(eventId) ? performance.now() : undefined), {
      what: `the chunks of ${eventId}`,
      timeoutMs: VERIFY_TIMEOUT_MS,
      signal,
    });
  }

  #isArrived(eventId: string): boolean {
    if (this.spool.ends.some((each) => each.eventId === eventId)) return true;
    const upload = this.uplink.explainEvent(eventId);
    return upload !== undefined && upload.phase !== 'waiting' && upload.chunksLeft === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.link.close();
    await this.proxy[Symbol.asyncDispose]();
  }

  #head(eventId: string, priority: Priority) {
    return { eventId, priority, session: 'bench', campaignIds: ['bench'], chunkSizeBytes: CHUNK_BYTES };
  }
}

async function enrol(api: ApiClient, vehicleId: string, publicKey: string): Promise<string> {
  const body = { vehicleId, publicKey, hardwareRevision: 'A', softwareVersion: '1.0.0', place: '' };
  return (await api.post<{ jwt: string }>('/v1/vehicles', body)).jwt;
}
