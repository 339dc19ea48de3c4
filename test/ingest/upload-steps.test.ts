/** Why: an upload is a row of small steps, and a process may die before any of them; each time one recording must stand in the end. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage } from '@fleetloop/control-plane';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { type Death, DyingProcess, NEVER, PRELOAD } from './dying-process.ts';
import { runCli } from './run-cli.ts';
import { stepsToDieAt } from './step-plan.ts';
import { makeRecording, TestVehicle, type TestRecording } from './test-vehicle.ts';

/** One chunk, so that an upload has few steps and each of another kind. */
const MESSAGES = 40;

let bench: IngestBench;
let vehicle: TestVehicle;
let controlPlane: ControlPlaneProcess;
const recordings: TestRecording[] = [];
const deaths: Death[] = [];

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'vehicle-steps');
  await controlPlane.stop();
  controlPlane = await bench.start({ preload: PRELOAD });
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

describe('a control plane that dies by SIGKILL before every fifth step of an upload', () => {
  it('gives the receipt in its next life, whichever step it was, up to the last one', async () => {
    for (const step of stepsToDieAt(5)) {
      const recording = await makeRecording(vehicle.id, `ev-step-${step}`, MESSAGES);
      recordings.push(recording);
      const dying = new DyingProcess(controlPlane.child);
      await dying.dieBefore(step);
      const uploading = vehicle.uploadUntilVerified(recording);
      // Its last steps come after the receipt.
      const early = await Promise.race([dying.ended, uploading.then(() => undefined)]);
      const death = early ?? (await dying.dieBefore(NEVER));
      if (death === undefined) break;
      deaths.push(death);
      controlPlane = await bench.start({ preload: PRELOAD });
      // The repeated upload is answered by the process that found what the former one left.
      await uploading;
    }
    // From the first file of a chunk to the message that says it is verified.
    expect(deaths.map(({ step }) => step).at(-1)).toBeGreaterThan(22);
    expect(new Set(deaths.map(({ name }) => name.split('.')[0])).size).toBeGreaterThan(2);
  });

  it('has catalogued each recording exactly once, with its bytes', async () => {
    const digests = recordings.map(({ bytes }) => digestOfBytes(bytes)).toSorted();
    await expect.poll(catalogued, { timeout: 20_000 }).toEqual(digests);
    const accepted = (await bench.readLedger()).filter(({ kind }) => kind === 'recording.accepted');
    expect(accepted.map(({ body }) => (body as { recording: string }).recording).toSorted()).toEqual(digests);
    for (const { bytes } of recordings) {
      const stored = await controlPlane.api.getBytes(`/v1/recordings/${digestOfBytes(bytes)}/content`);
      expect(digestOfBytes(stored)).toBe(digestOfBytes(bytes));
    }
  });

  it('leaves nothing half-done behind, and a ledger that verifies', async () => {
    const left = async (folder: string): Promise<readonly string[]> => readdir(join(bench.dataDir, folder));
    await expect.poll(async () => left(`staging/${vehicle.id}`), { timeout: 20_000 }).toEqual([]);
    expect(await left('assembly')).toEqual([]);
    for (const name of await left('blobs'))
      if (name.startsWith('incoming')) expect([name, await left(`blobs/${name}`)]).toEqual([name, []]);
    expect(await left('quarantine')).toEqual([]);
    const { code, stdout } = await runCli(controlPlane, ['ledger', 'verify', '--json']);
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ok: true });
  });
});

async function catalogued(): Promise<readonly string[]> {
  const page = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
  return page.recordings.map(({ recording }) => recording).toSorted();
}
