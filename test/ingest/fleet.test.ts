/** Why: what people ask of vehicles: keys, stored time ranges, campaigns and explanations, against real servers. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ReportedState } from '@fleetloop/schemas';
import { FleetError, subjects } from '@fleetloop/schemas';
import type { VehicleDetails } from '@fleetloop/control-plane';
import { createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { makeRecording, TestVehicle } from './test-vehicle.ts';

const LAUNCHER = join(import.meta.dirname, '../../bin/fleetloop.mjs');
const DEADLINE_MS = 30_000;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;

beforeAll(async () => {
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => bench[Symbol.asyncDispose]());

const enrol = async (id: string): Promise<TestVehicle> => TestVehicle.enrol(controlPlane.api, bench.nats.url, id);

async function refusalOf(work: Promise<unknown>): Promise<FleetError> {
  const outcome = await work.then(
    () => undefined,
    (thrown: unknown) => FleetError.from(thrown),
  );
  if (outcome === undefined) throw new Error('it was not refused');
  return outcome;
}

type CliOutcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function fleetloop(...args: readonly string[]): Promise<CliOutcome> {
  return fleetloopIn({ FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token }, ...args);
}

async function fleetloopIn(values: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<CliOutcome> {
  const env = { ...process.env, ...values };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [LAUNCHER, ...args], { env })) };
  } catch (error) {
    return error as CliOutcome;
  }
}

/** What a vehicle reports, with whatever matters to the test. */
async function report(vehicle: TestVehicle, values: Partial<ReportedState>): Promise<void> {
  const state = {
    kind: 'reported-state',
    vehicleId: vehicle.id,
    at: new Date().toISOString(),
    desiredVersion: 1,
    hardwareRevision: 'A',
    softwareVersion: '1.0.0',
    campaigns: [],
    model: { counter: 0, activeSlot: null, slots: [], shadowBundle: null, refused: null },
    uplink: { spooled: 0, spooledBytes: 0, verified: 0, refused: 0 },
    source: { sessionsDone: 0, messages: 0, atEnd: false },
    rssBytes: 0,
    ...values,
  };
  await vehicle.publish(subjects.reported(vehicle.id), new TextEncoder().encode(JSON.stringify(state)));
}

const desiredOf = async (id: string) => (await controlPlane.api.get<VehicleDetails>(`/v1/vehicles/${id}`)).desired;

describe('a pull', () => {
  type Pull = { readonly pullId: string; readonly state: string; readonly code: string | null };
  const range = { from: '2026-01-01T00:00:00Z', toNs: '1767225660000000000', reason: 'a driver called' };
  const listed = async (id: string) =>
    (await controlPlane.api.get<{ pulls: readonly Pull[] }>(`/v1/vehicles/${id}/pulls`)).pulls;

  it('reaches the vehicle, shows what it says, and leaves its list when it is done', async () => {
    await using vehicle = await enrol('pull-1');
    const { pullId } = await controlPlane.api.post<{ pullId: string }>('/v1/vehicles/pull-1/pulls', range);
    const desired = await desiredOf('pull-1');
    expect(desired?.pulls).toMatchObject([
      { id: pullId, fromNs: '1767225600000000000', toNs: range.toNs, priority: 'normal', requestedBy: 'tester' },
    ]);
    expect(await listed('pull-1')).toMatchObject([{ pullId, state: 'requested' }]);
    await report(vehicle, { pulls: [{ id: pullId, state: 'captured', eventIds: ['ev-1'] }] });
    expect(await listed('pull-1')).toMatchObject([{ pullId, state: 'captured', eventIds: ['ev-1'] }]);
    await report(vehicle, { pulls: [{ id: pullId, state: 'unavailable', eventIds: [], code: 'PULL_UNAVAILABLE' }] });
    await expect.poll(async () => (await desiredOf('pull-1'))?.pulls, { timeout: DEADLINE_MS }).toEqual([]);
    await report(vehicle, {});
    await expect
      .poll(async () => listed('pull-1'), { timeout: DEADLINE_MS })
      .toMatchObject([{ pullId, state: 'unavailable', code: 'PULL_UNAVAILABLE' }]);
  });

  it('leaves the list when it is cancelled, and cancelling it again changes nothing', async () => {
    await using _vehicle = await enrol('pull-2');
    const { pullId } = await controlPlane.api.post<{ pullId: string }>('/v1/vehicles/pull-2/pulls', range);
    const path = `/v1/vehicles/pull-2/pulls/${pullId}`;
    expect(await controlPlane.api.delete(path, { query: { reason: 'found it' } })).toMatchObject({
      state: 'cancelled',
    });
    expect(await controlPlane.api.delete(path)).toMatchObject({ state: 'cancelled' });
    expect((await desiredOf('pull-2'))?.pulls).toEqual([]);
    const facts = (await bench.readLedger()).filter((entry) => entry.kind === 'pull.cancelled');
    expect(facts.map(({ body }) => body)).toMatchObject([{ pullId, reason: 'found it' }]);
  });

  it('is refused when its range is not one, or its vehicle is unknown', async () => {
    await using _vehicle = await enrol('pull-3');
    const post = async (id: string, body: object) => refusalOf(controlPlane.api.post(`/v1/vehicles/${id}/pulls`, body));
    expect((await post('pull-3', { ...range, toNs: '1' })).code).toBe('PULL_INVALID');
    expect((await post('pull-3', { toNs: '1', reason: 'x' })).code).toBe('PULL_INVALID');
    expect((await post('nobody', range)).code).toBe('NOT_FOUND');
  });

  it('can be asked for on the command line', async () => {
    await using _vehicle = await enrol('pull-4');
    const asked = await fleetloop('pull', 'request', 'pull-4', '--from', '5', '--to', '9', '--reason', 'why', '--json');
    const { pullId } = JSON.parse(asked.stdout) as { pullId: string };
    expect((await fleetloop('pull', 'list', 'pull-4')).stdout).toContain(pullId);
    expect((await fleetloop('pull', 'cancel', 'pull-4', pullId)).stdout).toContain('cancelled');
  });
});

describe('an explanation', () => {
  it('comes from the vehicle itself', async () => {
    await using vehicle = await enrol('why-1');
    vehicle.connection.subscribe(subjects.explain(vehicle.id), {
      callback: (_error, message) =>
        void message.respond(JSON.stringify({ ok: true, answer: { asked: message.json() } })),
    });
    await vehicle.connection.flush();
    const what = 'campaign/hard-brake';
    const answer = await controlPlane.api.get('/v1/vehicles/why-1/explain', { query: { what } });
    expect(answer).toMatchObject({ answer: { asked: { kind: 'why', subject: what } } });
    const { stdout } = await fleetloop('vehicle', 'why', 'why-1', 'event', 'ev-1', '--json');
    expect(JSON.parse(stdout)).toEqual({ asked: { kind: 'why', subject: 'event/ev-1' } });
  });

  it('gives the last report where the vehicle does not answer', async () => {
    await using vehicle = await enrol('why-2');
    await report(vehicle, { softwareVersion: '7.7.7' });
    const refusal = await refusalOf(controlPlane.api.get('/v1/vehicles/why-2/explain'));
    expect(refusal.code).toBe('AGENT_UNREACHABLE');
    expect(String(refusal.details['reported'])).toContain('7.7.7');
    const { code, stdout } = await fleetloop('vehicle', 'status', 'why-2');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ isReachable: false, reported: { softwareVersion: '7.7.7' } });
  });

  it('is refused for a question that makes no sense', async () => {
    await using _vehicle = await enrol('why-3');
    const ask = async (what: string) =>
      (await refusalOf(controlPlane.api.get('/v1/vehicles/why-3/explain', { query: { what } }))).code;
    expect(await ask('campaign/')).toBe('REQUEST_INVALID');
    expect(await ask('weather/today')).toBe('REQUEST_INVALID');
  });
});

describe('the key of a vehicle', () => {
  it('counts no more once it is revoked: its connection is cut, and it comes in with another one only', async () => {
    await using vehicle = await enrol('key-1');
    expect((await vehicle.upload(await makeRecording('key-1', 'key-1-a'))).outcome.case).toBe('verified');
    const closed = (async () => {
      for await (const status of vehicle.connection.status()) if (status.type === 'disconnect') return true;
      return false;
    })();
    expect(await controlPlane.api.post('/v1/vehicles/key-1/revoke', { reason: 'stolen' })).toMatchObject({
      isCut: true,
    });
    expect(await closed).toBe(true);
    const same = await refusalOf(controlPlane.api.post('/v1/vehicles/key-1/renew', {}));
    expect(same.code).toBe('FORBIDDEN');
    const key = createUser();
    const renewal = { publicKey: key.getPublicKey(), expiresInSeconds: 3_600 };
    const { jwt } = await controlPlane.api.post<{ jwt: string }>('/v1/vehicles/key-1/renew', renewal);
    await using renewed = await TestVehicle.connect('key-1', key, jwt, bench.nats.url);
    expect((await renewed.upload(await makeRecording('key-1', 'key-1-b'))).outcome.case).toBe('verified');
    const [view] = (await controlPlane.api.get<{ vehicles: object[] }>('/v1/vehicles', { query: { after: 'key-0' } }))
      .vehicles;
    expect(view).toMatchObject({ vehicleId: 'key-1', state: 'enrolled', publicKey: key.getPublicKey() });
    const kinds = (await bench.readLedger()).flatMap((entry) =>
      entry.subject === 'vehicle.key-1' ? [entry.kind] : [],
    );
    expect(kinds).toEqual(['vehicle.enrolled', 'vehicle.revoked', 'vehicle.renewed']);
  });

  it('expires when it was given an end', async () => {
    const key = createUser();
    const body = { vehicleId: 'key-2', publicKey: key.getPublicKey(), hardwareRevision: 'A', softwareVersion: '1' };
    const enrolment = { ...body, expiresInSeconds: 2 };
    const { jwt } = await controlPlane.api.post<{ jwt: string }>('/v1/vehicles', enrolment);
    await using vehicle = await TestVehicle.connect('key-2', key, jwt, bench.nats.url);
    const ended = (async () => {
      for await (const status of vehicle.connection.status()) if (status.type === 'disconnect') return true;
      return false;
    })();
    expect(await ended).toBe(true);
    expect((await controlPlane.api.get<VehicleDetails>('/v1/vehicles/key-2')).expiresAt).not.toBeNull();
  });
});

describe('a campaign', () => {
  const CAMPAIGN = {
    kind: 'campaign',
    id: 'fast',
    version: 1,
    description: 'fast driving',
    owner: 'tester',
    priority: 'normal',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 100.0',
    preWindowMs: 1_000,
    postWindowMs: 1_000,
    edge: 'rising',
    tests: [
      {
        name: 'fires above 100',
        trace: [
          { timeMs: 0, path: 'Vehicle.Speed', value: 90 },
          { timeMs: 50, path: 'Vehicle.Speed', value: 110 },
        ],
        expectedFireMs: [50],
      },
    ],
  };
  const wrong = { ...CAMPAIGN, id: 'wrong', condition: 'speed > 120.0' };
  type View = { readonly ended: object | null; readonly vehicles: readonly { readonly state: string }[] };

  it('shows what each vehicle says of it, through suspension and its end', async () => {
    await using vehicle = await enrol('camp-1');
    await using _silent = await enrol('camp-2');
    await controlPlane.api.post('/v1/campaigns', { campaign: CAMPAIGN, vehicles: ['camp-1', 'camp-2'] });
    await report(vehicle, { campaigns: [{ id: 'fast', version: 1, state: 'active' }] });
    const view = await controlPlane.api.get<View>('/v1/campaigns/fast');
    expect(view).toMatchObject({
      ended: null,
      vehicles: [
        { vehicleId: 'camp-1', state: 'active' },
        { vehicleId: 'camp-2', state: 'silent', reportedAt: null },
      ],
    });
    await controlPlane.api.post('/v1/campaigns/fast/suspend', {});
    expect((await desiredOf('camp-1'))?.campaigns).toMatchObject([{ id: 'fast', suspended: true }]);
    await controlPlane.api.post('/v1/campaigns/fast/resume', {});
    expect((await desiredOf('camp-1'))?.campaigns[0]?.suspended).toBeUndefined();
    await controlPlane.api.post('/v1/campaigns/fast/end', { reason: 'enough' });
    expect(await controlPlane.api.get('/v1/campaigns/fast')).toMatchObject({ ended: { reason: 'enough' } });
    expect((await refusalOf(controlPlane.api.post('/v1/campaigns/fast/suspend', {}))).code).toBe('REQUEST_INVALID');
    const { stdout } = await fleetloop('campaign', 'show', 'fast');
    expect(stdout).toMatch(/camp-1 +active/);
  });

  it('is tested on the command line without any server, and pushed with one', async () => {
    await using _vehicle = await enrol('camp-4');
    const folder = await mkdtemp(join(tmpdir(), 'fleetloop-campaign-'));
    const [good, bad] = [join(folder, 'good.json'), join(folder, 'bad.json')];
    await writeFile(good, JSON.stringify({ ...CAMPAIGN, id: 'by-hand' }));
    await writeFile(bad, JSON.stringify(wrong));
    try {
      const nowhere = { FLEETLOOP_URL: 'http://127.0.0.1:1', FLEETLOOP_TOKEN: 'none' };
      const passed = await fleetloopIn(nowhere, 'campaign', 'test', good, '--json');
      expect(JSON.parse(passed.stdout)).toMatchObject({ tests: [{ isPassed: true, actualFireMs: [50] }] });
      const failed = await fleetloopIn(nowhere, 'campaign', 'test', bad);
      expect([passed.code, failed.code]).toEqual([0, 1]);
      expect(failed.stdout).toMatch(/fires above 100 +failed +50/);
      const pushed = await fleetloop('campaign', 'push', good, '--vehicle', 'camp-4');
      expect(pushed.stdout).toContain('by-hand@1');
      expect((await desiredOf('camp-4'))?.campaigns).toMatchObject([{ id: 'by-hand' }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is not pushed when a test of its own fails, and says when it was to fire and when it did', async () => {
    await using _vehicle = await enrol('camp-3');
    const refusal = await refusalOf(controlPlane.api.post('/v1/campaigns', { campaign: wrong, vehicles: ['camp-3'] }));
    expect(refusal.code).toBe('CAMPAIGN_TEST');
    expect(refusal.message).toMatch(/fires above 100.*50 ms.*no time/);
    expect(await desiredOf('camp-3')).toBeNull();
  });
});
