/** Why: a vehicle whose enrolment ends must stop cleanly, keep everything, and go on by itself with a new one. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueVehicleUser } from '@fleetloop/control-plane';
import { type Permissions, vehiclePermissions } from '@fleetloop/schemas';
import { steadyLink } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { enrolVehicle, type RigVehicle, UplinkRig } from './uplink-rig.ts';

const TIMEOUT_MS = 60_000;
const LIFE_MS = 3_000;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-enrolment-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function jwtFor(vehicle: RigVehicle, permissions: Permissions, expiresAt?: Date): Promise<string> {
  const { id: vehicleId, key } = vehicle;
  const publicKey = key.getPublicKey();
  const { accountSeed } = bench.nats;
  return issueVehicleUser({ vehicleId, publicKey, accountSeed, permissions, ...(expiresAt && { expiresAt }) });
}

/** As an enrolment does it: the new text is there as a whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.active`, text);
  await rename(`${path}.active`, path);
}

describe('an enrolment that ends', () => {
  it('stops the uploads with its reason when it expires, and a new JWT in the file starts them again', async () => {
    const enrolled = await enrolVehicle(controlPlane.api, 'enrolment-1');
    const jwtFile = join(root, 'vehicle.jwt');
    const expiring = await jwtFor(enrolled, vehiclePermissions(enrolled.id), new Date(Date.now() + LIFE_MS));
    const vehicle = { ...enrolled, jwt: expiring };
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script: steadyLink(), jwtFile });
    await rig.record('ev-first', 'normal', 0.1);
    await expect.poll(() => rig.ended(), { timeout: TIMEOUT_MS }).toEqual(['ev-first verified']);
    await expect.poll(() => rig.uplink.explain().link.refusal?.code, { timeout: TIMEOUT_MS }).toBe('UPLINK_EXPIRED');
    await rig.record('ev-later', 'safety', 0.1);
    await expect.poll(() => rig.uplink.explain().queued.safety, { timeout: TIMEOUT_MS }).toBe(1);
    expect(rig.uplink.explain().link.isConnected).toBe(false);
    await replace(jwtFile, enrolled.jwt);
    await expect.poll(() => rig.ended(), { timeout: TIMEOUT_MS }).toEqual(['ev-first verified', 'ev-later verified']);
    expect(rig.uplink.explain().link).toEqual({ isConnected: true, refusal: null });
  });

  it('keeps everything when the key is not known to the server', async () => {
    const enrolled = await enrolVehicle(controlPlane.api, 'enrolment-2');
    const stranger = await enrolVehicle(controlPlane.api, 'enrolment-3');
    const vehicle = { ...enrolled, jwt: stranger.jwt };
    await using rig = await UplinkRig.start({ vehicle, natsUrl: bench.nats.url, script: steadyLink() });
    await rig.record('ev-kept', 'normal', 0.1);
    await expect.poll(() => rig.uplink.explain().link.refusal?.code, { timeout: TIMEOUT_MS }).toBe('UPLINK_FORBIDDEN');
    expect(rig.ended()).toEqual([]);
    expect(rig.spool.entries()).toHaveLength(1);
  });

  it('holds back without trying each recording when a subject is forbidden', async () => {
    const enrolled = await enrolVehicle(controlPlane.api, 'enrolment-4');
    const permissions = vehiclePermissions(enrolled.id);
    const jwt = await jwtFor(enrolled, {
      ...permissions,
      publish: permissions.publish.filter((subject) => !subject.includes('.uplink.')),
    });
    await using rig = await UplinkRig.start({
      vehicle: { ...enrolled, jwt },
      natsUrl: bench.nats.url,
      script: steadyLink(),
    });
    await rig.record('ev-one', 'normal', 0.1);
    await expect
      .poll(() => rig.uplink.explain().holds.map(({ code }) => code), { timeout: TIMEOUT_MS })
      .toEqual(['UPLINK_FORBIDDEN']);
    for (const name of ['ev-two', 'ev-three', 'ev-four']) await rig.record(name, 'normal', 0.1);
    expect(rig.uplink.explainEvent('ev-four')?.failures ?? 0).toBe(0);
    expect(rig.ended()).toEqual([]);
  });
});
