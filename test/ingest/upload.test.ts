/** Why: what a vehicle uploads is accepted once, and whatever is wrong with it is refused with its reason, kept and answered. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage, RecordingView } from '@fleetloop/control-plane';
import { digestOfBytes, digestToBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import { createUser } from '@nats-io/nkeys';
import { issueVehicleUser } from '@fleetloop/control-plane';
import { parseVehicleId, vehiclePermissions } from '@fleetloop/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { chunksOf, makeRecording, manifestOf, signManifest, TestVehicle } from './test-vehicle.ts';

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let vehicle: TestVehicle;
let events = 0;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'vehicle-1');
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

const nextEvent = (): string => `ev-${String((events += 1)).padStart(24, '0')}`;
const nextRecording = async () => makeRecording(vehicle.id, nextEvent());

/** Waits until the projection shows what the ledger holds. */
async function settled(): Promise<void> {
  type Health = { ledger: { entries: number }; projection: { appliedSequence: number } };
  await expect
    .poll(
      async () => {
        const { ledger, projection } = await controlPlane.api.get<Health>('/v1/health');
        return projection.appliedSequence - ledger.entries;
      },
      { timeout: 10_000, interval: 20 },
    )
    .toBe(0);
}

async function catalogued(digest: string): Promise<RecordingView> {
  await settled();
  return controlPlane.api.get(`/v1/recordings/${digest}`);
}

type Quarantined = {
  readonly code: string;
  readonly recording: string;
  readonly vehicleId: string;
  readonly message: string;
};

async function quarantined(): Promise<Quarantined[]> {
  await settled();
  return (await controlPlane.api.get<{ quarantined: Quarantined[] }>('/v1/quarantine')).quarantined;
}

function refusalOf(receipt: Receipt): string {
  return receipt.outcome.case === 'refused' ? receipt.outcome.value.code : `not refused but ${receipt.outcome.case}`;
}

async function catalogueOf(vehicleId: string): Promise<readonly RecordingView[]> {
  await settled();
  return (
    await controlPlane.api.get<RecordingPage>('/v1/recordings', {
      query: { where: `vehicle == "${vehicleId}"`, limit: 1_000 },
    })
  ).recordings;
}

describe('an upload', () => {
  it('is verified, catalogued and readable byte for byte', async () => {
    const recording = await nextRecording();
    const receipt = await vehicle.upload(recording);
    expect(receipt.outcome.case).toBe('verified');
    const digest = digestOfBytes(recording.bytes);
    const view = await catalogued(digest);
    expect(view).toMatchObject({
      vehicle: 'vehicle-1',
      event: recording.eventId,
      source: 'uplink',
      messages: 400,
      sizeBytes: recording.bytes.length,
    });
    expect(digestOfBytes(await controlPlane.api.getBytes(`/v1/recordings/${digest}/content`))).toBe(digest);
    expect(await readdir(join(bench.dataDir, 'staging', 'vehicle-1'))).toEqual([]);
  });

  it('is answered with the bitmap of exactly the chunks that are missing, and completes when they come', async () => {
    const recording = await makeRecording(vehicle.id, nextEvent(), 12_000);
    const chunks = chunksOf(recording.bytes);
    expect(chunks.length).toBeGreaterThan(3);
    for (const index of [0, 2])
      await vehicle.sendChunk(chunks[index] as Uint8Array, digestOfBytes(chunks[index] as Uint8Array));
    const manifest = signManifest(manifestOf(recording), vehicle.key);
    const receipt = await vehicle.sendManifest(manifest);
    const bitmap = receipt.outcome.case === 'missing' ? receipt.outcome.value.chunkBitmap : new Uint8Array();
    const missing = chunks.map((_, index) => index).filter((index) => ((bitmap[index >>> 3] ?? 0) >>> (index & 7)) & 1);
    expect(missing).toEqual(chunks.map((_, index) => index).filter((index) => index !== 0 && index !== 2));
    for (const index of missing)
      await vehicle.sendChunk(chunks[index] as Uint8Array, digestOfBytes(chunks[index] as Uint8Array));
    expect((await vehicle.sendManifest(manifest)).outcome.case).toBe('verified');
  });

  it('counts once, however often it is repeated', async () => {
    const recording = await nextRecording();
    const first = await vehicle.upload(recording);
    const again = await vehicle.upload(recording);
    expect(again.outcome).toEqual(first.outcome);
    expect((await catalogueOf(vehicle.id)).filter((each) => each.event === recording.eventId)).toHaveLength(1);
  });

  it('counts once when the same event comes under other bytes', async () => {
    const eventId = nextEvent();
    const first = await vehicle.upload(await makeRecording(vehicle.id, eventId, 300));
    const again = await vehicle.upload(await makeRecording(vehicle.id, eventId, 301));
    expect(again.outcome).toEqual(first.outcome);
    expect((await catalogueOf(vehicle.id)).filter((each) => each.event === eventId)).toHaveLength(1);
  });
});

describe('a bad upload', () => {
  it('refuses a manifest that was altered after it was signed', async () => {
    const recording = await nextRecording();
    const bytes = signManifest(manifestOf(recording), vehicle.key);
    // The event id stands as text inside the signed bytes.
    const at = Buffer.from(bytes).indexOf(recording.eventId) + recording.eventId.length - 1;
    bytes[at] = (bytes[at] as number) ^ 1;
    expect(refusalOf(await vehicle.sendManifest(bytes))).toBe('INGEST_MANIFEST_SIGNATURE');
    expect((await quarantined()).at(-1)).toMatchObject({
      code: 'INGEST_MANIFEST_SIGNATURE',
      recording: digestOfBytes(recording.bytes),
    });
  });

  it('refuses a manifest signed by another key', async () => {
    const recording = await nextRecording();
    expect(refusalOf(await vehicle.sendManifest(signManifest(manifestOf(recording), createUser())))).toBe(
      'INGEST_MANIFEST_SIGNATURE',
    );
  });

  it('still accepts the true manifest of a recording after a forged one', async () => {
    const recording = await nextRecording();
    await vehicle.sendChunks(recording.bytes);
    await vehicle.sendManifest(signManifest(manifestOf(recording), createUser()));
    expect((await vehicle.sendManifest(signManifest(manifestOf(recording), vehicle.key))).outcome.case).toBe(
      'verified',
    );
  });

  it('refuses a manifest that speaks for another vehicle', async () => {
    const recording = await nextRecording();
    const manifest = manifestOf(recording, { vehicleId: 'vehicle-2' });
    expect(refusalOf(await vehicle.sendManifest(signManifest(manifest, vehicle.key)))).toBe('INGEST_VEHICLE_MISMATCH');
  });

  it('refuses a manifest that does not decode', async () => {
    expect(refusalOf(await vehicle.sendManifest(Uint8Array.of(255, 255, 255)))).toBe('INGEST_MANIFEST_MALFORMED');
  });

  it('refuses a recording over the limit before its chunks come', async () => {
    const recording = await nextRecording();
    const sizeBytes = 2n ** 40n;
    expect(refusalOf(await vehicle.sendManifest(signManifest(manifestOf(recording, { sizeBytes }), vehicle.key)))).toBe(
      'INGEST_LIMIT',
    );
  });

  it('does not store a chunk whose bytes have another digest than it claims', async () => {
    const recording = await nextRecording();
    const [chunk = new Uint8Array()] = chunksOf(recording.bytes);
    const claimed = digestOfBytes(chunk);
    const corrupt = Uint8Array.from(chunk);
    corrupt[10] = (corrupt[10] as number) ^ 1;
    const seen = vehicle.receipts.length;
    await vehicle.sendChunk(corrupt, claimed);
    expect(refusalOf(await vehicle.receiptAfter(seen))).toBe('INGEST_CHUNK_DIGEST');
    const receipt = await vehicle.sendManifest(signManifest(manifestOf(recording), vehicle.key));
    expect(receipt.outcome.case).toBe('missing');
    expect((await vehicle.upload(recording)).outcome.case).toBe('verified');
  });

  it('refuses a recording that does not have the digest of its manifest', async () => {
    const recording = await nextRecording();
    await vehicle.sendChunks(recording.bytes);
    const manifest = manifestOf(recording, { recordingDigest: digestToBytes(digestOfBytes(Uint8Array.of(1))) });
    expect(refusalOf(await vehicle.sendManifest(signManifest(manifest, vehicle.key)))).toBe('INGEST_RECORDING_DIGEST');
  });

  it('refuses a truncated MCAP, keeps its bytes, and answers the same again', async () => {
    const whole = await nextRecording();
    const truncated = { ...whole, bytes: whole.bytes.subarray(0, whole.bytes.length - 100) };
    expect(refusalOf(await vehicle.upload(truncated))).toBe('INGEST_MCAP_INVALID');
    const before = await quarantined();
    expect(before.at(-1)).toMatchObject({
      code: 'INGEST_MCAP_INVALID',
      recording: digestOfBytes(truncated.bytes),
      vehicleId: 'vehicle-1',
    });
    expect(refusalOf(await vehicle.upload(truncated))).toBe('INGEST_MCAP_INVALID');
    expect(await quarantined()).toEqual(before);
    expect((await vehicle.upload(whole)).outcome.case).toBe('verified');
  });

  it('refuses a recording of another vehicle', async () => {
    const foreign = { ...(await makeRecording('vehicle-9', nextEvent())), vehicleId: 'vehicle-1' };
    expect(refusalOf(await vehicle.upload(foreign))).toBe('INGEST_VEHICLE_MISMATCH');
  });

  it('refuses a recording that names another event than its manifest', async () => {
    const recording = { ...(await nextRecording()), eventId: nextEvent() };
    expect(refusalOf(await vehicle.upload(recording))).toBe('INGEST_METADATA_MISSING');
  });

  it('refuses a vehicle that is not enrolled, although its key is trusted', async () => {
    const key = createUser();
    const vehicleId = parseVehicleId('stranger');
    const jwt = await issueVehicleUser({
      vehicleId,
      publicKey: key.getPublicKey(),
      accountSeed: bench.nats.accountSeed,
      permissions: vehiclePermissions(vehicleId),
    });
    await using stranger = await TestVehicle.connect('stranger', key, jwt, bench.nats.url);
    expect(refusalOf(await stranger.upload(await makeRecording('stranger', nextEvent())))).toBe(
      'INGEST_VEHICLE_UNKNOWN',
    );
    expect(await readdir(join(bench.dataDir, 'staging'))).not.toContain('stranger');
  });
});
