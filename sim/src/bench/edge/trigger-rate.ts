/** Signal updates evaluated per second: 50 signals, 256 campaigns with windows over one or two of them, one core. */
import { type Campaign, parseCampaign, type SignalChannel, type SignalMessage } from '@fleetloop/schemas';
import { compileCampaign, makeTriggerEvaluator, type TriggerEvaluator } from '@fleetloop/schemas/trigger';
import { type SeededRandom, seededRandom } from '../../simulation/seeded-random.ts';
import { type Measurement, repeat } from '../measurement.ts';
import { SIGNAL_CHANNELS, SIGNAL_RATE_HZ } from './signal-channels.ts';

const CAMPAIGNS = 256;
const UPDATES_PER_ROUND = 500_000;
/** Messages are made outside the measured time, few at once: a vehicle's messages are fresh when they are evaluated. */
const UPDATES_PER_CHUNK = 1_000;
const TARGET_PER_SECOND = 1_000_000;
const NS_PER_SECOND = 1_000_000_000n;
const MS_PER_SECOND = 1_000;
const START_NS = 1_700_000_000n * NS_PER_SECOND;
const SEED = 7;
const STATISTICS = ['min', 'max', 'mean', 'std', 'range', 'count'] as const;
const WINDOWS_MS = [500, 1_000, 2_000, 5_000] as const;

/** Whether a condition can be decided by its signal alone, as most are, or needs its window at every evaluation. */
export type WindowsRead = 'seldom' | 'always';

/** The figure for `npm run bench edge`. */
export async function measureTriggerRate(repeats: number, read: WindowsRead): Promise<Measurement> {
  const random = seededRandom(SEED);
  const evaluator = makeTriggerEvaluator();
  evaluator.setCampaigns(
    Array.from({ length: CAMPAIGNS }, (_, index) => compileCampaign(randomCampaign(random, index, read), {})),
  );
  evaluator.startSession();
  let sent = 0;
  const figure = await repeat(repeats, async () => {
    let busyMs = 0;
    for (let done = 0; done < UPDATES_PER_ROUND; done += UPDATES_PER_CHUNK) {
      const chunk = randomUpdates(random, sent);
      sent += chunk.length;
      busyMs += timed(evaluator, chunk);
    }
    return UPDATES_PER_ROUND / (busyMs / MS_PER_SECOND);
  });
  const evaluations = [...evaluator.statistics().values()].reduce((sum, each) => sum + each.evaluations, 0);
  if (evaluations < sent) throw new Error(`${sent} updates led to ${evaluations} evaluations: nothing was measured`);
  return {
    bench: 'edge',
    figure: `signal updates against ${CAMPAIGNS} conditions with windows${read === 'always' ? ', each read at every evaluation' : ''}`,
    unit: 'updates/s',
    ...figure,
    target: { atLeast: TARGET_PER_SECOND },
  };
}

function timed(evaluator: TriggerEvaluator, messages: readonly SignalMessage[]): number {
  const startedMs = performance.now();
  for (const message of messages) evaluator.push(message);
  return performance.now() - startedMs;
}

/** All signals in turn, each at its rate. */
function randomUpdates(random: SeededRandom, from: number): readonly SignalMessage[] {
  const periodNs = NS_PER_SECOND / BigInt(SIGNAL_RATE_HZ * SIGNAL_CHANNELS.length);
  return Array.from({ length: UPDATES_PER_CHUNK }, (_, index) => {
    const sequence = from + index;
    const logTimeNs = START_NS + BigInt(sequence) * periodNs;
    const channel = SIGNAL_CHANNELS[sequence % SIGNAL_CHANNELS.length] as SignalChannel;
    const values = Float64Array.of(random.next() * 2 - 1);
    return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values };
  });
}

/** A window over one signal, and beside it the latest value of the same or of another one, either of which may be what decides. */
function randomCampaign(random: SeededRandom, index: number, read: WindowsRead): Campaign {
  const [windowed, latest] = [pick(random, SIGNAL_CHANNELS), pick(random, SIGNAL_CHANNELS)];
  const statistic = pick(random, STATISTICS);
  const signalOf = (channel: SignalChannel): SignalChannel['signals'][number] =>
    channel.signals[0] as SignalChannel['signals'][number];
  const condition =
    read === 'seldom'
      ? `${statistic === 'min' ? 'abs(w) < 0.6' : 'w > 0.5'} && abs(x) > 0.999`
      : `${statistic === 'min' ? 'w > 1.0' : 'w < -2.0'} && abs(x) <= 1.0`;
  const [window, signal] = [signalOf(windowed), signalOf(random.chance(0.5) ? windowed : latest)];
  return parseCampaign({
    kind: 'campaign',
    id: `campaign-${index}`,
    version: 1,
    description: 'from a seed',
    owner: 'bench',
    priority: 'normal',
    inputs: [
      {
        kind: 'window',
        name: 'w',
        path: window.path,
        unit: window.unit,
        windowMs: pick(random, WINDOWS_MS),
        statistic,
        rateHzMax: SIGNAL_RATE_HZ,
      },
      { kind: 'signal', name: 'x', path: signal.path, unit: signal.unit },
    ],
    condition,
    edge: random.chance(0.5) ? 'rising' : 'level',
    preWindowMs: 1_000,
    postWindowMs: 1_000,
    cooldownMs: random.chance(0.5) ? 1_000 : 0,
  });
}

function pick<Item>(random: SeededRandom, items: readonly Item[]): Item {
  return items[random.integer(0, items.length - 1)] as Item;
}
