/** What a live vehicle costs: CPU and memory of the agent process while 50 signals at 100 Hz and 1 MB/s of frames pass through it. */
import { setTimeout as delay } from 'node:timers/promises';
import { startBenchServers } from '../bench-servers.ts';
import type { Measurement } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { LiveVehicle } from './live-vehicle.ts';
import { MESSAGES_PER_S, speedCampaign } from './live-workload.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';

const PRE_WINDOW_MS = 10_000;
const POST_WINDOW_MS = 5_000;
const TRIGGER_EVERY_MS = 30_000;
/** Code is compiled and the pre-window is full after this. */
const WARM_UP_MS = 20_000;
const SAMPLE_MS = 1_000;
const CPU_PERCENT_MAX = 5;
const RSS_MB_MAX = 90;
const BYTES_PER_MB = 1e6;
/** What of the messages that were due must have come for the figure to count. */
const TAKEN_SHARE_MIN = 0.98;

export const liveFigures: readonly Figure[] = [
  { name: 'live cpu', run: async (context) => measureLive(context, 1, 'a gateway that publishes every 10 ms') },
  {
    name: 'live staggered cpu',
    run: async (context) => measureLive(context, 5, 'signals spread over time, a turn every 2 ms'),
  },
];

async function measureLive(
  context: FigureContext,
  turnsPerPeriod: number,
  manner: string,
): Promise<readonly Measurement[]> {
  const { signal, minutes, onProgress } = context;
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  await using vehicle = await LiveVehicle.prepare({ servers, vehicleId: `live-${turnsPerPeriod}`, signal });
  await vehicle.warmUp();
  await vehicle.start();
  await vehicle.serving();
  await vehicle.campaign(speedCampaign(PRE_WINDOW_MS, POST_WINDOW_MS));
  await vehicle.publish({ triggerEveryMs: TRIGGER_EVERY_MS, turnsPerPeriod });
  await delay(WARM_UP_MS, undefined, { signal });
  const { pid } = vehicle;
  const [startCpuS, startMs, startMessages] = [await cpuSeconds(pid), performance.now(), await messages(vehicle)];
  const resident: number[] = [];
  for (let second = 0; second < minutes * 60; second += 1) {
    await delay(SAMPLE_MS, undefined, { signal });
    resident.push((await residentBytes(pid)).now / BYTES_PER_MB);
    if (second % 60 === 0) onProgress(`${second} s, ${Math.round(resident.at(-1) ?? 0)} MB`);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const percent = (((await cpuSeconds(pid)) - startCpuS) / seconds) * 100;
  const taken = (await messages(vehicle)) - startMessages;
  if (taken < TAKEN_SHARE_MIN * MESSAGES_PER_S * seconds)
    throw new Error(`${taken} messages came in ${Math.round(seconds)} s: the publisher could not keep up`);
  const { spool } = await vehicle.status();
  if (spool.verified === 0)
    throw new Error('nothing was captured and uploaded meanwhile: this is not the case to measure');
  const base = { bench: 'edge', repeats: 1 };
  const sorted = resident.toSorted((left, right) => left - right);
  const peak = (await residentBytes(pid)).peak / BYTES_PER_MB;
  const cpu = { value: percent, min: percent, max: percent };
  const rss = { value: sorted.at(-1) ?? 0, min: sorted[0] ?? 0, max: peak };
  return [
    { ...base, figure: `live, ${manner}: CPU of one core`, unit: '%', ...cpu, target: { atMost: CPU_PERCENT_MAX } },
    { ...base, figure: `live, ${manner}: RSS, ${minutes} min`, unit: 'MB', ...rss, target: { atMost: RSS_MB_MAX } },
  ];
}

const messages = async (vehicle: LiveVehicle): Promise<number> => (await vehicle.status()).capture.messages;
