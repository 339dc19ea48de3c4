/** Whether the memory of an agent is flat: an hour of the live vehicle as fast as the agent follows, on its own disk and link. */
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { startBenchServers } from '../bench-servers.ts';
import { median, type Measurement } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { LiveVehicle } from './live-vehicle.ts';
import { MESSAGES_PER_S, speedCampaign } from './live-workload.ts';
import { residentBytes } from './process-usage.ts';

const PROGRAM = join(import.meta.dirname, 'hour-child.ts');
const MINUTES = 60;
const RSS_MB_MAX = 90;
/** MB per hour, between the first and the last third, that count as flat. */
const GROWTH_MB_MAX = 5;
const POLL_MS = 200;

export const hourFigures: readonly Figure[] = [{ name: 'hour rss', run: measureHour }];

async function measureHour({ signal, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  await using vehicle = await LiveVehicle.prepare({ servers, vehicleId: 'hour', program: PROGRAM, signal });
  await vehicle.warmUp();
  await vehicle.start();
  await vehicle.serving();
  await vehicle.campaign(speedCampaign(10_000, 5_000));
  process.kill(vehicle.pid, 'SIGUSR2');
  const resident: number[] = [];
  for (let minute = 1; minute <= MINUTES; minute += 1) {
    while ((await vehicle.status()).capture.messages < minute * 60 * MESSAGES_PER_S)
      await delay(POLL_MS, undefined, { signal });
    resident.push((await residentBytes(vehicle.pid)).now / 1e6);
    if (minute % 5 === 0) onProgress(`${minute} minutes, ${Math.round(resident.at(-1) ?? 0)} MB`);
  }
  const { spool } = await vehicle.status();
  onProgress(`${spool.verified} recordings verified, ${spool.spooled} waiting, ${spool.evicted} evicted`);
  if (spool.verified === 0) throw new Error('nothing was captured and uploaded in the hour');
  const third = MINUTES / 3;
  const level = (values: readonly number[]): number => median(values.toSorted((left, right) => left - right));
  const growth = (level(resident.slice(-third)) - level(resident.slice(third, 2 * third))) * (MINUTES / third);
  const base = { bench: 'edge', unit: 'MB', repeats: 1 };
  const [min, max] = [Math.min(...resident), Math.max(...resident)];
  return [
    { ...base, figure: 'live, one simulated hour: largest RSS', value: max, min, max, target: { atMost: RSS_MB_MAX } },
    {
      ...base,
      figure: 'live, one simulated hour: growth per hour',
      value: growth,
      min: growth,
      max: growth,
      target: { atMost: GROWTH_MB_MAX },
    },
  ];
}
