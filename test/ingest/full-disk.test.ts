/** Why: the disk of the control plane runs full while recordings come in. Nobody gets a receipt for what does not stand, and all of it is there once there is room. */
import { mkdir, readdir } from 'node:fs/promises';
import type { RecordingPage } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import { TinyDisk } from '../ledger/tiny-disk.ts';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { runCli } from './run-cli.ts';
import { makeRecording, TestVehicle, type TestRecording } from './test-vehicle.ts';

const MIB = 1_024 * 1_024;
const DISK_BYTES = 96 * MIB;
/** Room for a part of one recording. */
const FREE_BYTES = 160 * 1_024;
const MESSAGES = 8_000;
const EVENTS = ['ev-full-1', 'ev-full-2', 'ev-full-3'];

type Stand = {
  readonly bench: IngestBench;
  readonly disk: TinyDisk;
  readonly start: () => Promise<ControlPlaneProcess>;
};

/** Undefined where the machine forbids such a disk. */
async function openStand(resources: AsyncDisposableStack): Promise<Stand | undefined> {
  const bench = resources.use(await openIngestBench());
  await mkdir(bench.dataDir);
  const disk = await TinyDisk.mount(bench.dataDir, DISK_BYTES);
  if (disk === undefined) return undefined;
  resources.use(disk);
  return { bench, disk, start: async () => bench.start({ within: disk.within }) };
}

async function importCode(controlPlane: ControlPlaneProcess, { bytes }: TestRecording): Promise<string> {
  return controlPlane.api.postBytes('/v1/imports', bytes).then(
    () => 'accepted',
    (error: unknown) => FleetError.from(error).code,
  );
}

async function digestsInCatalogue({ api }: ControlPlaneProcess): Promise<readonly string[]> {
  const page = await api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
  return page.recordings.map(({ recording }) => recording).toSorted();
}

describe('a control plane whose disk is full', () => {
  it('gives no receipt and a typed error, and has every recording once when there is room again', async ({ skip }) => {
    await using resources = new AsyncDisposableStack();
    const stand = await openStand(resources);
    if (stand === undefined) return skip('this machine lets nobody mount a file system in a namespace of its own');
    const { bench, disk, start } = stand;
    let controlPlane = await start();
    const vehicle = resources.use(await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'vehicle-full'));
    const uploaded = await Promise.all(EVENTS.map(async (event) => makeRecording(vehicle.id, event, MESSAGES)));
    const imported = await makeRecording('husky-full', 'ev-import', MESSAGES);

    const makeRoom = await disk.fill(FREE_BYTES);
    expect(await importCode(controlPlane, imported)).toBe('RECORD_WRITE');
    const uploads = Promise.all(uploaded.map(async (recording) => vehicle.uploadUntilVerified(recording)));
    expect(await importCode(controlPlane, imported)).toBe('RECORD_WRITE');
    expect(vehicle.receipts.filter(({ outcome }) => outcome.case !== 'missing')).toEqual([]);
    expect((await bench.readLedger()).map(({ kind }) => kind)).not.toContain('recording.accepted');

    await makeRoom();
    await uploads;
    expect(await importCode(controlPlane, imported)).toBe('accepted');
    // Tables that could not be written on the full disk are made again from the ledger.
    expect(await controlPlane.stop()).toBe(0);
    controlPlane = await start();
    const digests = [...uploaded, imported].map(({ bytes }) => digestOfBytes(bytes)).toSorted();
    await expect.poll(async () => digestsInCatalogue(controlPlane), { timeout: 20_000 }).toEqual(digests);
    const accepted = (await bench.readLedger()).filter(({ kind }) => kind === 'recording.accepted');
    expect(accepted).toHaveLength(digests.length);
    for (const digest of digests)
      expect(digestOfBytes(await controlPlane.api.getBytes(`/v1/recordings/${digest}/content`))).toBe(digest);
    for (const place of ['assembly', 'uploads', 'quarantine'])
      expect([place, await readdir(disk.outside(place))]).toEqual([place, []]);
    const { code, stdout } = await runCli(controlPlane, ['ledger', 'verify', '--json']);
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ok: true });
  });
});
