/** A drive and its campaigns from a seed: bursts, silences, missing values, repeated stamps, campaigns that come and go. */
import { type Campaign, parseCampaign, type SignalChannel, type SourceMessage } from '@fleetloop/schemas';
import type { SeededRandom } from './seeded-random.ts';

const NS_PER_MS = 1_000_000n;
const START_NS = 1_700_000_000_000_000_000n;

const CHANNELS: readonly SignalChannel[] = [
  {
    kind: 'signal',
    topic: '/vss/Vehicle.Acceleration',
    signals: [
      { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
      { path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' },
    ],
    rateHz: 10,
  },
  { kind: 'signal', topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }] },
];

/** One thing that happens to the agent. */
export type DriveStep =
  | { readonly kind: 'message'; readonly message: SourceMessage }
  | { readonly kind: 'campaigns'; readonly campaigns: readonly Campaign[] };

export type RandomDrive = { readonly channels: readonly SignalChannel[]; readonly steps: readonly DriveStep[] };

export function randomDrive(random: SeededRandom): RandomDrive {
  const steps: DriveStep[] = [{ kind: 'campaigns', campaigns: randomCampaigns(random, 1) }];
  const sequences = new Map<string, number>();
  let timeNs = START_NS;
  const count = random.integer(50, 2_000);
  for (let index = 0; index < count; index += 1) {
    timeNs += BigInt(stepMs(random)) * NS_PER_MS;
    if (random.chance(0.002)) steps.push({ kind: 'campaigns', campaigns: randomCampaigns(random, index + 2) });
    const channel = CHANNELS[random.chance(0.8) ? 0 : 1] as SignalChannel;
    const lost = random.chance(0.01) ? random.integer(1, 5) : 0;
    const sequence = (sequences.get(channel.topic) ?? -1) + 1 + lost;
    sequences.set(channel.topic, sequence);
    const values = Float64Array.from(channel.signals, () =>
      random.chance(0.03) ? Number.NaN : (random.next() ** 4 - 0.2) * 8,
    );
    steps.push({
      kind: 'message',
      message: { kind: 'signal', channel, sequence, logTimeNs: timeNs, publishTimeNs: timeNs, values },
    });
  }
  return { channels: CHANNELS, steps };
}

/** Mostly a steady 100 ms, sometimes the same stamp again, sometimes a silence. */
function stepMs(random: SeededRandom): number {
  if (random.chance(0.05)) return 0;
  return random.chance(0.01) ? random.integer(1_000, 60_000) : random.integer(50, 150);
}

function randomCampaigns(random: SeededRandom, version: number): readonly Campaign[] {
  return Array.from({ length: random.integer(0, 3) }, (_, index) =>
    parseCampaign({
      kind: 'campaign',
      id: `campaign-${index}`,
      version,
      description: 'from a seed',
      owner: 'simulation',
      priority: 'normal',
      inputs: [{ kind: 'signal', name: 'x', path: 'Vehicle.Acceleration.Longitudinal', unit: 'g' }],
      condition: `abs(x) >= ${(0.3 + random.next() * 0.3).toFixed(3)}`,
      preWindowMs: random.integer(0, 10_000),
      postWindowMs: random.integer(0, 10_000),
      cooldownMs: random.chance(0.5) ? 0 : random.integer(1, 5_000),
    }),
  );
}
