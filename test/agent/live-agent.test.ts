/** Why: a live drive cannot be played again: what its sensors did wrong must stand in the recording, and a stop or a cut must keep the open event. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setInterval as every } from 'node:timers/promises';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import { commaSegment } from '@fleetloop/sim';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, openAgentBench, runAgentCommand } from './agent-process.ts';
import { publishSpeed } from './live-signals.ts';
import { type FoundRecording, recordingsBelow, recordingsIn } from './recordings-on-disk.ts';

const DEADLINE = { timeout: 60_000, interval: 50 };
const STEERING = join(import.meta.dirname, '../../sim/campaigns/steering.json');
const NS_PER_MS = 1_000_000;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let agent: AgentBench & AsyncDisposable;
let vehicles = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-live-agent-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

beforeEach(async () => {
  vehicles += 1;
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: bench.nats.url,
    folder: join(root, String(vehicles)),
    vehicleId: `live-${vehicles}`,
    settings: ({ liveSocket }) => ({
      live: { socket: { path: liveSocket } },
      // Recordings stay on disk to be looked at.
      uplink: { networkClass: 'offline' },
    }),
  });
  await agent.start();
});
afterEach(async () => agent?.[Symbol.asyncDispose]());

async function pushFast(postWindowMs: number): Promise<void> {
  const campaign = {
    kind: 'campaign',
    id: 'fast',
    version: 1,
    description: '',
    owner: 'tester',
    priority: 'safety',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 100.0',
    edge: 'rising',
    preWindowMs: 20_000,
    postWindowMs,
  };
  await controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [agent.vehicleId] });
  await expect.poll(async () => (await agent.ask('why', 'fast')).stdout, DEADLINE).toContain('is active');
}

const openEvent = async (): Promise<void> =>
  expect
    .poll(async () => (await agent.ask('why', 'fast')).stdout, DEADLINE)
    .toMatch(/waits for the end of its post-window/);

async function onlyRecording(): Promise<FoundRecording> {
  await expect.poll(async () => (await recordingsIn(agent.stateDir)).length, DEADLINE).toBe(1);
  return (await recordingsIn(agent.stateDir))[0] as FoundRecording;
}

describe('a recording of a live drive', () => {
  it('says which sensor froze, repeated itself, came out of order, left gaps or went silent', async () => {
    await pushFast(1_000);
    await using speed = await publishSpeed(agent.liveSocket);
    await using publisher = connectPublisher({ socketPath: agent.liveSocket, name: 'sensors' });
    const declare = (path: string) =>
      publisher.declareSignals({
        topic: `/vss/${path.slice(0, path.lastIndexOf('.'))}`,
        signals: [{ path }],
        rateHz: 50,
        clock: { kind: 'boot' },
      });
    const freezing = declare('Vehicle.Acceleration.Longitudinal');
    const repeating = declare('Vehicle.AngularVelocity.Yaw');
    const disordered = declare('Vehicle.Chassis.SteeringWheel.Angle');
    const stopping = declare('Vehicle.CurrentLocation.Altitude');
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    speed.set(50);
    let step = 0;
    // Five seconds: at first all is well, then each sensor fails in its own way.
    for await (const _ of every(20)) {
      step += 1;
      if (step > 250) break;
      const isWell = step <= 100;
      const stampNs = process.hrtime.bigint();
      freezing.publish([isWell ? step / 10 : 10], { stampNs });
      repeating.publish([step], { stampNs });
      if (!isWell && step % 10 === 0) repeating.publish([step], { stampNs });
      const isLate = !isWell && step % 10 === 0;
      disordered.publish([step], {
        stampNs: isLate ? stampNs - 100_000_000n : stampNs,
      });
      if (isWell) stopping.publish([step], { stampNs });
    }
    await publisher.flush(AbortSignal.timeout(DEADLINE.timeout));
    const findings = async (): Promise<string> => (await agent.ask('status')).stdout;
    await expect.poll(findings, DEADLINE).toMatch(/\/vss\/Vehicle\.CurrentLocation silent: nothing for/);
    expect(await findings()).toMatch(
      /\/vss\/Vehicle\.Acceleration frozen: Vehicle\.Acceleration\.Longitudinal stands still/,
    );
    speed.set(120);
    const { metadata } = await onlyRecording();
    const of = (topic: string) => metadata.quality?.find((quality) => quality.topic === topic);
    const [frozen] = of('/vss/Vehicle.Acceleration')?.frozen ?? [];
    expect(frozen?.path).toBe('Vehicle.Acceleration.Longitudinal');
    expect(Number(BigInt(frozen?.toNs ?? 0) - BigInt(frozen?.fromNs ?? 0)) / NS_PER_MS).toBeGreaterThan(2_000);
    expect(of('/vss/Vehicle.AngularVelocity')?.duplicates).toBeGreaterThanOrEqual(10);
    expect(of('/vss/Vehicle.Chassis.SteeringWheel')?.outOfOrder).toBeGreaterThanOrEqual(10);
    expect(of('/vss/Vehicle.AngularVelocity')?.expectedRateHz).toBe(50);
    const gap = metadata.gaps.findLast(({ topic }) => topic === '/vss/Vehicle.CurrentLocation');
    expect(gap?.toNs).toBe(metadata.event?.endNs);
    expect(Number(BigInt(gap?.toNs ?? 0) - BigInt(gap?.fromNs ?? 0)) / NS_PER_MS).toBeGreaterThan(2_000);
  });

  it('carries samples of both clocks and how each source’s clock was converted', async () => {
    await pushFast(200);
    await using speed = await publishSpeed(agent.liveSocket, 50);
    speed.set(120);
    const { metadata, messages } = await onlyRecording();
    const { clock } = metadata;
    expect(clock.source).toBe('system');
    expect(clock.samples?.length).toBeGreaterThanOrEqual(1);
    for (const sample of clock.samples ?? []) {
      const wallMs = Number(BigInt(sample.wallNs) / 1_000_000n);
      expect(Math.abs(wallMs - Date.now())).toBeLessThan(DEADLINE.timeout * 10);
      expect(BigInt(sample.monotonicNs)).toBeLessThanOrEqual(process.hrtime.bigint());
    }
    expect(clock.sources).toMatchObject([{ topic: '/vss/Vehicle', kind: 'boot' }]);
    expect(clock.steps ?? []).toEqual([]);
    const offsetNs = BigInt(clock.sources?.[0]?.offsetNs ?? 0);
    const [first] = messages;
    expect(Math.abs(Number((first?.publishTimeNs ?? 0n) - offsetNs - process.hrtime.bigint()))).toBeLessThan(120e9);
  });
});

describe('a replay of the comma segment', () => {
  it('says by how much the GNSS receiver lags behind the wheels', async () => {
    const { sourcePath, mappingPath } = commaSegment();
    const out = join(root, 'comma');
    const flags = ['--source', sourcePath, '--mapping', mappingPath ?? '', '--campaign', STEERING, '--out', out];
    const { code, stderr } = await runAgentCommand('replay', ...flags);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const recordings = await recordingsBelow(out);
    expect(recordings.length).toBeGreaterThan(0);
    const lags = recordings.flatMap(({ metadata }) =>
      (metadata.alignment ?? []).filter(({ quantity }) => quantity === 'speed').map((each) => ({ ...each, metadata })),
    );
    const gnss = lags.filter(({ first, second }) => first.includes('GNSS') !== second.includes('GNSS'));
    expect(gnss.length).toBeGreaterThan(0);
    for (const { first, lagNs, correlation } of gnss) {
      // By how much the second lags behind the first: the receiver reports late whichever of the two it is.
      const lagMs = (first.includes('GNSS') ? -1 : 1) * (Number(lagNs) / NS_PER_MS);
      expect(lagMs).toBeGreaterThan(50);
      expect(lagMs).toBeLessThan(300);
      expect(correlation).toBeGreaterThan(0.9);
    }
  });
});

describe('a stop while an event is open', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s ends it and has it on disk', async (signal) => {
    await pushFast(120_000);
    await using speed = await publishSpeed(agent.liveSocket, 50);
    speed.set(120);
    await openEvent();
    expect(await agent.stop(signal)).toBe(0);
    const [recording, ...others] = await recordingsIn(agent.stateDir);
    expect(others).toEqual([]);
    expect(recording?.metadata.event).toMatchObject({ campaigns: ['fast'] });
    expect(recording?.messages.length).toBeGreaterThan(0);
    expect((await agent.diagnostics()).at(-1)?.msg).toBe('agent.stopped');
    await agent.start();
    await expect.poll(async () => (await agent.ask('status')).code, DEADLINE).toBe(0);
    expect(await recordingsIn(agent.stateDir)).toHaveLength(1);
  });

  it('by two SIGINT, one upon the other, ends it at once and loses nothing', async () => {
    await pushFast(120_000);
    await using speed = await publishSpeed(agent.liveSocket, 50);
    speed.set(120);
    await openEvent();
    await Promise.all([agent.stop('SIGINT'), agent.stop('SIGINT')]);
    await agent.start();
    expect((await onlyRecording()).metadata.event).toMatchObject({ campaigns: ['fast'] });
  });

  it('by kill -9 leaves it on disk, and the next start makes a recording of it that says that it was cut', async () => {
    await pushFast(120_000);
    await using speed = await publishSpeed(agent.liveSocket, 50);
    await expect.poll(async () => (await agent.ask('why', 'fast')).stdout, DEADLINE).toMatch(/was false at/);
    speed.set(120);
    await openEvent();
    // The ring has sealed a block that lies behind the trigger.
    const onDisk = async (): Promise<number> => {
      const status = JSON.parse((await agent.ask('status', '--json')).stdout) as {
        record: { ring: { disk: { segments: number; waitingBlocks: number; waitingClaims: number } } };
      };
      const { segments, waitingBlocks, waitingClaims } = status.record.ring.disk;
      return waitingBlocks === 0 && waitingClaims === 0 ? segments : 0;
    };
    await expect.poll(onDisk, DEADLINE).toBeGreaterThan(0);
    const held = async (): Promise<bigint> => {
      const { record } = JSON.parse((await agent.ask('status', '--json')).stdout) as {
        record: { held: readonly { toNs: string }[]; pending: readonly { startNs: string; endNs: string }[] };
      };
      const triggerNs = BigInt(record.pending[0]?.endNs ?? 0) - 120_000_000_000n;
      return BigInt(record.held.at(-1)?.toNs ?? 0) - triggerNs;
    };
    await expect.poll(held, DEADLINE).toBeGreaterThan(0n);
    await agent.kill();
    expect(await recordingsIn(agent.stateDir)).toEqual([]);
    await agent.start();
    const { metadata, messages } = await onlyRecording();
    expect(metadata.event).toMatchObject({ campaigns: ['fast'], cut: 'power-loss', priority: 'safety' });
    expect(metadata.event?.triggers).toMatchObject([{ campaign: 'fast' }]);
    expect(metadata.gaps.at(-1)?.toNs).toBe(metadata.event?.endNs);
    const triggerNs = BigInt(metadata.event?.triggers[0]?.timeNs ?? 0);
    expect(messages.some(({ logTimeNs }) => logTimeNs < triggerNs)).toBe(true);
    expect(messages.some(({ logTimeNs }) => logTimeNs > triggerNs)).toBe(true);
    const eventId = metadata.event?.id ?? '';
    expect((await agent.ask('why', eventId)).stdout).toContain('the network class is offline: nothing is sent');
  });
});
