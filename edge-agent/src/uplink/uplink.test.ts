import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FleetError, parseVehicleId, subjects } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import {
  ManifestSchema,
  ReceiptSchema,
  SignedManifestSchema,
  SignedTombstoneSchema,
  TombstoneSchema,
} from '@fleetloop/schemas/wire';
import { createUser } from '@nats-io/nkeys';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../adapters/system-clock.ts';
import type { VehicleLink } from '../ports.ts';
import type { SpoolEntry, TombstoneEntry } from '../spool/spool-entry.ts';
import { MESSAGES_IN_FLIGHT_MAX, Uplink } from './uplink.ts';
import type { UploadSpool } from './upload-item.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const VEHICLE = parseVehicleId('v1');
const CHUNK = 4;

/** Recordings in memory and what became of them. */
class MemorySpool implements UploadSpool {
  readonly bytes = new Map<string, Uint8Array>();
  readonly outcomes: string[] = [];
  #entries: SpoolEntry[] = [];
  #tombstones: TombstoneEntry[] = [];
  #listener: () => void = () => {};

  put(
    eventId: string,
    priority: SpoolEntry['priority'],
    chunks: number,
    { isSettled = true, storedAt }: { readonly isSettled?: boolean; readonly storedAt?: string } = {},
  ): void {
    const bytes = new TextEncoder().encode(`${eventId}:`.padEnd(chunks * CHUNK, '-'));
    this.bytes.set(eventId, bytes);
    const chunkDigests = Array.from({ length: chunks }, (_, index) =>
      digestOfBytes(bytes.subarray(index * CHUNK, (index + 1) * CHUNK)),
    );
    const digest = digestOfBytes(bytes);
    this.#entries.push({
      eventId,
      digest,
      sizeBytes: bytes.length,
      chunkSizeBytes: CHUNK,
      chunkDigests,
      priority,
      session: 's',
      campaignIds: ['c'],
      startNs: 0n,
      endNs: 0n,
      capturedAtMs: 0,
      order: this.#entries.length,
      generation: 1,
      isResumed: storedAt !== undefined,
      isSettled,
      ...(storedAt === undefined ? {} : { storedAt }),
    });
    this.#listener();
  }
  settle(eventId: string): void {
    this.#entries = this.#entries.map((entry) => (entry.eventId === eventId ? { ...entry, isSettled: true } : entry));
    this.#listener();
  }
  bury(eventId: string): void {
    this.#tombstones.push({
      eventId,
      digest: null,
      sizeBytes: 9,
      priority: 'bulk',
      session: 's',
      campaignIds: ['c'],
      startNs: 1n,
      endNs: 2n,
      code: 'SPOOL_FULL',
      reason: 'no room',
      atMs: 3,
      count: 1,
    });
    this.#listener();
  }
  entries = (): readonly SpoolEntry[] => this.#entries;
  tombstones = (): readonly TombstoneEntry[] => this.#tombstones;
  tombstoneDelivered = async (eventId: string): Promise<void> => {
    this.#tombstones = this.#tombstones.filter((entry) => entry.eventId !== eventId);
    this.outcomes.push(`${eventId} buried`);
    this.#listener();
  };
  stored = async (eventId: string, relay: string): Promise<void> => {
    this.outcomes.push(`${eventId} stored at ${relay}`);
  };
  entry = (eventId: string): SpoolEntry | undefined => this.#entries.find((entry) => entry.eventId === eventId);
  onChange(listener: () => void): void {
    this.#listener = listener;
  }
  async readChunk(entry: SpoolEntry, index: number): Promise<Uint8Array> {
    return this.bytes.get(entry.eventId)?.slice(index * CHUNK, (index + 1) * CHUNK) ?? new Uint8Array();
  }
  verified = async (eventId: string): Promise<void> => this.#end(eventId, 'verified');
  refused = async (eventId: string, code: string): Promise<void> => this.#end(eventId, `refused ${code}`);
  quarantine = async (eventId: string, code: string): Promise<void> => this.#end(eventId, `quarantined ${code}`);

  #end(eventId: string, outcome: string): void {
    this.outcomes.push(`${eventId} ${outcome}`);
    this.#entries = this.#entries.filter((entry) => entry.eventId !== eventId);
    this.#listener();
  }
}

/** A link on which each publish waits until it is let through. */
class GatedLink implements VehicleLink {
  isConnected = true;
  readonly all: (() => void)[] = [];
  readonly waiting: {
    readonly subject: string;
    readonly payload: Uint8Array;
    readonly pass: (error?: FleetError) => void;
  }[] = [];
  #receipt: (payload: Uint8Array) => void = () => {};
  #connected: () => void = () => {};

  async publish(subject: string, payload: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.all.push(resolve);
    this.waiting.push({ subject, payload, pass: (error) => (error === undefined ? resolve() : reject(error)) });
    return promise;
  }
  request = async (): Promise<never> => Promise.reject(new FleetError('UPLINK_UNAVAILABLE', 'no'));
  subscribe(subject: string, listener: (payload: Uint8Array) => void): void {
    if (subject === subjects.receipt(VEHICLE)) this.#receipt = listener;
  }
  onConnected(listener: () => void): void {
    this.#connected = listener;
  }
  close = async (): Promise<void> => {};

  answer(
    entry: Pick<SpoolEntry, 'eventId'> & { digest: string },
    outcome: NonNullable<Parameters<typeof create<typeof ReceiptSchema>>[1]>['outcome'],
  ): void {
    const own = Buffer.from(entry.digest.slice('sha256:'.length), 'hex');
    this.#receipt(
      toBinary(
        ReceiptSchema,
        create(ReceiptSchema, {
          recordingDigest: own,
          eventId: entry.eventId,
          ...(outcome === undefined ? {} : { outcome }),
        }),
      ),
    );
  }
  garble(): void {
    this.#receipt(Uint8Array.of(255, 255, 255));
  }
  reconnect(): void {
    this.isConnected = true;
    this.#connected();
  }
  async next(): Promise<(typeof this.waiting)[number]> {
    await vi.waitUntil(() => this.waiting.length > 0, { timeout: 5_000, interval: 1 });
    return this.waiting.shift() as (typeof this.waiting)[number];
  }
}

let spool: MemorySpool;
let link: GatedLink;
let stop: AbortController;
let done: Promise<void>;
const key = createUser();

beforeEach(() => {
  spool = new MemorySpool();
  link = new GatedLink();
  stop = new AbortController();
  const signer = { publicKey: key.getPublicKey(), sign: (bytes: Uint8Array) => key.sign(bytes) };
  const uplink = new Uplink({
    vehicleId: VEHICLE,
    spool,
    link,
    signer,
    clock: systemClock,
    logger: QUIET,
  });
  done = uplink.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  for (const pass of link.all) pass();
  await done;
});

const entryOf = (eventId: string): SpoolEntry => spool.entry(eventId) as SpoolEntry;
const outcomes = async (count: number): Promise<string[]> => {
  await vi.waitUntil(() => spool.outcomes.length >= count, { timeout: 5_000, interval: 1 });
  return spool.outcomes;
};
async function passChunks(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const each = await link.next();
    expect(each.subject).toContain('.uplink.chunk.');
    each.pass();
  }
}

describe('the uplink', () => {
  it('lets a small safety recording pass in the middle of a large bulk one', async () => {
    spool.put('ev-bulk', 'bulk', 200);
    await passChunks(50);
    spool.put('ev-safety', 'safety', 1);
    const published: string[] = [];
    while (!published.includes(subjects.manifest(VEHICLE, 'safety')) && published.length < 200) {
      const each = await link.next();
      published.push(each.subject);
      each.pass();
    }
    // What was in flight goes first; then its chunk, and its manifest close behind it.
    expect(published.indexOf(subjects.chunk(VEHICLE, 'safety'))).toBeLessThanOrEqual(MESSAGES_IN_FLIGHT_MAX);
    expect(published.length).toBeLessThan(200);
  });

  it('leaves a recording alone until it is settled', async () => {
    spool.put('ev-open', 'safety', 1, { isSettled: false });
    spool.put('ev-a', 'normal', 1);
    await passChunks(1);
    expect((await link.next()).subject).toBe(subjects.manifest(VEHICLE, 'normal'));
    expect(link.waiting).toEqual([]);
    spool.settle('ev-open');
    expect((await link.next()).subject).toBe(subjects.chunk(VEHICLE, 'safety'));
  });

  it('lets others pass one that a relay has since before the start', async () => {
    link.isConnected = false;
    spool.put('ev-relayed', 'normal', 1, { storedAt: 'north' });
    spool.put('ev-a', 'normal', 1);
    link.reconnect();
    const { subject, pass } = await link.next();
    expect(subject).toBe(subjects.chunk(VEHICLE, 'normal'));
    pass();
    (await link.next()).pass();
    link.answer(entryOf('ev-a'), {
      case: 'verified',
      value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: 1n },
    });
    expect(await outcomes(1)).toEqual(['ev-a verified']);
  });

  it('brings a signed tombstone before everything else, until its receipt', async () => {
    link.isConnected = false;
    spool.put('ev-a', 'safety', 1);
    spool.bury('ev-gone');
    link.reconnect();
    const { subject, payload, pass } = await link.next();
    expect(subject).toBe(subjects.tombstone(VEHICLE));
    const signed = fromBinary(SignedTombstoneSchema, payload);
    expect(key.verify(signed.tombstone, signed.signature)).toBe(true);
    expect(fromBinary(TombstoneSchema, signed.tombstone)).toMatchObject({
      vehicleId: 'v1',
      eventId: 'ev-gone',
      code: 'SPOOL_FULL',
      startNs: 1n,
      endNs: 2n,
      atMs: 3n,
    });
    pass();
    link.answer(
      { eventId: 'ev-gone', digest: '' },
      { case: 'verified', value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: 1n } },
    );
    expect(await outcomes(1)).toEqual(['ev-gone buried']);
  });

  it('keeps what a relay has and sends nothing of it again after a cut', async () => {
    spool.put('ev-a', 'normal', 1);
    await passChunks(1);
    (await link.next()).pass();
    link.answer(entryOf('ev-a'), { case: 'stored', value: { $typeName: 'fleetloop.uplink.Stored', relay: 'north' } });
    expect(await outcomes(1)).toEqual(['ev-a stored at north']);
    link.reconnect();
    spool.put('ev-b', 'normal', 1);
    await passChunks(1);
    (await link.next()).pass();
    expect(link.waiting).toEqual([]);
    expect(entryOf('ev-a')).toBeDefined();
  });

  it('goes on with the others while one is never answered', async () => {
    for (let index = 0; index < 40; index += 1) spool.put(`ev-${index}`, 'normal', 1);
    const answered = new Set<string>();
    while (answered.size < 39) {
      const { subject, payload, pass } = await link.next();
      pass();
      if (!subject.includes('.manifest.')) continue;
      const { eventId } = fromBinary(ManifestSchema, fromBinary(SignedManifestSchema, payload).manifest);
      if (eventId === 'ev-0') continue;
      answered.add(eventId);
      link.answer(entryOf(eventId), {
        case: 'verified',
        value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: 1n },
      });
    }
    expect((await outcomes(39)).length).toBe(39);
    expect(spool.entries().map((entry) => entry.eventId)).toEqual(['ev-0']);
  });

  it('has more in flight as more is answered, and never more than its maximum', async () => {
    spool.put('ev-a', 'normal', 2_000);
    let most = 0;
    for (let round = 0; round < 25; round += 1) {
      const waiting = link.waiting.splice(0);
      most = Math.max(most, waiting.length);
      for (const { pass } of waiting) pass();
      await vi.waitUntil(() => link.waiting.length > 0, { timeout: 5_000, interval: 1 });
    }
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(MESSAGES_IN_FLIGHT_MAX);
  });

  it('signs a manifest that names the chunks with the key of the vehicle', async () => {
    spool.put('ev-a', 'normal', 3);
    const entry = entryOf('ev-a');
    await passChunks(3);
    const { subject, payload, pass } = await link.next();
    expect(subject).toBe(subjects.manifest(VEHICLE, 'normal'));
    const signed = fromBinary(SignedManifestSchema, payload);
    expect(key.verify(signed.manifest, signed.signature)).toBe(true);
    const manifest = fromBinary(ManifestSchema, signed.manifest);
    expect(manifest).toMatchObject({
      vehicleId: 'v1',
      eventId: 'ev-a',
      priority: 'normal',
      sizeBytes: 12n,
      chunkSizeBytes: CHUNK,
    });
    expect(manifest.chunkDigests.map((digest) => `sha256:${Buffer.from(digest).toString('hex')}`)).toEqual(
      entry.chunkDigests,
    );
    pass();
    link.answer(entry, { case: 'verified', value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: 3n } });
    expect(await outcomes(1)).toEqual(['ev-a verified']);
  });

  it('sends exactly the chunks that a receipt misses and then asks again', async () => {
    spool.put('ev-a', 'normal', 10);
    await passChunks(10);
    (await link.next()).pass();
    link.answer(entryOf('ev-a'), {
      case: 'missing',
      value: { $typeName: 'fleetloop.uplink.Missing', chunkBitmap: Uint8Array.of(0b0000_0100, 0b0000_0010) },
    });
    const [first, second] = [await link.next(), await link.next()];
    const bytes = spool.bytes.get('ev-a') as Uint8Array;
    expect([first.payload, second.payload]).toEqual([bytes.slice(8, 12), bytes.slice(36, 40)]);
    first.pass();
    second.pass();
    expect((await link.next()).subject).toBe(subjects.manifest(VEHICLE, 'normal'));
  });

  it('ends nothing on a receipt for other bytes or on garbage', async () => {
    spool.put('ev-a', 'normal', 1);
    const entry = entryOf('ev-a');
    const other = { ...entry, digest: digestOfBytes(Uint8Array.of(1)) };
    await passChunks(1);
    (await link.next()).pass();
    link.answer(other, { case: 'verified', value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: 3n } });
    link.garble();
    link.answer(entry, {
      case: 'refused',
      value: { $typeName: 'fleetloop.uplink.Refused', code: 'INGEST_LIMIT', message: 'no' },
    });
    expect(await outcomes(1)).toEqual(['ev-a refused INGEST_LIMIT']);
  });

  it('tries again after the link failed, and at once when it is back', async () => {
    spool.put('ev-a', 'normal', 1);
    const first = await link.next();
    link.isConnected = false;
    first.pass(new FleetError('UPLINK_UNAVAILABLE', 'gone'));
    link.reconnect();
    await passChunks(1);
    expect((await link.next()).subject).toBe(subjects.manifest(VEHICLE, 'normal'));
  });

  it('sets a recording aside that has changed on disk, without sending it', async () => {
    spool.put('ev-a', 'normal', 1);
    spool.bytes.set('ev-a', Uint8Array.of(9, 9, 9, 9));
    expect(await outcomes(1)).toEqual(['ev-a quarantined SPOOL_CORRUPT']);
    expect(link.waiting).toEqual([]);
  });
});
