/** Why: what matters more must not wait behind what matters less, and what a vehicle has lost must be explained. */
import type { RecordingPage } from '@fleetloop/control-plane';
import { digestOfBytes, digestToBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import { createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import {
  makeRecording,
  manifestOf,
  signManifest,
  signTombstone,
  TestVehicle,
  type TestRecording,
} from './test-vehicle.ts';
import { subjects, type Priority } from '@fleetloop/schemas';

const BULK_RECORDINGS = 16;
const BULK_MESSAGES = 1_000;
const DEADLINE_MS = 60_000;
const ASK_AGAIN_MS = 3_000;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let vehicle: TestVehicle;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'vehicle-1');
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

async function queue(recording: TestRecording, priority: Priority): Promise<void> {
  await vehicle.sendChunks(recording.bytes, priority);
  const manifest = signManifest(manifestOf(recording, { priority }), vehicle.key);
  await vehicle.publish(subjects.manifest(vehicle.id, priority), manifest);
}

const verified = (receipts: readonly Receipt[]): string[] =>
  receipts.flatMap(({ eventId, outcome }) => (outcome.case === 'verified' ? [eventId] : []));

async function acceptedOf(eventId: string): Promise<number> {
  const entries = await bench.readLedger();
  return entries.filter((entry) => entry.kind === 'recording.accepted' && entry.body.metadata.event?.id === eventId)
    .length;
}

describe('lanes', () => {
  it('bring a safety event through before the bulk recordings of the same vehicle that came first', async () => {
    const bulk = await Promise.all(
      Array.from({ length: BULK_RECORDINGS }, async (_, index) =>
        makeRecording(vehicle.id, `bulk-${index}`, BULK_MESSAGES),
      ),
    );
    const safety = await makeRecording(vehicle.id, 'safety-1');
    await controlPlane.stop();
    for (const recording of bulk) await queue(recording, 'bulk');
    await queue(safety, 'safety');
    const seen = vehicle.receipts.length;
    controlPlane = await bench.start();
    const done = (): readonly string[] => verified(vehicle.receipts.slice(seen));
    // As an agent does: what is not answered is asked again.
    const askAgain = async (): Promise<readonly string[]> => {
      if (!done().includes('safety-1')) await queue(safety, 'safety');
      return done();
    };
    await expect.poll(askAgain, { timeout: DEADLINE_MS, interval: ASK_AGAIN_MS }).toContain('safety-1');
    expect(done().indexOf('safety-1')).toBeLessThan(BULK_RECORDINGS / 2);
    await Promise.all(bulk.map(async (recording) => vehicle.uploadUntilVerified(recording)));
    for (const { eventId } of bulk) expect(await acceptedOf(eventId)).toBe(1);
  });

  it('count an event once that comes in two of them under other bytes', async () => {
    const [first, second] = await Promise.all([
      makeRecording(vehicle.id, 'twice', 2_000),
      makeRecording(vehicle.id, 'twice', 2_001),
    ]);
    const seen = vehicle.receipts.length;
    await Promise.all([queue(first, 'safety'), queue(second, 'bulk')]);
    await expect
      .poll(() => verified(vehicle.receipts.slice(seen)), { timeout: DEADLINE_MS })
      .toEqual(['twice', 'twice']);
    expect(await acceptedOf('twice')).toBe(1);
  });

  it('leave no place for a message that nobody would read', async () => {
    const stray = vehicle.publish(`fleet.${vehicle.id}.uplink.chunk.whatever`, Uint8Array.of(1));
    await expect(stray).rejects.toThrow();
  });
});

describe('a tombstone', () => {
  const lost = digestOfBytes(Uint8Array.of(7));
  const tombstone = {
    version: 1,
    vehicleId: 'vehicle-1',
    eventId: 'lost-1',
    recordingDigest: digestToBytes(lost),
    sizeBytes: 4_096n,
    priority: 'bulk',
    session: 'test/drive_01',
    campaignIds: ['hard-brake'],
    startNs: 1n,
    endNs: 2n,
    code: 'SPOOL_FULL',
    reason: 'the quota took it',
    atMs: 1_790_000_000_000n,
  };

  it('becomes one fact, however often it is sent, and says what was lost and why', async () => {
    const bytes = signTombstone(tombstone, vehicle.key);
    const first = await vehicle.sendTombstone(bytes);
    const again = await vehicle.sendTombstone(bytes);
    expect(first).toMatchObject({ eventId: 'lost-1', outcome: { case: 'verified' } });
    expect(again.outcome).toEqual(first.outcome);
    await expect
      .poll(async () => (await controlPlane.api.get<{ lost: object[] }>('/v1/lost-recordings')).lost, {
        timeout: DEADLINE_MS,
      })
      .toMatchObject([
        { vehicle: 'vehicle-1', event: 'lost-1', recording: lost, sizeBytes: 4_096, code: 'SPOOL_FULL' },
      ]);
    const trace = await controlPlane.api.get<{ nodes: { id: string }[] }>('/v1/trace/vehicle:vehicle-1');
    expect(trace.nodes.map(({ id }) => id)).toContain('lost-recording:vehicle-1/lost-1');
    const page = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
    expect(page.recordings.length).toBeGreaterThan(0);
    expect(page.recordings.map(({ event }) => event)).not.toContain('lost-1');
  });

  it('of a recording that has arrived is no loss: the vehicle has missed its receipt', async () => {
    const recording = await makeRecording(vehicle.id, 'arrived-1', 100);
    await vehicle.uploadUntilVerified(recording);
    const digest = digestOfBytes(recording.bytes);
    const arrived = { ...tombstone, eventId: 'arrived-1', recordingDigest: digestToBytes(digest) };
    const { outcome } = await vehicle.sendTombstone(signTombstone(arrived, vehicle.key));
    const ledger = await bench.readLedger();
    const index = ledger.findIndex(({ kind, body }) => kind === 'recording.accepted' && body.recording === digest);
    expect(outcome).toMatchObject({ case: 'verified', value: { ledgerSequence: BigInt(index) + 1n } });
    const lostEvents = ledger.flatMap(({ kind, body }) => (kind === 'recording.evicted' ? [body.eventId] : []));
    expect(lostEvents).not.toContain('arrived-1');
  });

  it('of a part of an event is found by the event, in the list and in the trace', async () => {
    for (const eventId of ['lost-1-rest-2', 'lost-12'])
      await vehicle.sendTombstone(signTombstone({ ...tombstone, eventId }, vehicle.key));
    const eventsOf = async (event: string): Promise<readonly string[]> => {
      const query = { event };
      const { lost } = await controlPlane.api.get<{ lost: { event: string }[] }>('/v1/lost-recordings', { query });
      return lost.map((each) => each.event);
    };
    await expect.poll(async () => eventsOf('lost-12'), { timeout: DEADLINE_MS }).toEqual(['lost-12']);
    expect(await eventsOf('lost-1')).toEqual(['lost-1', 'lost-1-rest-2']);
    await expect(controlPlane.api.get('/v1/trace/lost-1')).rejects.toMatchObject({
      code: 'TRACE_AMBIGUOUS',
      message: expect.stringContaining(
        'lost-recording:vehicle-1/lost-1, lost-recording:vehicle-1/lost-1-rest-2: ',
      ) as string,
    });
    const part = await controlPlane.api.get<{ nodes: { id: string }[] }>('/v1/trace/lost-1-rest-2');
    expect(part.nodes.map(({ id }) => id)).toContain('lost-recording:vehicle-1/lost-1-rest-2');
  });

  it.each([
    ['is forged', () => signTombstone(tombstone, createUser()), 'INGEST_TOMBSTONE'],
    ['does not decode', () => Uint8Array.of(255, 255), 'INGEST_TOMBSTONE'],
    ['has an unknown version', () => signTombstone({ ...tombstone, version: 2 }, vehicle.key), 'INGEST_TOMBSTONE'],
    [
      'speaks for another vehicle',
      () => signTombstone({ ...tombstone, vehicleId: 'vehicle-2' }, vehicle.key),
      'INGEST_VEHICLE_MISMATCH',
    ],
  ])('is refused when it %s', async (_what, make, code) => {
    const { outcome } = await vehicle.sendTombstone(make());
    expect(outcome.case === 'refused' ? outcome.value.code : outcome.case).toBe(code);
  });
});
