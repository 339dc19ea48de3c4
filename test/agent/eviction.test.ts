/** Why: a vehicle that is offline for long must lose the right things, and the cloud must hear of each of them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VehicleDetails } from '@fleetloop/control-plane';
import type { ReportedState } from '@fleetloop/schemas';
import { blackboxDrives } from '@fleetloop/sim';
import { expect, it } from 'vitest';
import { hardManoeuvre } from './agent-process.ts';
import { acceptedEvents, DEADLINE, evictions, replace } from './live-vehicle.ts';
import { withAgent } from './one-vehicle.ts';

const VEHICLE = 'full';
const MIB = 1_024 * 1_024;
const DRIVES = 18;
/** Long enough that all recordings together do not fit. */
const WINDOW_MS = 60_000;

const fleet = withAgent(
  VEHICLE,
  ({ folder }) => ({
    spool: { quotaBytes: MIB, reserveBytes: 0, safetyFloorBytes: 0 },
    uplink: { networkClassFile: join(folder, 'network') },
  }),
  async ({ root }) => writeFile(join(root, VEHICLE, 'network'), 'offline'),
);

async function reported(): Promise<ReportedState | undefined> {
  return (await fleet.controlPlane.api.get<VehicleDetails>(`/v1/vehicles/${VEHICLE}`)).reported ?? undefined;
}

it('brings the tombstone of each recording that its quota took to the ledger, and every other recording', async () => {
  const campaign = { ...(await hardManoeuvre()), preWindowMs: WINDOW_MS, postWindowMs: WINDOW_MS };
  await fleet.controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [VEHICLE] });
  await expect.poll(async () => (await reported())?.campaigns[0]?.state, DEADLINE).toBe('active');
  await fleet.vehicle.drive(blackboxDrives());
  await expect.poll(async () => (await reported())?.source.sessionsDone, DEADLINE).toBe(DRIVES);
  const { spooled = 0, evicted = 0, tombstonesWaiting } = (await reported())?.uplink ?? {};
  expect(spooled).toBeGreaterThan(0);
  expect(evicted).toBeGreaterThan(0);
  expect(tombstonesWaiting).toBe(evicted);
  expect(await evictions(fleet.bench, VEHICLE)).toEqual([]);
  await replace(join(fleet.root, VEHICLE, 'network'), 'wifi');
  await expect
    .poll(async () => (await reported())?.uplink, DEADLINE)
    .toMatchObject({ spooled: 0, tombstonesWaiting: 0, verified: spooled, evicted });
  const lost = await evictions(fleet.bench, VEHICLE);
  const arrived = await acceptedEvents(fleet.bench, VEHICLE);
  expect(lost).toHaveLength(evicted);
  expect(arrived).toHaveLength(spooled);
  expect(new Set([...arrived, ...lost.map(({ eventId }) => eventId)]).size).toBe(spooled + evicted);
  for (const { code, reason, sizeBytes, session } of lost) {
    expect(code).toMatch(/^SPOOL_/);
    expect(reason).not.toBe('');
    expect(session).not.toBe('');
    expect(sizeBytes).toBeGreaterThan(0);
  }
});
