/** Why: nothing that is sent may stop ingest, fill its memory, or leave its folders; each gets a typed answer, and the next good one is taken. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { HOSTILE } from './hostile-recordings.ts';
import { runCli } from './run-cli.ts';
import { makeRecording, type TestRecording, TestVehicle } from './test-vehicle.ts';

const MIB = 1_024 * 1_024;
/** Twice what a process that has done nothing but start takes. */
const RSS_BYTES_MAX = 600 * MIB;
const VEHICLE = 'vehicle-hostile';

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let vehicle: TestVehicle;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
  vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, VEHICLE);
});
afterAll(async () => {
  await vehicle[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

async function highestRssBytes(): Promise<number> {
  const status = await readFile(`/proc/${controlPlane.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1_024;
}

/** A chunk that the vehicle sent in another event may have been put away with that: then it is asked for again. */
async function uploadWhole(recording: TestRecording): Promise<Receipt> {
  for (;;) {
    const receipt = await vehicle.upload(recording);
    if (receipt.outcome.case !== 'missing') return receipt;
  }
}

describe('POST /v1/imports', () => {
  it.each(HOSTILE.map((each, index) => [each.name, each.answer, index] as const))(
    'answers %s with %s',
    async (_, answer, index) => {
      const bytes = HOSTILE[index]?.bytes(VEHICLE, `import-${index}`) ?? new Uint8Array();
      const said = await controlPlane.api.postBytes('/v1/imports', bytes).then(
        () => 'accepted',
        (error: unknown) => FleetError.from(error).code,
      );
      expect(said).toBe(answer);
    },
  );
});

describe('an upload', () => {
  it.each(HOSTILE.map((each, index) => [each.name, each.answer, index] as const))(
    'of %s is answered with %s',
    async (_, answer, index) => {
      const eventId = `upload-${index}`;
      const bytes = HOSTILE[index]?.bytes(VEHICLE, eventId) ?? new Uint8Array();
      const { outcome } = await uploadWhole({ bytes, eventId, vehicleId: VEHICLE });
      expect(outcome.case === 'refused' ? outcome.value.code : outcome.case).toBe(
        answer === 'accepted' ? 'verified' : answer,
      );
    },
  );
});

describe('after all of them', () => {
  it('memory has stayed below its bound', async () => {
    expect(await highestRssBytes()).toBeLessThan(RSS_BYTES_MAX);
  });

  it('a good recording is taken by both ways, and everything that was accepted is in the catalogue', async () => {
    const first = await makeRecording(VEHICLE, 'good-1');
    expect((await vehicle.upload(first)).outcome.case).toBe('verified');
    const { bytes } = await makeRecording(VEHICLE, 'good-2');
    await controlPlane.api.postBytes('/v1/imports', bytes);
    const { recordings } = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
    const accepted = HOSTILE.filter(({ answer }) => answer === 'accepted').length;
    expect(recordings).toHaveLength(2 * accepted + 2);
    for (const { recording } of recordings)
      expect(digestOfBytes(await controlPlane.api.getBytes(`/v1/recordings/${recording}/content`))).toBe(recording);
  });

  it('each refusal is in quarantine with its reason, nothing lies outside the folders, and the ledger verifies', async () => {
    const refused = HOSTILE.filter(({ answer }) => answer !== 'accepted').length;
    const { quarantined } = await controlPlane.api.get<{ quarantined: unknown[] }>('/v1/quarantine', {
      query: { limit: 1_000 },
    });
    // Some are the same bytes by both ways.
    expect(quarantined.length).toBeGreaterThan(refused);
    for (const place of ['assembly', 'uploads', `staging/${VEHICLE}`])
      expect([place, await readdir(join(bench.dataDir, place))]).toEqual([place, []]);
    const { code, stdout } = await runCli(controlPlane, ['ledger', 'verify', '--json']);
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ok: true });
  });
});
