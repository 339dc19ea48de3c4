/** Why: a region must take recordings while the centre is away, stop bad ones where they are, and hand each over exactly once. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { subjects } from '@fleetloop/schemas';
import { digestOfBytes, digestToBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { VehicleDetails } from '@fleetloop/control-plane';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import {
  chunksOf,
  makeRecording,
  manifestOf,
  signManifest,
  signTombstone,
  TestVehicle,
  type TestRecording,
} from '../ingest/test-vehicle.ts';
import { openRegion, REGION, type Region, type RelayProcess } from './region.ts';

const DEADLINE_MS = 60_000;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let region: Region;
let relay: RelayProcess;
let vehicle: TestVehicle;
let events = 0;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  region = await openRegion(bench);
  relay = await region.startRelay();
  vehicle = await TestVehicle.enrol(controlPlane.api, region.leaf.url, 'vehicle-1');
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

const nextEvent = (): string => `ev-${String((events += 1)).padStart(24, '0')}`;
const nextRecording = async (messages?: number) => makeRecording(vehicle.id, nextEvent(), messages);
const outcomeOf = (receipt: Receipt): string =>
  receipt.outcome.case === 'refused' ? receipt.outcome.value.code : String(receipt.outcome.case);

async function acceptedEvents(): Promise<readonly string[]> {
  const entries = await bench.readLedger();
  return entries.flatMap((entry) => (entry.kind === 'recording.accepted' ? [entry.body.metadata.event?.id ?? ''] : []));
}

async function verifiedEvents(recordings: readonly TestRecording[]): Promise<void> {
  await Promise.all(recordings.map(async (recording) => vehicle.askUntilVerified(recording)));
  const accepted = await acceptedEvents();
  for (const { eventId } of recordings) expect(accepted.filter((each) => each === eventId)).toEqual([eventId]);
}

describe('a region', () => {
  it('answers stored, then passes the verified receipt of the centre on, and keeps no copy', async () => {
    const recording = await nextRecording();
    const receipt = await vehicle.upload(recording);
    expect(receipt.outcome).toMatchObject({ case: 'stored', value: { relay: REGION } });
    await verifiedEvents([recording]);
    await expect
      .poll(async () => readdir(join(region.dataDir, 'staging', vehicle.id)), { timeout: DEADLINE_MS })
      .toEqual([]);
    expect(await readdir(join(region.dataDir, 'held'))).toEqual([]);
  });

  it('names the chunks that are missing, and takes the rest', async () => {
    const recording = await nextRecording(12_000);
    const chunks = chunksOf(recording.bytes);
    const manifest = signManifest(manifestOf(recording), vehicle.key);
    for (const chunk of chunks.slice(1)) await vehicle.sendChunk(chunk, digestOfBytes(chunk));
    const receipt = await vehicle.sendManifest(manifest);
    const { outcome } = receipt;
    expect(outcome.case === 'missing' ? [...outcome.value.chunkBitmap].map(Number)[0] : undefined).toBe(1);
    const [first = new Uint8Array()] = chunks;
    await vehicle.sendChunk(first, digestOfBytes(first));
    expect(outcomeOf(await vehicle.sendManifest(manifest))).toBe('stored');
    await verifiedEvents([recording]);
  });

  it('stops a recording with a flipped bit, although its digests were made anew, and tells the centre why', async () => {
    const whole = await nextRecording();
    const bytes = Uint8Array.from(whole.bytes);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const corrupt = { ...whole, bytes };
    expect(outcomeOf(await vehicle.upload(corrupt))).toBe('INGEST_MCAP_INVALID');
    expect(outcomeOf(await vehicle.upload(corrupt))).toBe('INGEST_MCAP_INVALID');
    await expect
      .poll(async () => quarantinedAt(whole.eventId), { timeout: DEADLINE_MS })
      .toEqual([{ source: 'relay', code: 'INGEST_MCAP_INVALID', recording: digestOfBytes(bytes) }]);
    expect(await acceptedEvents()).not.toContain(whole.eventId);
  });

  it('stops a recording that is cut off, and takes the whole one', async () => {
    const whole = await nextRecording();
    const cut = { ...whole, bytes: whole.bytes.subarray(0, whole.bytes.length - 100) };
    expect(outcomeOf(await vehicle.upload(cut))).toBe('INGEST_MCAP_INVALID');
    expect(outcomeOf(await vehicle.upload(whole))).toBe('stored');
    await verifiedEvents([whole]);
  });

  it('refuses a recording whose chunks make another one than its manifest names', async () => {
    const recording = await nextRecording();
    await vehicle.sendChunks(recording.bytes);
    const manifest = manifestOf(recording, { recordingDigest: digestToBytes(digestOfBytes(Uint8Array.of(1))) });
    expect(outcomeOf(await vehicle.sendManifest(signManifest(manifest, vehicle.key)))).toBe('INGEST_RECORDING_DIGEST');
  });

  it('brings a tombstone to the ledger of the centre', async () => {
    const eventId = nextEvent();
    const tombstone = { version: 1, vehicleId: vehicle.id, eventId, atMs: 1n, code: 'SPOOL_FULL', reason: 'no room' };
    const receipt = await vehicle.sendTombstone(signTombstone(tombstone, vehicle.key));
    expect(receipt).toMatchObject({ eventId, outcome: { case: 'verified' } });
  });

  it('carries campaigns, reports and questions between vehicle and centre', async () => {
    const heard = Promise.withResolvers<string>();
    vehicle.connection.subscribe(subjects.desired(vehicle.id), {
      callback: (_error, message) => heard.resolve(message.string()),
    });
    vehicle.connection.subscribe(subjects.explain(vehicle.id), {
      callback: (_error, message) =>
        void message.respond(JSON.stringify({ ok: true, answer: { asked: message.json() } })),
    });
    await vehicle.connection.flush();
    const pull = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:01:00Z', reason: 'a driver called' };
    const { pullId } = await controlPlane.api.post<{ pullId: string }>(`/v1/vehicles/${vehicle.id}/pulls`, pull);
    expect(await heard.promise).toContain(pullId);
    const read = await vehicle.connection.request(subjects.desiredGet(vehicle.id));
    expect(read.string()).toContain(pullId);
    await vehicle.publish(
      subjects.reported(vehicle.id),
      new TextEncoder().encode(JSON.stringify(reportOf(vehicle.id))),
    );
    await expect
      .poll(
        async () =>
          (await controlPlane.api.get<VehicleDetails>(`/v1/vehicles/${vehicle.id}`)).reported?.softwareVersion,
        {
          timeout: DEADLINE_MS,
        },
      )
      .toBe('9.9.9');
    const answer = await controlPlane.api.get(`/v1/vehicles/${vehicle.id}/explain`, { query: { what: 'status' } });
    expect(answer).toMatchObject({ answer: { asked: { kind: 'status' } } });
  });

  it('gives its relay no way to change the streams of the centre', async () => {
    const creds = new TextEncoder().encode(region.leaf.relayUser.creds);
    const connection = await connect({ servers: bench.nats.url, authenticator: credsAuthenticator(creds) });
    try {
      const asked = connection.request('$JS.API.STREAM.PURGE.LEDGER', '', { timeout: 1_000 });
      await expect(asked).rejects.toThrow(/permission/i);
    } finally {
      await connection.close();
    }
  });
});

describe('while parts of the way are down', () => {
  it('answers stored without the centre, and everything is verified once it is back', async () => {
    await bench.nats.kill();
    const recordings = await Promise.all(Array.from({ length: 6 }, async () => nextRecording(3_000)));
    for (const recording of recordings) await vehicle.uploadUntil('stored', recording);
    expect(await readdir(join(region.dataDir, 'held'))).toHaveLength(recordings.length);
    await bench.nats.restart();
    await verifiedEvents(recordings);
  });

  it('keeps what it promised when the relay is killed', async () => {
    await bench.nats.kill();
    const recordings = await Promise.all(Array.from({ length: 4 }, async () => nextRecording(3_000)));
    for (const recording of recordings) await vehicle.uploadUntil('stored', recording);
    await relay.kill();
    await bench.nats.restart();
    relay = await region.startRelay();
    await verifiedEvents(recordings);
  });

  it('loses nothing when the nats-server of the region is killed in the middle of uploads, relay and all', async () => {
    const recordings = await Promise.all(Array.from({ length: 6 }, async () => nextRecording(6_000)));
    const [first, ...others] = recordings;
    if (first === undefined) throw new Error('no recording');
    await vehicle.uploadUntil('stored', first);
    const uploads = Promise.all(others.map(async (recording) => vehicle.uploadUntil('stored', recording)));
    await region.leaf.kill();
    await relay.kill();
    await region.leaf.restart();
    relay = await region.startRelay();
    await uploads;
    await verifiedEvents(recordings);
  });

  it('loses nothing when centre and region are down together', async () => {
    const recordings = await Promise.all(Array.from({ length: 4 }, async () => nextRecording(6_000)));
    for (const recording of recordings) await vehicle.uploadUntil('stored', recording);
    await Promise.all([bench.nats.kill(), region.leaf.kill(), relay.kill(), controlPlane.kill()]);
    await region.leaf.restart();
    relay = await region.startRelay();
    await bench.nats.restart();
    controlPlane = await bench.start();
    await verifiedEvents(recordings);
    const accepted = await acceptedEvents();
    expect(new Set(accepted).size).toBe(accepted.length);
  });
});

async function quarantinedAt(eventId: string): Promise<readonly object[]> {
  const entries = await bench.readLedger();
  return entries.flatMap((entry) => {
    if (entry.kind !== 'recording.quarantined' || entry.body.eventId !== eventId) return [];
    const { source, code, recording } = entry.body;
    return [{ source, code, recording }];
  });
}

function reportOf(vehicleId: string): object {
  return {
    kind: 'reported-state',
    vehicleId,
    at: '2026-01-01T00:00:00.000Z',
    desiredVersion: 1,
    hardwareRevision: 'A',
    softwareVersion: '9.9.9',
    campaigns: [],
    model: { counter: 0, activeSlot: null, slots: [], shadowBundle: null, refused: null },
    uplink: { spooled: 0, spooledBytes: 0, verified: 0, refused: 0 },
    source: { sessionsDone: 0, messages: 0, atEnd: false },
    rssBytes: 0,
  };
}
