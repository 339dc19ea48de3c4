/** Why: the API is where people and vehicles get in: who may, with what, and how a refusal reads. */
import { ApiClient, type VehicleDetails } from '@fleetloop/control-plane';
import { FleetError, parseVehicleId, subjects } from '@fleetloop/schemas';
import { create, toBinary } from '@bufbuild/protobuf';
import { HeartbeatSchema, InferenceBatchSchema, InferenceSchema, Role } from '@fleetloop/schemas/wire';
import { jetstream } from '@nats-io/jetstream';
import { createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTOR, type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { TestVehicle } from './test-vehicle.ts';

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => bench[Symbol.asyncDispose]());

async function refusalOf(work: Promise<unknown>): Promise<FleetError> {
  const outcome = await work.then(
    () => undefined,
    (thrown: unknown) => FleetError.from(thrown),
  );
  if (outcome === undefined) throw new Error('it was not refused');
  return outcome;
}

const enrolment = (vehicleId: string, publicKey = createUser().getPublicKey()) => ({
  vehicleId,
  publicKey,
  hardwareRevision: 'A',
  softwareVersion: '1.0.0',
  place: 'Oulu',
});

const CAMP_2_KEY = createUser().getPublicKey();

const CAMPAIGN = {
  kind: 'campaign',
  id: 'hard-brake',
  version: 1,
  description: 'strong deceleration',
  owner: 'tester',
  priority: 'normal',
  inputs: [{ kind: 'signal', name: 'longitudinal', path: 'Vehicle.Acceleration.Longitudinal', unit: 'g' }],
  condition: 'abs(longitudinal) >= 0.35',
  preWindowMs: 10_000,
  postWindowMs: 5_000,
} as const;

describe('authentication', () => {
  it('refuses a call without a known token, and answers health to everybody', async () => {
    const stranger = new ApiClient({ url: controlPlane.url, token: 'guessed-token' });
    expect((await refusalOf(stranger.get('/v1/vehicles'))).code).toBe('UNAUTHENTICATED');
    expect((await refusalOf(stranger.get('/v1/blobs/none'))).code).toBe('UNAUTHENTICATED');
    expect(await stranger.get('/v1/health')).toMatchObject({ status: 'ok' });
  });

  it('names what is not there and what is malformed', async () => {
    expect((await refusalOf(controlPlane.api.get('/v1/nothing'))).code).toBe('NOT_FOUND');
    expect((await refusalOf(controlPlane.api.get(`/v1/recordings/sha256:${'0'.repeat(64)}`))).code).toBe('NOT_FOUND');
    expect((await refusalOf(controlPlane.api.get('/v1/recordings/x'))).code).toBe('REQUEST_INVALID');
    expect((await refusalOf(controlPlane.api.get('/v1/recordings', { query: { where: 'labl == "ICE"' } }))).code).toBe(
      'REQUEST_INVALID',
    );
  });
});

describe('enrolment', () => {
  it('issues the same vehicle its credentials again, but never a second key', async () => {
    const body = enrolment('enrolled-1');
    await controlPlane.api.post('/v1/vehicles', body);
    expect(await controlPlane.api.post('/v1/vehicles', body)).toHaveProperty('jwt');
    const other = await refusalOf(controlPlane.api.post('/v1/vehicles', enrolment('enrolled-1')));
    expect(other.code).toBe('FORBIDDEN');
    const facts = (await bench.readLedger()).filter(
      (entry) => entry.kind === 'vehicle.enrolled' && entry.body.vehicleId === 'enrolled-1',
    );
    expect(facts.map(({ actor }) => actor)).toEqual([ACTOR]);
  });

  it('refuses an id that is no subject token and a key that is no user key', async () => {
    expect((await refusalOf(controlPlane.api.post('/v1/vehicles', enrolment('a.b')))).code).toBe('REQUEST_INVALID');
    expect((await refusalOf(controlPlane.api.post('/v1/vehicles', enrolment('enrolled-2', 'not-a-key')))).code).toBe(
      'REQUEST_INVALID',
    );
    expect((await refusalOf(controlPlane.api.get('/v1/vehicles/enrolled-2'))).code).toBe('NOT_FOUND');
  });

  it('limits a vehicle to its own subjects', async () => {
    await using vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'limited-1');
    const foreign = jetstream(vehicle.connection).publish(
      subjects.manifest(parseVehicleId('limited-2'), 'normal'),
      Uint8Array.of(1),
      { timeout: 2_000 },
    );
    expect(
      await foreign.then(
        () => 'published',
        () => 'refused',
      ),
    ).toBe('refused');
  });
});

describe('a campaign', () => {
  it('reaches the desired state of its vehicles, and a newer one of the same id replaces it', async () => {
    await controlPlane.api.post('/v1/vehicles', enrolment('camp-1'));
    await controlPlane.api.post('/v1/campaigns', { campaign: CAMPAIGN, vehicles: ['camp-1'] });
    await controlPlane.api.post('/v1/campaigns', { campaign: { ...CAMPAIGN, version: 2 }, vehicles: ['camp-1'] });
    await controlPlane.api.post('/v1/campaigns', { campaign: { ...CAMPAIGN, id: 'other' }, vehicles: ['camp-1'] });
    const { desired } = await controlPlane.api.get<VehicleDetails>('/v1/vehicles/camp-1');
    expect(desired?.campaigns.map(({ id, version }) => [id, version])).toEqual([
      ['hard-brake', 2],
      ['other', 1],
    ]);
    expect(desired?.version).toBe(3);
  });

  it.each([
    ['a condition that does not parse', { condition: 'abs(longitudinal) >=' }, 'CAMPAIGN_SYNTAX'],
    ['a condition over an undeclared input', { condition: 'lateral >= 0.35' }, 'CAMPAIGN_TYPE'],
    ['a condition that is not a bool', { condition: 'longitudinal + 1.0' }, 'CAMPAIGN_TYPE'],
    ['an unknown key', { condtion: 'true' }, 'CAMPAIGN_INVALID'],
    ['a window over the limit', { preWindowMs: 10_000_000 }, 'CAMPAIGN_INVALID'],
  ])('is refused for %s and changes nothing', async (_what, change, code) => {
    await controlPlane.api.post('/v1/vehicles', enrolment('camp-2', CAMP_2_KEY));
    const before = (await bench.readLedger()).length;
    const refusal = await refusalOf(
      controlPlane.api.post('/v1/campaigns', { campaign: { ...CAMPAIGN, ...change }, vehicles: ['camp-2'] }),
    );
    expect(refusal.code).toBe(code);
    expect(await bench.readLedger()).toHaveLength(before);
    expect((await controlPlane.api.get<VehicleDetails>('/v1/vehicles/camp-2')).desired).toBeNull();
  });

  it('is refused when a vehicle is not enrolled', async () => {
    const refusal = await refusalOf(
      controlPlane.api.post('/v1/campaigns', { campaign: CAMPAIGN, vehicles: ['camp-1', 'nobody'] }),
    );
    expect([refusal.code, refusal.message]).toEqual(['CAMPAIGN_TARGET', expect.stringContaining('nobody')]);
  });
});

describe('telemetry', () => {
  it('keeps heartbeats and inferences, also through a kill of the control plane', async () => {
    await using vehicle = await TestVehicle.enrol(controlPlane.api, bench.nats.url, 'tele-1');
    const js = jetstream(vehicle.connection);
    await js.publish(
      subjects.heartbeat(vehicle.id),
      toBinary(HeartbeatSchema, create(HeartbeatSchema, { vehicleId: 'tele-1', rssBytes: 1_000n })),
    );
    await js.publish(
      subjects.heartbeat(vehicle.id),
      toBinary(HeartbeatSchema, create(HeartbeatSchema, { vehicleId: 'somebody-else', rssBytes: 2_000n })),
    );
    const inferences = [1n, 2n, 3n].map((sequence) =>
      create(InferenceSchema, {
        sequence,
        session: 's',
        windowStartNs: sequence,
        windowEndNs: sequence + 1n,
        output: 'ICE',
        confidence: 0.5,
        role: Role.ACTIVE,
        features: [1, 2],
      }),
    );
    const batch = create(InferenceBatchSchema, {
      vehicleId: 'tele-1',
      bundle: 'sha256:b',
      model: 'm',
      variant: 'fp32',
      directorCounter: 1,
      inferences,
      hardwareRevision: 'A',
    });
    await js.publish(subjects.inference(vehicle.id), toBinary(InferenceBatchSchema, batch));
    await expect.poll(listed).toEqual([1, 2, 3]);
    expect((await controlPlane.api.get<VehicleDetails>('/v1/vehicles/tele-1')).heartbeat).toMatchObject({
      rssBytes: 1_000,
    });
    await controlPlane.kill();
    controlPlane = await bench.start();
    await expect.poll(listed, { timeout: 40_000 }).toEqual([1, 2, 3]);
  });

  async function listed(): Promise<number[]> {
    const { inferences } = await controlPlane.api.get<{ inferences: { sequence: number; features: number[] }[] }>(
      '/v1/telemetry/inferences',
      { query: { vehicle: 'tele-1' } },
    );
    return inferences.map(({ sequence }) => sequence);
  }
});
