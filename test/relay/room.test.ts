/** Why: the disk of a region is bounded. A full one makes vehicles wait; it never costs what was promised. */
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { subjects } from '@fleetloop/schemas';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { makeRecording, manifestOf, signManifest, TestVehicle, type TestRecording } from '../ingest/test-vehicle.ts';
import { openRegion, type Region } from './region.ts';

/** Longer than the relay takes for a recording; one that is full says nothing until it has room. */
const ANSWER_TIMEOUT_MS = 5_000;
const MIB = 1024 * 1024;
const RECORDINGS = 30;
const LIMITS = { recordingBytesMax: MIB, streamBytesMax: MIB, heldBytesMax: 2 * MIB };

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let region: Region;
let vehicle: TestVehicle;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  region = await openRegion(bench, LIMITS);
  await region.startRelay();
  vehicle = await TestVehicle.enrol(controlPlane.api, region.leaf.url, 'vehicle-1');
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

it('tells vehicles to wait while the centre is away and the region is full, and brings all of it on afterwards', async () => {
  const recordings = await Promise.all(
    Array.from({ length: RECORDINGS }, async (_, index) => makeRecording(vehicle.id, `ev-${index}`, 8_000)),
  );
  expect(recordings.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeGreaterThan(3 * MIB);
  await bench.nats.kill();
  const taken = await fillUp(recordings);
  expect(taken.length).toBeGreaterThan(0);
  expect(taken.length).toBeLessThan(RECORDINGS);
  await bench.nats.restart();
  for (const recording of recordings.filter((each) => !taken.includes(each)))
    await vehicle.uploadUntil('stored', recording);
  await Promise.all(recordings.map(async (recording) => vehicle.askUntilVerified(recording)));
  const accepted = (await bench.readLedger()).flatMap((entry) =>
    entry.kind === 'recording.accepted' ? [entry.body.recording] : [],
  );
  expect(accepted.toSorted()).toEqual(recordings.map(({ bytes }) => digestOfBytes(bytes)).toSorted());
});

/** Uploads until the region is full; gives what it has promised to keep until then. */
async function fillUp(recordings: readonly TestRecording[]): Promise<readonly TestRecording[]> {
  const taken: TestRecording[] = [];
  for (const recording of recordings) {
    try {
      const seen = vehicle.receipts.length;
      await vehicle.sendChunks(recording.bytes);
      await vehicle.publish(subjects.manifest(vehicle.id, 'normal'), signManifest(manifestOf(recording), vehicle.key));
      const { outcome } = await vehicle.receiptAfter(seen, ANSWER_TIMEOUT_MS, recording.eventId);
      // A chunk that found no room comes later than its manifest.
      if (outcome.case !== 'stored') return taken;
    } catch (error) {
      expect(String(error)).toMatch(/maximum bytes exceeded|got no receipt/);
      return taken;
    }
    taken.push(recording);
  }
  return taken;
}
