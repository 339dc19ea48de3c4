/** A real agent that was killed over 10 GB of spool: how long from its start to the first message that it has captured. */
import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import { startBenchServers } from '../bench-servers.ts';
import type { Measurement } from '../measurement.ts';
import { median } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { fillSpool } from './full-spool.ts';
import { LiveVehicle } from './live-vehicle.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';

const RECORDINGS = 20_000;
const GB = 1e9;
const QUOTA_BYTES = 16 * GB;
const SECONDS_MAX = 2;
const POLL_MS = 5;
const START_TIMEOUT_MS = 60_000;
/** Nothing may leave the spool between two starts. */
const UNREACHABLE = 'nats://127.0.0.1:1';

export const restartFigures: readonly Figure[] = [{ name: 'restart 10 GB', run: measureRestart }];

async function measureRestart({ signal, repeats, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const config = { spool: { quotaBytes: QUOTA_BYTES, reserveBytes: 0, safetyFloorBytes: 0 } };
  const offline = { ...servers, nats: { ...servers.nats, url: UNREACHABLE } };
  await using vehicle = await LiveVehicle.prepare({ servers: offline, vehicleId: 'restart', config, signal });
  const root = join(vehicle.stateDir, 'spool');
  const common = { root, vehicleId: vehicle.vehicleId, quotaBytes: QUOTA_BYTES, signal, onProgress };
  // The first start fills the compile cache that every later start of an agent finds.
  await captured(vehicle, signal);
  await vehicle.kill();
  const bytes = await fillSpool({ ...common, recordings: RECORDINGS });
  const size = `${(bytes / GB).toFixed(1)} GB in ${RECORDINGS.toLocaleString('en-US')} recordings`;
  const indexed: number[] = [];
  const lost: number[] = [];
  const memory: number[] = [];
  const cpu: number[] = [];
  for (let round = 1; round <= repeats; round += 1) {
    indexed.push(await captured(vehicle, signal));
    cpu.push(await cpuSeconds(vehicle.pid));
    memory.push((await residentBytes(vehicle.pid)).peak / 1e6);
    await indexRead(vehicle);
    const { spooled } = (await vehicle.status()).spool;
    if (spooled !== RECORDINGS) throw new Error(`${spooled} of ${RECORDINGS} recordings are there after the restart`);
    await vehicle.kill();
    onProgress(`round ${round}: ${indexed.at(-1)?.toFixed(2)} s`);
  }
  for (let round = 1; round <= repeats; round += 1) {
    await rm(join(root, 'index.journal'));
    lost.push(await captured(vehicle, signal));
    await indexRead(vehicle);
    await vehicle.kill();
    onProgress(`round ${round} without the index: ${lost.at(-1)?.toFixed(2)} s`);
  }
  return [
    seconds(`restart after a kill, ${size}, to the first message captured`, indexed),
    seconds('the same with the index lost', lost),
    { ...seconds('restart: CPU of the agent until then', cpu), target: undefined },
    { ...seconds('restart: peak RSS of the agent', memory), unit: 'MB', target: undefined },
  ].map(({ target, ...rest }) => (target === undefined ? rest : { ...rest, target }));
}

/** Starts the agent; resolves with the seconds until it says that it has captured a message. */
async function captured(vehicle: LiveVehicle, signal: AbortSignal): Promise<number> {
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  await rm(vehicle.socketPath, { force: true });
  const startedMs = performance.now();
  await vehicle.start();
  while (!(await isListening(vehicle.socketPath))) await delay(POLL_MS, undefined, { signal: timeout });
  await using publisher = connectPublisher({ socketPath: vehicle.socketPath, name: 'restart' });
  const channel = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed' }] });
  await publisher.ready(timeout);
  channel.publish([1]);
  await publisher.flush(timeout);
  for (;;) {
    const status = await vehicle.status().catch(() => undefined);
    if (status !== undefined && status.capture.messages > 0) return (performance.now() - startedMs) / 1_000;
    await delay(POLL_MS, undefined, { signal: timeout });
  }
}

/** The agent reads the index of its spool beside the capture. */
async function indexRead(vehicle: LiveVehicle): Promise<void> {
  await vehicle.until('its spool', ({ spool }) => spool.isOpen, START_TIMEOUT_MS);
}

async function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

function seconds(figure: string, values: readonly number[]) {
  const sorted = values.toSorted((left, right) => left - right);
  const range = { value: median(sorted), min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
  return {
    bench: 'edge',
    figure,
    unit: 's',
    repeats: values.length,
    ...range,
    target: { atMost: SECONDS_MAX } as Measurement['target'],
  };
}
