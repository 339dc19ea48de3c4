/** Why: an enrolment ends some day, by its date or by hand; the vehicle then keeps what it captures until it is let in again. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import {
  acceptedEvents,
  askOnBoard,
  changeConfig,
  DEADLINE,
  evictions,
  type LiveVehicle,
  openLiveVehicle,
  replace,
  speeding,
} from './live-vehicle.ts';

/** Long enough for a campaign and an event, on a busy machine too. */
const LIFE_S = 20;
const EVENTS_WITHOUT = 3;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-agent-enrolment-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const jwtFileOf = (vehicleId: string): string => join(root, `${vehicleId}.jwt`);

async function renew(vehicleId: string, body: object = {}): Promise<string> {
  return (await controlPlane.api.post<{ jwt: string }>(`/v1/vehicles/${vehicleId}/renew`, body)).jwt;
}

async function open(vehicleId: string, life?: { readonly expiresInSeconds: number }): Promise<LiveVehicle> {
  const vehicle = await openLiveVehicle({
    bench,
    api: () => controlPlane.api,
    root,
    vehicleId,
    prepare: async (config) => {
      config.nats.jwtFile = jwtFileOf(vehicleId);
      if (life !== undefined) await writeFile(jwtFileOf(vehicleId), await renew(vehicleId, life));
    },
  });
  await vehicle.push(speeding('over', { cooldownMs: 0 }));
  await expect.poll(async () => vehicle.stateOf('over'), DEADLINE).toBe('active');
  return vehicle;
}

async function refusalOf(vehicle: LiveVehicle): Promise<string | undefined> {
  type Status = { readonly uplink: { readonly link: { readonly refusal: { readonly code: string } | null } } };
  return (await askOnBoard<Status>(vehicle.agent, { kind: 'status' })).uplink.link.refusal?.code;
}

/** Triggers events one by one; each is on disk, and too old to be extended, before the next. */
async function capture(vehicle: LiveVehicle, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const before = (await vehicle.captured()).length;
    await vehicle.trigger('over');
    await expect.poll(async () => (await vehicle.captured()).length, DEADLINE).toBeGreaterThan(before);
    await expect.poll(async () => unsettledOf(vehicle), DEADLINE).toBe(0);
  }
}

async function unsettledOf(vehicle: LiveVehicle): Promise<number> {
  type Status = { readonly spool: { readonly unsettled: number } };
  return (await askOnBoard<Status>(vehicle.agent, { kind: 'status' })).spool.unsettled;
}

/** Everything that was captured is in the ledger, each event once, and nothing waits or was given up. */
async function allArrived(vehicle: LiveVehicle): Promise<void> {
  const captured = async () => new Set(await vehicle.captured()).size;
  const { vehicleId } = vehicle.agent;
  await expect.poll(async () => (await acceptedEvents(bench, vehicleId)).length, DEADLINE).toBe(await captured());
  const accepted = await acceptedEvents(bench, vehicleId);
  expect(accepted.toSorted()).toEqual([...new Set(await vehicle.captured())].toSorted());
  await expect.poll(vehicle.agent.spooled, DEADLINE).toEqual([]);
  expect(await evictions(bench, vehicleId)).toEqual([]);
}

describe('an enrolment', () => {
  it('that expires stops the uploads, not the capture; a renewed one in the file brings everything', async () => {
    const id = 'expiring';
    await using vehicle = await open(id, { expiresInSeconds: LIFE_S });
    await capture(vehicle, 1);
    await expect.poll(async () => (await acceptedEvents(bench, id)).length, DEADLINE).toBe(1);
    await expect.poll(async () => refusalOf(vehicle), DEADLINE).toBe('UPLINK_EXPIRED');
    await capture(vehicle, EVENTS_WITHOUT);
    expect(await vehicle.agent.spooled()).toHaveLength(EVENTS_WITHOUT);
    expect(await acceptedEvents(bench, id)).toHaveLength(1);
    await replace(jwtFileOf(id), await renew(id));
    await allArrived(vehicle);
    expect(await refusalOf(vehicle)).toBeUndefined();
    await expect.poll(async () => (await vehicle.reported())?.uplink.spooled, DEADLINE).toBe(0);
  });

  it('that is revoked cuts the link at once; with a new key the vehicle sends what it has captured meanwhile', async () => {
    const id = 'revoked';
    await using vehicle = await open(id);
    await capture(vehicle, 1);
    await expect.poll(async () => (await acceptedEvents(bench, id)).length, DEADLINE).toBe(1);
    await controlPlane.api.post(`/v1/vehicles/${id}/revoke`, { reason: 'stolen' });
    await expect.poll(async () => refusalOf(vehicle), DEADLINE).toMatch(/^UPLINK_(EXPIRED|FORBIDDEN)$/);
    await capture(vehicle, EVENTS_WITHOUT);
    expect(await vehicle.agent.stop()).toBe(0);
    expect(await vehicle.agent.spooled()).toHaveLength(EVENTS_WITHOUT);
    const key = createUser();
    await changeConfig(vehicle.agent, async ({ nats }) => {
      await writeFile(nats.seedFile, key.getSeed());
      await writeFile(jwtFileOf(id), await renew(id, { publicKey: key.getPublicKey() }));
    });
    await vehicle.agent.start();
    await allArrived(vehicle);
  });
});
