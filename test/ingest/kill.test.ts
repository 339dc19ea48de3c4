/** Why: processes die in the middle of uploads; every event must still arrive, and count exactly once. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage } from '@fleetloop/control-plane';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { makeRecording, TestVehicle, type TestRecording } from './test-vehicle.ts';

const VEHICLES = 3;
const EVENTS_PER_VEHICLE = 12;
const MESSAGES = 6_000;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
const vehicles: TestVehicle[] = [];

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  for (let index = 0; index < VEHICLES; index += 1) {
    vehicles.push(await TestVehicle.enrol(controlPlane.api, bench.nats.url, `vehicle-${index}`));
  }
});
afterAll(async () => {
  for (const vehicle of vehicles) await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

/** Resolves when `count` uploads are verified, counted over all vehicles. */
class Progress {
  #verified = 0;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  add(): void {
    this.#verified += 1;
    for (const { count, resolve } of this.#waiting) if (this.#verified >= count) resolve();
  }

  async reach(count: number): Promise<void> {
    if (this.#verified >= count) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ count, resolve });
    });
  }
}

it('catalogues each event exactly once although the control plane and the nats-server are killed again and again', async () => {
  const recordings = await Promise.all(
    vehicles.flatMap(({ id }) => eventsOf(id).map(async (event) => makeRecording(id, event, MESSAGES))),
  );
  const progress = new Progress();
  const uploads = Promise.all(vehicles.map(async (vehicle) => uploadAll(vehicle, recordings, progress)));
  for (const count of [2, 9, 16]) {
    await progress.reach(count);
    await controlPlane.kill();
    controlPlane = await bench.start();
  }
  for (const count of [22, 28]) {
    await progress.reach(count);
    await bench.nats.kill();
    await bench.nats.restart();
  }
  await uploads;
  const expected = recordings.map(({ eventId }) => eventId).sort();
  await expect.poll(cataloguedEvents, { timeout: 20_000 }).toEqual(expected);
  expect(await acceptedInLedger()).toBe(expected.length);
  expect((await controlPlane.api.get<{ quarantined: unknown[] }>('/v1/quarantine')).quarantined).toEqual([]);
  for (const { id } of vehicles)
    await expect.poll(async () => readdir(join(bench.dataDir, 'staging', id)), { timeout: 30_000 }).toEqual([]);
  expect(await readdir(join(bench.dataDir, 'assembly'))).toEqual([]);
});

it('starts again over what an orderly stop has left', async () => {
  expect(await controlPlane.stop()).toBe(0);
  controlPlane = await bench.start();
  await expect
    .poll(async () => (await cataloguedEvents()).length, { timeout: 20_000 })
    .toBe(VEHICLES * EVENTS_PER_VEHICLE);
});

function eventsOf(vehicleId: string): string[] {
  return Array.from({ length: EVENTS_PER_VEHICLE }, (_, index) => `ev-${vehicleId}-${index}`);
}

/** One after the other, as an agent uploads. */
async function uploadAll(
  vehicle: TestVehicle,
  recordings: readonly TestRecording[],
  progress: Progress,
): Promise<void> {
  for (const recording of recordings.filter(({ vehicleId }) => vehicleId === vehicle.id)) {
    await vehicle.uploadUntilVerified(recording);
    progress.add();
  }
}

async function cataloguedEvents(): Promise<readonly string[]> {
  const page = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
  return page.recordings.map(({ event }) => event ?? '').toSorted((left, right) => left.localeCompare(right));
}

/** Counted in the ledger itself, past the control plane and its projections. */
async function acceptedInLedger(): Promise<number> {
  const entries = await bench.readLedger();
  return entries.filter(({ kind }) => kind === 'recording.accepted').length;
}
