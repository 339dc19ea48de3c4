/** Why: a vehicle is a process; capture, spool and upload are proven together on real drives, a real server and a real control plane. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage, RecordingView } from '@fleetloop/control-plane';
import { CHUNK_SIZE_BYTES_MAX, type ReportedState } from '@fleetloop/schemas';
import { blackboxDrives, commaSegment, listedEvents } from '@fleetloop/sim';
import { describe, expect, it } from 'vitest';
import { hardManoeuvre } from './agent-process.ts';
import { changeDesired } from './desired-writer.ts';
import { withAgent } from './one-vehicle.ts';

const UPLOAD_TIMEOUT_MS = 60_000;

const fleet = withAgent('vehicle-1');

async function reported(): Promise<ReportedState | undefined> {
  const vehicle = await fleet.controlPlane.api.get<{ reported?: ReportedState | null }>(
    `/v1/vehicles/${fleet.vehicle.vehicleId}`,
  );
  return vehicle.reported ?? undefined;
}

async function catalogue(): Promise<readonly RecordingView[]> {
  const query = { where: `vehicle == "${fleet.vehicle.vehicleId}"`, limit: 1_000 };
  return (await fleet.controlPlane.api.get<RecordingPage>('/v1/recordings', { query })).recordings;
}

describe('a vehicle', () => {
  it('reports the campaign that it was given as active', async () => {
    await fleet.controlPlane.api.post('/v1/campaigns', {
      campaign: await hardManoeuvre(),
      vehicles: [fleet.vehicle.vehicleId],
    });
    await expect
      .poll(async () => (await reported())?.campaigns, { timeout: UPLOAD_TIMEOUT_MS })
      .toEqual([{ id: 'hard-manoeuvre', version: 1, state: 'active' }]);
  });

  it('captures every listed event of the 18 drives and uploads each until it is verified', async () => {
    await fleet.vehicle.drive(blackboxDrives());
    await expect.poll(async () => (await reported())?.source.sessionsDone, { timeout: UPLOAD_TIMEOUT_MS }).toBe(18);
    await expect
      .poll(async () => (await reported())?.uplink, { timeout: UPLOAD_TIMEOUT_MS })
      .toMatchObject({ spooled: 0, refused: 0, evicted: 0 });
    const verified = (await reported())?.uplink.verified;
    const recordings = await catalogue();
    expect(recordings).toHaveLength(verified ?? 0);
    expect(new Set(recordings.map((recording) => recording.event)).size).toBe(recordings.length);
    const events = listedEvents();
    expect(events).toHaveLength(48);
    const covering = events.map((event) => {
      const holds = recordings.filter(
        (each) =>
          each.session === event.session &&
          BigInt(each.startNs) <= event.startTimeNs &&
          event.endTimeNs <= BigInt(each.endNs),
      );
      expect(holds, `${event.session} event ${event.number}`).toHaveLength(1);
      return holds[0]?.event;
    });
    expect(new Set(covering).size).toBe(recordings.length);
  });

  it('has no local copy of what was verified', async () => {
    expect(await fleet.vehicle.spooled()).toEqual([]);
    const index = await readFile(join(fleet.vehicle.stateDir, 'spool', 'index.journal'), 'utf8');
    const verified = index.split('\n').filter((line) => line.includes('"outcome":"verified"'));
    expect(verified).toHaveLength((await catalogue()).length);
  });

  it('does not upload an event again when its drive is replayed', async () => {
    const before = await catalogue();
    const [first] = blackboxDrives();
    if (first === undefined) throw new Error('no drive');
    await fleet.vehicle.drive([first]);
    await expect.poll(async () => (await reported())?.source.sessionsDone, { timeout: UPLOAD_TIMEOUT_MS }).toBe(19);
    expect((await reported())?.uplink).toMatchObject({ spooled: 0, verified: before.length });
    expect(await catalogue()).toHaveLength(before.length);
  });

  it('refuses a campaign of which the signal does not exist, by itself, although it came past the control plane', async () => {
    const campaign = await hardManoeuvre();
    const wrong = {
      ...campaign,
      id: 'no-such-signal',
      inputs: [{ kind: 'signal', name: 'x', path: 'Vehicle.NoSuchThing', unit: 'g' }],
      condition: 'x > 1.0',
    };
    const pushed = fleet.controlPlane.api.post('/v1/campaigns', {
      campaign: wrong,
      vehicles: [fleet.vehicle.vehicleId],
    });
    await expect(pushed).rejects.toMatchObject({ code: 'SIGNAL_UNKNOWN' });
    await changeDesired(fleet.bench, fleet.vehicle.vehicleId, (campaigns) => [...campaigns, wrong]);
    await expect
      .poll(async () => (await reported())?.campaigns.map(({ id, state, code }) => ({ id, state, code })), {
        timeout: UPLOAD_TIMEOUT_MS,
      })
      .toEqual([
        { id: 'hard-manoeuvre', state: 'active', code: undefined },
        { id: 'no-such-signal', state: 'refused', code: 'SIGNAL_UNKNOWN' },
      ]);
  });

  it('carries raw CAN of the comma segment through the same way', async () => {
    const campaign = {
      ...(await hardManoeuvre()),
      id: 'fast',
      priority: 'bulk',
      inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'm/s' }],
      condition: 'speed > 10.0',
      cooldownMs: 10_000,
    };
    const before = new Set((await catalogue()).map((recording) => recording.event));
    await fleet.controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [fleet.vehicle.vehicleId] });
    const isActive = async (): Promise<boolean | undefined> =>
      (await reported())?.campaigns.some(({ id, state }) => id === 'fast' && state === 'active');
    await expect.poll(isActive, { timeout: UPLOAD_TIMEOUT_MS }).toBe(true);
    await fleet.vehicle.drive([commaSegment()]);
    await expect.poll(async () => (await reported())?.source.sessionsDone, { timeout: UPLOAD_TIMEOUT_MS }).toBe(20);
    await expect
      .poll(async () => (await reported())?.uplink, { timeout: UPLOAD_TIMEOUT_MS })
      .toMatchObject({ spooled: 0, refused: 0 });
    const added = (await catalogue()).filter((recording) => !before.has(recording.event));
    // The ring's memory may cut one long event into parts; together they hold the bus.
    expect(added.length).toBeGreaterThan(0);
    expect(added.reduce((sum, recording) => sum + (recording.topics['/can/0/raw'] ?? 0), 0)).toBeGreaterThan(30_000);
    expect(Math.max(...added.map((recording) => recording.sizeBytes))).toBeGreaterThan(CHUNK_SIZE_BYTES_MAX);
  });

  it('ends in order on SIGTERM and leaves nothing half written', async () => {
    expect(await fleet.vehicle.stop()).toBe(0);
    const files = await readdir(join(fleet.vehicle.stateDir, 'spool', 'queue'));
    expect(files.filter((name) => name.endsWith('.active'))).toEqual([]);
  });
});
