/** How much a live agent takes at most: one publisher process that sends as fast as it gets credit, with a campaign in force. */
import { startBenchServers } from '../bench-servers.ts';
import type { Measurement } from '../measurement.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { LiveVehicle } from './live-vehicle.ts';
import { publishFast, speedCampaign } from './live-workload.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';

const DURATION_MS = 10_000;
const WARM_UP_MS = 3_000;
/** Above what the agent can do, so that its own speed is the limit. */
const UNLIMITED = { messagesPerS: 10_000_000, bytesPerS: 4_096 * 1_024 * 1_024 };

export const throughputFigures: readonly Figure[] = [{ name: 'live throughput', run: measureThroughput }];

async function measureThroughput({ signal, repeats }: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const config = (socketPath: string): object => ({
    live: {
      socket: { path: socketPath },
      limits: { connection: UNLIMITED, topic: UNLIMITED, windowMessages: 16_384, windowBytes: 8 * 1_024 * 1_024 },
    },
  });
  await using vehicle = await LiveVehicle.prepare({ servers, vehicleId: 'throughput', signal, config });
  await vehicle.warmUp();
  await vehicle.start();
  await vehicle.serving();
  await vehicle.campaign(speedCampaign(10_000, 5_000));
  await publishFast(vehicle.socketPath, WARM_UP_MS);
  const rounds: { messages: number; megabytes: number; micros: number }[] = [];
  for (let round = 0; round < repeats; round += 1) {
    const [startCpuS, startMs] = [await cpuSeconds(vehicle.pid), performance.now()];
    const { messages, bytes } = await publishFast(vehicle.socketPath, DURATION_MS);
    const seconds = (performance.now() - startMs) / 1_000;
    const cpuS = (await cpuSeconds(vehicle.pid)) - startCpuS;
    rounds.push({ messages: messages / seconds, megabytes: bytes / 1e6 / seconds, micros: (cpuS * 1e6) / messages });
  }
  const peak = (await residentBytes(vehicle.pid)).peak / 1e6;
  return [
    row(
      'live, as fast as it goes',
      'messages/s',
      rounds.map((each) => each.messages),
    ),
    row(
      'live, as fast as it goes: signals and 1 frame in 501',
      'MB/s',
      rounds.map((each) => each.megabytes),
    ),
    row(
      'live, as fast as it goes: CPU of the agent per message',
      'µs',
      rounds.map((each) => each.micros),
    ),
    row('live, as fast as it goes: peak RSS', 'MB', [peak]),
  ];
}

function row(figure: string, unit: string, values: readonly number[]): Measurement {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return { bench: 'edge', figure, unit, value, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, repeats: values.length };
}
