/** Why: "why was it not captured, why is it not uploaded" is the question of every fleet; the true reason must come from the vehicle. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, openAgentBench, runAgentCommand } from './agent-process.ts';
import { type LiveSpeed, publishSpeed } from './live-signals.ts';
import { speeding } from './live-vehicle.ts';

const LAUNCHER = join(import.meta.dirname, '../../bin/fleetloop.mjs');
const DEADLINE = { timeout: 60_000, interval: 50 };
const SPEED_INPUT = { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' };
const EXPIRES_AFTER_MS = 1_500;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let agent: AgentBench & AsyncDisposable;
let speed: LiveSpeed;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-explain-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: bench.nats.url,
    folder: join(root, 'v'),
    vehicleId: 'explained',
    settings: ({ liveSocket }) => ({
      live: { socket: { path: liveSocket } },
      metrics: { port: 0 },
      attributes: { load: 'heavy' },
    }),
  });
  await agent.start();
  speed = await publishSpeed(agent.liveSocket);
});
afterAll(async () => {
  await speed?.[Symbol.asyncDispose]();
  await agent?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const push = async (document: object, vehicles = [agent.vehicleId]): Promise<unknown> =>
  controlPlane.api.post('/v1/campaigns', { campaign: document, vehicles });

/** The command line of the control plane. */
async function fleetloop(...args: readonly string[]): Promise<{ readonly stdout: string }> {
  const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token };
  return promisify(execFile)(process.execPath, [LAUNCHER, ...args], { env });
}

type Answer = {
  readonly conclusion: readonly string[];
  readonly report?: { readonly state: string };
  readonly explanation?: { readonly statistics: { readonly fired: number } };
  readonly pending?: readonly { readonly eventId: string }[];
  readonly queued?: readonly string[];
};

async function why(subject: string, of: AgentBench = agent): Promise<Answer> {
  const { code, stdout, stderr } = await of.ask('why', subject, '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answer;
}

/** The answer as a person gets it. */
async function whyText(subject: string, of: AgentBench = agent): Promise<string> {
  const { stdout, stderr } = await of.ask('why', subject);
  return stdout + stderr;
}

const says = async (subject: string, text: string | RegExp, of: AgentBench = agent): Promise<void> =>
  expect.poll(async () => whyText(subject, of), DEADLINE).toMatch(text);

/** The condition of these campaigns becomes true once. */
async function peak(...ids: readonly string[]): Promise<void> {
  const before = await Promise.all(ids.map(firedOf));
  speed.set(120);
  for (const [index, id] of ids.entries())
    await expect.poll(async () => firedOf(id), DEADLINE).toBeGreaterThan(before[index] ?? 0);
  speed.set(10);
}
const firedOf = async (id: string): Promise<number> => (await why(id)).explanation?.statistics.fired ?? 0;

const isActive = async (...ids: readonly string[]): Promise<void> => {
  for (const id of ids) await says(id, /is active/);
};

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const served = (await agent.diagnostics()).find(({ msg }) => msg === 'health.metrics.served');
  const response = await fetch(`http://127.0.0.1:${String(served?.['port'])}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return parseExposition(await response.text());
}

/** Reads Prometheus' text format strictly: each line is a comment of a known form or a sample with a number. */
function parseExposition(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
    if (line.startsWith('#')) {
      expect(line).toMatch(/^# (TYPE \S+ (counter|gauge)|HELP \S+ .+)$/);
      continue;
    }
    const sample = /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})? (\S+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    expect(types.has(sample?.[1] ?? ''), line).toBe(true);
    expect(Number.isFinite(Number(sample?.[3])), line).toBe(true);
    samples.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]));
  }
  return samples;
}

describe('why a campaign did not fire', () => {
  it('names the input that is absent', async () => {
    const inputs = [
      SPEED_INPUT,
      { kind: 'signal', name: 'brake', path: 'Vehicle.Acceleration.Longitudinal', unit: 'g' },
    ];
    await push(speeding('absent', { inputs, condition: 'speed > 1.0 && brake > 1.0' }));
    await says(
      'absent',
      /could not become true at \S+: nothing has come for brake; with speed 10\S* km\/h, brake absent g/,
    );
    expect(await whyText('absent')).toContain('it has not fired in this session');
  });

  it('names the cool-down and when it ends', async () => {
    await push(speeding('cooled', { cooldownMs: 3_600_000 }));
    await isActive('cooled');
    await peak('cooled');
    await says('cooled', /it is quiet until \d{4}-\d\d-\d\dT\S+ \(cool-down\)/);
    expect(await whyText('cooled')).toMatch(/fired 1,/);
  });

  it('names why the vehicle refuses it', async () => {
    const load = { kind: 'attribute', name: 'load', of: 'vehicle', attribute: 'load', type: 'number' };
    await push(speeding('refused', { inputs: [SPEED_INPUT, load], condition: 'speed > load' }));
    await says('refused', /is refused: CAMPAIGN_TYPE: .*load/);
  });

  it('names the budget that is used up', async () => {
    await push(speeding('spent', { budgets: { eventsPerHour: 1 } }));
    await isActive('spent');
    await peak('spent');
    await says('spent', /version 1 is suspended: CAMPAIGN_BUDGET: /);
    speed.set(120);
    await says('spent', /by budget [1-9]/);
    speed.set(10);
  });

  it('names when it expired', async () => {
    const expiresAt = new Date(Date.now() + EXPIRES_AFTER_MS).toISOString();
    await push(speeding('expired', { expiresAt }));
    await says('expired', `is expired: expired at ${expiresAt}`);
    expect(await whyText('expired')).toContain(`it expired at ${expiresAt}`);
  });

  it('says that a suspended one is suspended', async () => {
    await push(speeding('suspended', { suspended: true }));
    await says('suspended', 'is suspended: suspended by the operator');
  });

  it('says that it knows nothing of one that never came', async () => {
    expect(await whyText('nobody')).toContain('campaign nobody is not on this vehicle');
    expect(await whyText(`ev-${'0'.repeat(32)}`)).toContain('is not known on this vehicle');
    const digest = `sha256:${'0'.repeat(64)}`;
    const { code, stderr } = await agent.ask('why', digest);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(`^NOT_FOUND: .*${digest}`) });
  });
});

describe('the status', () => {
  it('tells a person and a program how the vehicle is', async () => {
    const { code, stdout } = await agent.ask('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^explained {2}agent 1\.0\.0, hardware A, up /);
    expect(stdout).toMatch(/capture {3}live, session live\/\S+, \d+ messages on 1 topics/);
    expect(stdout).toMatch(/campaign {2}spent v1 suspended, fired \d+ of \d+: /);
    expect(stdout).toMatch(/uplink {4}connected, wifi/);
    const status = JSON.parse((await agent.ask('status', '--json')).stdout) as Record<string, unknown>;
    expect(status).toMatchObject({
      kind: 'agent-status',
      vehicleId: 'explained',
      capture: { source: 'live', published: [{ topic: '/vss/Vehicle', dropped: 0, refused: 0 }] },
      spool: { disk: { state: 'normal' } },
    });
  });

  it('goes through the control plane too', async () => {
    const path = `/v1/vehicles/${agent.vehicleId}/explain`;
    const { answer } = await controlPlane.api.get<{ answer: object }>(path, { query: { what: 'status' } });
    expect(answer).toMatchObject({ kind: 'agent-status', vehicleId: 'explained' });
    const asked = await controlPlane.api.get<{ answer: Answer }>(path, { query: { what: 'campaign/absent' } });
    expect(asked.answer.conclusion.join('\n')).toContain('nothing has come for brake');
    const digest = `recording/sha256:${'0'.repeat(64)}`;
    await expect(controlPlane.api.get(path, { query: { what: digest } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { stdout } = await fleetloop('vehicle', 'why', agent.vehicleId, 'campaign', 'absent');
    expect(stdout).toContain('nothing has come for brake');
    const status = await fleetloop('vehicle', 'status', agent.vehicleId, '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ kind: 'agent-status', vehicleId: 'explained' });
    const text = (await fleetloop('vehicle', 'status', agent.vehicleId)).stdout;
    expect(text).toMatch(/^explained {2}agent .*\ncapture {3}live, session .*\n/);
    expect(text).toContain('\nuplink    connected');
  });
});

describe('why a recording is where it is', () => {
  it('says that it was verified, and by which entry of the ledger', async () => {
    await push(speeding('sent'));
    await isActive('sent');
    const before = new Set(await eventsSpooled());
    await peak('sent');
    const eventId = await newEvent(before);
    await says(eventId, /^verified at \S+Z: ledger entry \d+$/m);
  });

  it('says that there is no link while there is none, and goes on when it is back', async () => {
    await bench.nats.kill();
    const before = new Set(await eventsSpooled());
    await peak('sent');
    const eventId = await newEvent(before);
    await says(eventId, 'there is no link to the control plane');
    expect(await whyText(eventId)).toMatch(/its recording of \d+ bytes \(normal\) is on disk since \S+Z/);
    await expect.poll(async () => (await agent.ask('status')).stdout, DEADLINE).toMatch(/uplink {4}no link/);
    await bench.nats.restart();
    await says(eventId, /^verified at/m);
  });

  it('says what was given up for want of room, and whether the cloud knows', async () => {
    const networkClassFile = join(root, 'network-class');
    await writeFile(networkClassFile, 'wifi');
    await using small = await openAgentBench({
      api: controlPlane.api,
      natsUrl: bench.nats.url,
      folder: join(root, 'small'),
      vehicleId: 'small',
      settings: ({ liveSocket }) => ({
        live: { socket: { path: liveSocket } },
        spool: { quotaBytes: 1_048_576, reserveBytes: 0, safetyFloorBytes: 0 },
        uplink: { networkClassFile },
      }),
    });
    await small.start();
    await expect.poll(async () => (await small.ask('status')).stderr, DEADLINE).toBe('');
    await using publisher = connectPublisher({ socketPath: small.liveSocket, name: 'bulky' });
    const values = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed' }] });
    const blob = publisher.declareChannel({ topic: '/sensor/front/blob', schemaName: 'Blob', messageEncoding: 'raw' });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    values.publish([1]);
    await push(speeding('bulky', { priority: 'bulk', postWindowMs: 1_000 }), [small.vehicleId]);
    await says('bulky', /is active/, small);
    await writeFile(networkClassFile, 'offline');
    await expect.poll(async () => (await small.ask('status')).stdout, DEADLINE).toContain(', offline,');
    for (let round = 0; round < 4; round += 1) {
      const before = (await eventsSpooled(small)).length;
      values.publish([200]);
      blob.publish(crypto.getRandomValues(new Uint8Array(65_536)));
      for (let part = 0; part < 7; part += 1) blob.publish(crypto.getRandomValues(new Uint8Array(65_536)));
      values.publish([1]);
      await expect.poll(async () => (await eventsSpooled(small)).length, DEADLINE).toBeGreaterThan(before);
      // A trigger that comes sooner would only make it longer.
      const isSettled = async (): Promise<boolean> =>
        !/may still extend/.test(await whyText((await eventsSpooled(small)).at(-1) ?? '', small));
      await expect.poll(isSettled, DEADLINE).toBe(true);
    }
    const [first = ''] = await eventsSpooled(small);
    const last = (await eventsSpooled(small)).at(-1) ?? '';
    await says(last, 'the network class is offline: nothing is sent', small);
    await says(first, /^given up at \S+Z: SPOOL_\w+: .*; the cloud has not confirmed that it knows$/m, small);
    await writeFile(networkClassFile, 'wifi');
    await says(first, /^given up at .*; the cloud knows it$/m, small);
    await says(last, /^verified at/m, small);
  });
});

/** Events that the agent has put on disk, oldest first. */
async function eventsSpooled(of: AgentBench = agent): Promise<readonly string[]> {
  const lines = await of.diagnostics();
  return [...new Set(lines.flatMap(({ msg, eventId }) => (msg === 'record.event.spooled' ? [String(eventId)] : [])))];
}
async function newEvent(before: ReadonlySet<string>): Promise<string> {
  let found: string | undefined;
  const look = async (): Promise<boolean> => {
    found = (await eventsSpooled()).find((eventId) => !before.has(eventId));
    return found !== undefined;
  };
  await expect.poll(look, DEADLINE).toBe(true);
  return found ?? '';
}

describe('the metrics', () => {
  it('are in Prometheus’ format and move', async () => {
    const before = await scrape();
    expect(before.get('fleetloop_agent_uplink_connected')).toBe(1);
    expect(before.get('fleetloop_agent_spool_disk_state{state="normal"}')).toBe(1);
    expect(before.get('fleetloop_agent_spool_verified_total')).toBeGreaterThan(0);
    await peak('sent');
    const moved = [
      'fleetloop_agent_capture_messages_total',
      'fleetloop_agent_publish_taken_total{topic="/vss/Vehicle"}',
      'fleetloop_agent_trigger_evaluations_total{campaign="sent"}',
      'fleetloop_agent_trigger_fired_total{campaign="sent"}',
      'fleetloop_agent_spool_verified_total',
    ];
    for (const name of moved)
      await expect.poll(async () => (await scrape()).get(name), DEADLINE).toBeGreaterThan(before.get(name) ?? 0);
  });

  it('answer nothing but GET /metrics', async () => {
    const served = (await agent.diagnostics()).find(({ msg }) => msg === 'health.metrics.served');
    const url = `http://127.0.0.1:${String(served?.['port'])}`;
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404);
  });
});

// Its event is open for so long that later triggers become part of it.
describe('a campaign that is taken away', () => {
  it('is draining while its event is open, which says what it waits for', async () => {
    await push(speeding('long', { postWindowMs: 120_000 }));
    await isActive('long');
    await peak('long');
    await controlPlane.api.post('/v1/campaigns/long/end', { reason: 'enough' });
    await says('long', /version 1 is draining/);
    const [pending] = (await why('long')).pending ?? [];
    expect(pending?.eventId).toMatch(/^ev-/);
    expect(await whyText('long')).toMatch(/event ev-\w+ waits for the end of its post-window, until \S+Z, \d triggers/);
    expect(await whyText(pending?.eventId ?? '')).toMatch(/waits for the end of its post-window/);
  });
});

describe('the control socket', () => {
  it('is open to nobody but the agent’s own user', async () => {
    expect((await stat(join(agent.stateDir, 'agent.sock'))).mode & 0o777).toBe(0o600);
  });

  it('keeps a second agent away from the same state, and the first goes on', async () => {
    const { code, stderr } = await runAgentCommand('run', '--config', agent.config);
    expect(code).toBe(1);
    expect(stderr).toMatch(/CONFIG_INVALID: .*agent\.sock/);
    expect((await agent.ask('status')).code).toBe(0);
    const files = await readdir(join(agent.stateDir, 'spool'));
    expect(files.length).toBeGreaterThan(0);
  });

  it('replaces the file that a killed agent has left behind', async () => {
    await agent.kill();
    expect((await stat(join(agent.stateDir, 'agent.sock'))).isSocket()).toBe(true);
    const { code, stderr } = await agent.ask('status');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/^AGENT_UNREACHABLE: /) });
    await agent.start();
    await expect.poll(async () => (await agent.ask('status')).code, DEADLINE).toBe(0);
  });

  it('answers whoever closes his side first, and refuses what is no question', async () => {
    const socket = connect(join(agent.stateDir, 'agent.sock'));
    socket.end('{"kind":"weather"}');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(JSON.parse(bytes.toString())).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
    socket.destroy();
  });
});

describe('an agent without metrics in its configuration', () => {
  it('listens on no port', async () => {
    await using quiet = await openAgentBench({
      api: controlPlane.api,
      natsUrl: bench.nats.url,
      folder: join(root, 'quiet'),
      vehicleId: 'quiet',
    });
    await quiet.start();
    await expect.poll(async () => (await quiet.ask('status')).code, DEADLINE).toBe(0);
    expect(await quiet.listening()).toEqual([]);
    expect(await agent.listening()).toHaveLength(1);
  });
});
