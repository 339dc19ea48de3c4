/** Why: power goes, servers die, processes are killed in the middle of uploads; every captured event must still arrive, and only once. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage, RecordingView } from '@fleetloop/control-plane';
import type { ReportedState } from '@fleetloop/schemas';
import { blackboxDrives, listedEvents } from '@fleetloop/sim';
import { beforeAll, describe, expect, it } from 'vitest';
import { hardManoeuvre } from './agent-process.ts';
import { withAgent } from './one-vehicle.ts';

const TIMEOUT_MS = 120_000;
/** Times real time: slow enough that uploads and capture overlap for seconds, fast enough for a test. */
const SPEED = 2_500;

const fleet = withAgent('vehicle-1');
beforeAll(async () => {
  const campaign = await hardManoeuvre();
  await fleet.controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [fleet.vehicle.vehicleId] });
});

async function reported(): Promise<ReportedState | undefined> {
  const vehicle = await fleet.controlPlane.api.get<{ reported?: ReportedState | null }>(
    `/v1/vehicles/${fleet.vehicle.vehicleId}`,
  );
  return vehicle.reported ?? undefined;
}

/** Events that the agent has put on disk so far, over its lives. */
async function spooledSoFar(): Promise<number> {
  return (await readFile(fleet.vehicle.logFile, 'utf8')).split('"record.event.spooled"').length - 1;
}

/** Recordings that the agent knows to be verified. */
async function verifiedSoFar(): Promise<number> {
  const text = await readFile(join(fleet.vehicle.stateDir, 'spool', 'index.journal'), 'utf8').catch(() => '');
  return text.split('"outcome":"verified"').length - 1;
}

const reaches = async (ask: () => Promise<number>, count: number): Promise<void> =>
  expect.poll(ask, { timeout: TIMEOUT_MS, interval: 5 }).toBeGreaterThanOrEqual(count);

describe('kill -9 in the middle of captures and uploads', () => {
  it('of the agent, the server and the control plane loses nothing and doubles nothing', async () => {
    await expect.poll(async () => (await reported())?.campaigns.length, { timeout: TIMEOUT_MS }).toBe(1);
    await fleet.vehicle.drive(blackboxDrives(), SPEED);

    for (const count of [1, 4, 9]) {
      await reaches(spooledSoFar, count);
      await fleet.vehicle.kill();
      await fleet.vehicle.start();
    }

    await reaches(verifiedSoFar, 10);
    await fleet.bench.nats.kill();
    await reaches(spooledSoFar, 14);
    await fleet.bench.nats.restart();

    await reaches(verifiedSoFar, 15);
    await fleet.controlPlane.kill();
    await reaches(spooledSoFar, 20);
    await fleet.vehicle.kill();
    await fleet.vehicle.start();
    await fleet.restartControlPlane();

    await reaches(verifiedSoFar, 21);
    await Promise.all([fleet.vehicle.kill(), fleet.controlPlane.kill(), fleet.bench.nats.kill()]);
    await fleet.bench.nats.restart();
    await fleet.vehicle.start();
    await fleet.restartControlPlane();

    await expect.poll(async () => (await reported())?.source.sessionsDone, { timeout: TIMEOUT_MS }).toBe(18);
    await expect
      .poll(async () => (await reported())?.uplink, { timeout: TIMEOUT_MS })
      .toMatchObject({ spooled: 0, refused: 0, evicted: 0 });

    const recordings = await catalogue();
    expect(new Set(recordings.map((recording) => recording.event)).size).toBe(recordings.length);
    const holders = listedEvents().map((event) =>
      recordings.filter(
        (each) =>
          each.session === event.session &&
          BigInt(each.startNs) <= event.startTimeNs &&
          event.endTimeNs <= BigInt(each.endNs),
      ),
    );
    expect(holders.map((each) => each.length)).toEqual(Array.from({ length: 48 }, () => 1));
    expect(new Set(holders.flat().map((recording) => recording.event)).size).toBe(recordings.length);
    expect(await readdir(join(fleet.vehicle.stateDir, 'spool', 'queue'))).toEqual([]);
    expect(await verifiedSoFar()).toBe(recordings.length);
  });
});

async function catalogue(): Promise<readonly RecordingView[]> {
  type Health = { ledger: { entries: number }; projection: { appliedSequence: number } };
  const behind = async (): Promise<number> => {
    const { ledger, projection } = await fleet.controlPlane.api.get<Health>('/v1/health');
    return ledger.entries - projection.appliedSequence;
  };
  await expect.poll(behind, { timeout: TIMEOUT_MS }).toBe(0);
  return (await fleet.controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } })).recordings;
}
