/** Why: a vehicle that is offline for long must lose the right things, and the cloud must hear of each of them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VehicleDetails } from '@fleetloop/control-plane';
import type { ReportedState } from '@fleetloop/schemas';
import { blackboxDrives } from '@fleetloop/sim';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, hardManoeuvre, openAgentBench } from './agent-process.ts';
import { acceptedEvents, DEADLINE, evictions, replace } from './live-vehicle.ts';

const VEHICLE = 'full';
const MIB = 1_024 * 1_024;
const DRIVES = 18;
/** Long enough that all recordings together do not fit. */
const WINDOW_MS = 60_000;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let agent: AgentBench & AsyncDisposable;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-eviction-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: bench.nats.url,
    folder: join(root, VEHICLE),
    vehicleId: VEHICLE,
    settings: ({ folder }) => ({
      spool: { quotaBytes: MIB, reserveBytes: 0, safetyFloorBytes: 0 },
      uplink: { networkClassFile: join(folder, 'network') },
    }),
  });
  await writeFile(join(root, VEHICLE, 'network'), 'offline');
  await agent.start();
});
afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function reported(): Promise<ReportedState | undefined> {
  return (await controlPlane.api.get<VehicleDetails>(`/v1/vehicles/${VEHICLE}`)).reported ?? undefined;
}

it('brings the tombstone of each recording that its quota took to the ledger, and every other recording', async () => {
  const campaign = { ...(await hardManoeuvre()), preWindowMs: WINDOW_MS, postWindowMs: WINDOW_MS };
  await controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [VEHICLE] });
  await expect.poll(async () => (await reported())?.campaigns[0]?.state, DEADLINE).toBe('active');
  await agent.drive(blackboxDrives());
  await expect.poll(async () => (await reported())?.source.sessionsDone, DEADLINE).toBe(DRIVES);
  const { spooled = 0, evicted = 0, tombstonesWaiting } = (await reported())?.uplink ?? {};
  expect(spooled).toBeGreaterThan(0);
  expect(evicted).toBeGreaterThan(0);
  expect(tombstonesWaiting).toBe(evicted);
  expect(await evictions(bench, VEHICLE)).toEqual([]);
  await replace(join(root, VEHICLE, 'network'), 'wifi');
  await expect
    .poll(async () => (await reported())?.uplink, DEADLINE)
    .toMatchObject({ spooled: 0, tombstonesWaiting: 0, verified: spooled, evicted });
  const lost = await evictions(bench, VEHICLE);
  const arrived = await acceptedEvents(bench, VEHICLE);
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
