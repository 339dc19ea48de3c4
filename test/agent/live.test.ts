/** Why: what a publisher may do to others shows only with real sockets, real processes and a real server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentLogger, openLiveSource, parseLiveConfig } from '@fleetloop/edge-agent';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import type { SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { startLedgerServer } from '../ledger/ledger-server.ts';

const PUBLISHER = join(import.meta.dirname, 'live-publisher.ts');
const EXAMPLE = join(import.meta.dirname, '../../edge-agent/examples/publish.ts');
const DEADLINE = { timeout: 60_000, interval: 20 };

type Bench = AsyncDisposable & Awaited<ReturnType<typeof openBench>>;

/** A live source whose drives are taken as they come, until `hold` is called. */
async function openBench(config: object = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'fleetloop-live-'));
  const socketPath = join(folder, 'agent.sock');
  const events: { event: string; code?: string; publisher?: string }[] = [];
  const note = (fields: object, event: string): void => void events.push({ ...fields, event });
  const logger: AgentLogger = { debug: note, info: note, warn: note, error: note };
  const live = await openLiveSource({ config: parseLiveConfig({ socket: { path: socketPath }, ...config }), logger });
  const stopping = new AbortController();
  const messages: SourceMessage[] = [];
  const sessions: { name: string; attributes: object; clock: unknown }[] = [];
  let held: PromiseWithResolvers<void> | undefined;
  const taking = (async () => {
    for (;;) {
      const drive = await live.source.next(stopping.signal);
      if (drive === undefined) return;
      for await (const batch of drive.batches(stopping.signal)) {
        await held?.promise;
        messages.push(...batch);
      }
      sessions.push({
        name: drive.session,
        attributes: drive.attributes,
        clock: drive.clockBetween(0n, 1n << 62n),
      });
    }
  })();
  const children: ChildProcess[] = [];
  return {
    live,
    socketPath,
    events,
    messages,
    sessions,
    hold: () => {
      held = Promise.withResolvers();
    },
    goOn: () => held?.resolve(),
    of: (topic: string) => messages.filter(({ channel }) => channel.topic === topic),
    /** Starts a publisher process and waits until it works. */
    start: async (manner: string, topic: string, count = 0) => {
      const args = [PUBLISHER, manner, socketPath, topic, String(count)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      await once(child.stdout, 'data');
      return child;
    },
    [Symbol.asyncDispose]: async () => {
      held?.resolve();
      for (const child of children) child.kill('SIGKILL');
      stopping.abort();
      await live[Symbol.asyncDispose]();
      await taking;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const sequencesOf = (bench: Bench, topic: string): number[] => bench.of(topic).map(({ sequence }) => sequence);
const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('the local socket', () => {
  it('loses nothing of good publishers beside one that floods, sends garbage, reads nothing, stops inside a frame or is killed', async () => {
    await using bench = await openBench({ limits: { windowMessages: 256, topic: { messagesPerS: 5_000 } } });
    const victim = await bench.start('steady', '/sensor/rear/killed');
    const bad = ['flood', 'garbage', 'deaf', 'half'];
    await Promise.all(bad.map(async (manner) => bench.start(manner, `/noise/${manner}`)));
    const good = await Promise.all([
      bench.start('steady', '/sensor/front/speed', 2_000),
      bench.start('steady', '/sensor/left/speed', 2_000),
    ]);
    await expect.poll(() => bench.of('/sensor/rear/killed').length, DEADLINE).toBeGreaterThan(20);
    victim.kill('SIGKILL');
    for (const child of good) if (child.exitCode === null) await once(child, 'exit');
    await expect.poll(() => bench.of('/sensor/front/speed').length, DEADLINE).toBe(2_000);
    await expect.poll(() => bench.of('/sensor/left/speed').length, DEADLINE).toBe(2_000);
    expect(good.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(sequencesOf(bench, '/sensor/front/speed')).toEqual(numbered(2_000));
    expect(sequencesOf(bench, '/sensor/left/speed')).toEqual(numbered(2_000));
    const killed = sequencesOf(bench, '/sensor/rear/killed');
    expect(killed).toEqual(numbered(killed.length));
    const cut = (code: string, publisher?: string) => () =>
      bench.events.some(
        (each) => each.event === 'live.publisher.cut' && each.code === code && each.publisher === publisher,
      );
    await expect.poll(cut('PUBLISH_MALFORMED'), DEADLINE).toBe(true);
    await expect.poll(cut('PUBLISH_LIMIT', 'deaf'), DEADLINE).toBe(true);
    await expect.poll(cut('PUBLISH_MALFORMED', 'half'), DEADLINE).toBe(true);
    const flood = bench.live.counters().find(({ topic }) => topic === '/noise/flood');
    expect(flood?.dropped).toBeGreaterThan(0);
    const times = bench.messages.map(({ logTimeNs }) => logTimeNs);
    expect(times.every((time, index) => index === 0 || time >= (times[index - 1] ?? 0n))).toBe(true);
  });

  it('holds publishers back while nothing is taken, and loses nothing then', async () => {
    await using bench = await openBench({ limits: { windowMessages: 64 } });
    await using publisher = connectPublisher({
      socketPath: bench.socketPath,
      name: 'held',
      whenFull: 'wait',
      queueMessagesMax: 100,
    });
    const camera = publisher.declareChannel({
      topic: '/sensor/front/camera',
      schemaName: 'Jpeg',
      messageEncoding: 'jpeg',
    });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    bench.hold();
    let published = 0;
    const tryAll = (): number => {
      while (published < 2_000 && camera.publish(Uint8Array.of(published & 0xff, published >> 8))) published += 1;
      return publisher.statistics.queued;
    };
    await expect.poll(() => tryAll() === 100 && publisher.statistics.sent > 0, DEADLINE).toBe(true);
    expect(publisher.statistics.sent).toBeLessThanOrEqual(128);
    bench.goOn();
    while (published < 2_000) {
      tryAll();
      await publisher.drained(AbortSignal.timeout(DEADLINE.timeout));
    }
    await expect.poll(() => bench.of('/sensor/front/camera').length, DEADLINE).toBe(2_000);
    const values = bench.messages.map((message) =>
      message.kind === 'opaque' ? (message.data[0] ?? 0) + ((message.data[1] ?? 0) << 8) : -1,
    );
    expect(values).toEqual(numbered(2_000));
    expect(publisher.statistics).toMatchObject({ dropped: 0, refused: 0 });
  });

  it('waits for the room that a large message needs', async () => {
    await using bench = await openBench();
    await using publisher = connectPublisher({
      socketPath: bench.socketPath,
      name: 'large',
      whenFull: 'wait',
      queueBytesMax: 100_000,
    });
    const lidar = publisher.declareChannel({ topic: '/sensor/top/lidar', schemaName: 'Scan', messageEncoding: 'raw' });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    const scan = new Uint8Array(60_000).fill(7);
    for (let index = 0; index < 100; index += 1) {
      while (!lidar.publish(scan)) await publisher.drained(AbortSignal.timeout(DEADLINE.timeout));
    }
    await expect.poll(() => sequencesOf(bench, '/sensor/top/lidar'), DEADLINE).toEqual(numbered(100));
    expect(bench.messages.every((message) => message.kind === 'opaque' && message.data.length === 60_000)).toBe(true);
  });

  it('lets the oldest messages go in a publisher that does not wait, and the loss shows in the sequence', async () => {
    await using bench = await openBench({ limits: { windowMessages: 8 } });
    await using publisher = connectPublisher({ socketPath: bench.socketPath, name: 'eager', queueMessagesMax: 10 });
    const speed = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed' }] });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    for (let index = 0; index < 50; index += 1) expect(speed.publish([index])).toBe(true);
    await publisher.flush(AbortSignal.timeout(DEADLINE.timeout));
    await expect.poll(() => sequencesOf(bench, '/vss/Vehicle'), DEADLINE).toEqual(numbered(50).slice(40));
    expect(publisher.statistics.dropped).toBe(40);
  });

  it('is found again by its publishers after a restart, over a socket file that a killed agent left behind', async () => {
    await using first = await openBench();
    await using publisher = connectPublisher({ socketPath: first.socketPath, name: 'loyal' });
    const speed = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed' }] });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    expect(statSync(first.socketPath).mode & 0o777).toBe(0o600);
    await expect(openBench({ socket: { path: first.socketPath } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await first.live[Symbol.asyncDispose]();
    expect(existsSync(first.socketPath)).toBe(false);
    const leaver = [
      '-e',
      `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`,
    ];
    await once(spawn(process.execPath, [...leaver, first.socketPath]), 'exit');
    expect(existsSync(first.socketPath)).toBe(true);
    await using second = await openBench({ socket: { path: first.socketPath } });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    speed.publish([1]);
    await expect.poll(() => second.of('/vss/Vehicle').length, DEADLINE).toBe(1);
    expect(publisher.statistics.losses).toBeGreaterThanOrEqual(1);
  });

  it('leaves a file that is no socket alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fleetloop-live-'));
    const path = join(folder, 'agent.sock');
    writeFileSync(path, 'precious');
    await expect(openBench({ socket: { path } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(statSync(path).size).toBe(8);
    await rm(folder, { recursive: true });
  });

  it('tells a publisher what is refused and goes on with the rest', async () => {
    await using bench = await openBench();
    await using publisher = connectPublisher({ socketPath: bench.socketPath, name: 'wrong' });
    const wrong = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Spede' }] });
    await expect(publisher.ready(AbortSignal.timeout(DEADLINE.timeout))).rejects.toMatchObject({
      code: 'SIGNAL_UNKNOWN',
    });
    expect(wrong.publish([1])).toBe(false);
    const right = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed' }] });
    await expect.poll(() => right.isAccepted, DEADLINE).toBe(true);
  });

  it('says that there is no agent instead of waiting for ever', async () => {
    await using publisher = connectPublisher({ socketPath: join(tmpdir(), 'fleetloop-nobody.sock'), name: 'alone' });
    await expect(publisher.ready(AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'PUBLISH_UNAVAILABLE' });
  });

  it('ends a session at a mark, each with a clock of its own', async () => {
    await using bench = await openBench({ markers: ['ignition'], attributes: { place: 'yard' } });
    await using publisher = connectPublisher({ socketPath: bench.socketPath, name: 'ignition' });
    const speed = publisher.declareSignals({
      topic: '/vss/Vehicle',
      signals: [{ path: 'Vehicle.Speed' }],
      clock: { kind: 'boot' },
    });
    await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
    for (const key of ['on', 'off']) {
      speed.publish([1], { stampNs: process.hrtime.bigint() });
      await publisher.mark('ignition', { key });
    }
    await expect.poll(() => bench.sessions.length, DEADLINE).toBe(2);
    expect(bench.sessions.map(({ attributes }) => attributes)).toEqual([
      { place: 'yard' },
      { place: 'yard', mark: 'ignition', key: 'on' },
    ]);
    expect(new Set(bench.sessions.map(({ name }) => name)).size).toBe(2);
    expect(bench.sessions[0]?.name).toMatch(/^live\/[0-9a-f-]{36}\/\d+$/);
    expect(bench.sessions[0]?.clock).toMatchObject({
      source: 'system',
      sources: [{ topic: '/vss/Vehicle', kind: 'boot' }],
    });
    expect(sequencesOf(bench, '/vss/Vehicle')).toEqual([0, 1]);
  });

  it('takes the messages of the example in the documentation', async () => {
    await using bench = await openBench();
    const child = spawn(process.execPath, [EXAMPLE, bench.socketPath, '20'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    await expect.poll(() => sequencesOf(bench, '/vss/Vehicle'), DEADLINE).toEqual(numbered(20));
    expect(bench.messages[0]).toMatchObject({ kind: 'signal', values: Float64Array.of(36) });
  });
});

describe('local NATS', () => {
  it('takes JSON fields in their units and raw payloads untouched, and counts what is not what it should be', async () => {
    await using server = await startLedgerServer();
    const credentialsFile = join(server.root, 'live.creds');
    writeFileSync(credentialsFile, server.nats.serviceUser.creds);
    const subjects = [
      {
        subject: 'vehicle.*.motion',
        topic: '/vss/Vehicle',
        decoding: 'json',
        signals: [{ path: 'Vehicle.Speed', unit: 'm/s', from: 'motion.speed' }],
        stamp: { from: 'at', unit: 'ms', clock: { kind: 'utc' } },
      },
      {
        subject: 'camera.front',
        topic: '/sensor/front/camera',
        decoding: 'raw',
        schemaName: 'Jpeg',
        messageEncoding: 'jpeg',
      },
    ];
    await using bench = await openBench({
      nats: { url: server.nats.url, credentialsFile, subjects },
      limits: { topics: { '/sensor/front/camera': { messagesPerS: 5 } } },
    });
    await expect.poll(() => bench.live.natsConnections, DEADLINE).toBe(1);
    const connection = await server.connect();
    const at = Date.now();
    connection.publish('vehicle.left.motion', JSON.stringify({ motion: { speed: 10 }, at }));
    connection.publish('vehicle.left.motion', '{"motion":');
    connection.publish('vehicle.left.motion', JSON.stringify({ motion: {} }));
    for (let index = 0; index < 50; index += 1) connection.publish('camera.front', Uint8Array.of(0xff, 0xd8, index));
    await connection.flush();
    const counters = () => Object.fromEntries(bench.live.counters().map(({ topic, ...rest }) => [topic, rest]));
    await expect.poll(() => counters()['/vss/Vehicle'], DEADLINE).toEqual({ taken: 1, dropped: 0, refused: 2 });
    await expect
      .poll(
        () => (counters()['/sensor/front/camera']?.taken ?? 0) + (counters()['/sensor/front/camera']?.dropped ?? 0),
        DEADLINE,
      )
      .toBe(50);
    expect(counters()['/sensor/front/camera']?.dropped).toBeGreaterThan(0);
    await expect.poll(() => bench.of('/vss/Vehicle')[0], DEADLINE).toMatchObject({ values: Float64Array.of(36) });
    const [message] = bench.of('/vss/Vehicle');
    const aheadMs = Number((message?.publishTimeNs ?? 0n) - BigInt(at) * 1_000_000n) / 1e6;
    expect(Math.abs(aheadMs)).toBeLessThan(1_000);
    await server.nats.kill();
    await server.nats.restart();
    await expect
      .poll(
        async () => {
          const again = await server.connect();
          again.publish('vehicle.left.motion', JSON.stringify({ motion: { speed: 20 } }));
          await again.flush();
          await again.close();
          return bench.of('/vss/Vehicle').length;
        },
        { ...DEADLINE, interval: 200 },
      )
      .toBeGreaterThan(1);
  });
});
