/**
 * A journey through everything that a radio link does to a vehicle: stretches with a rate, a delay and losses of their own, silences,
 * cuts, short outages, and long ones that fill the disk of whoever keeps recording. Hours of it pass in seconds; rates and delays
 * stay as real ones. The seed decides all of it.
 */
import { seededRandom, type SeededRandom } from '../simulation/seeded-random.ts';
import { type LinkConditions, type LinkEvent, type LinkScript, PERFECT_LINK } from './link-script.ts';

const KIB = 1_024;
const MS_PER_HOUR = 3_600_000;
/** Between two changes of the conditions, hours. */
const STRETCH_HOURS_MIN = 2;
const STRETCH_HOURS_MAX = 6;
const LONG_OUTAGES = 2;
const LONG_OUTAGE_HOURS_MIN = 7;
const LONG_OUTAGE_HOURS_MAX = 10;
const SHORT_OUTAGE_HOURS_MAX = 1.5;
const SILENCE_HOURS_MAX = 1;
/** On average in each stretch. */
const CUTS_PER_STRETCH = 1.5;
const OUTAGE_CHANCE = 0.3;
const SILENCE_CHANCE = 0.3;

const ROADS: readonly Partial<LinkConditions>[] = [
  // At the depot.
  { bytesPerS: 4_096 * KIB, delayMs: 5, lossShare: 0 },
  // In a town.
  { bytesPerS: 1_024 * KIB, delayMs: 25, lossShare: 0.01 },
  // On a country road.
  { bytesPerS: 384 * KIB, delayMs: 60, lossShare: 0.03 },
  // At the edge of a cell.
  { bytesPerS: 96 * KIB, delayMs: 150, lossShare: 0.08 },
];

export type HostileRoad = {
  readonly seed: number;
  readonly hours: number;
  /** How many ms of the journey one real ms is. */
  readonly compression: number;
};

/** Ends, whatever the seed, with a link on which nothing happens any more. */
export function hostileRoad({ seed, hours, compression }: HostileRoad): LinkScript {
  const random = seededRandom(seed);
  const endMs = (hours * MS_PER_HOUR) / compression;
  const realMs = (hoursOfRoad: number): number => (hoursOfRoad * MS_PER_HOUR) / compression;
  const events: LinkEvent[] = [];
  for (let hour = 0; hour < hours; ) {
    const stretch = between(random, STRETCH_HOURS_MIN, STRETCH_HOURS_MAX);
    const at = (): number => realMs(hour + random.next() * stretch);
    events.push({ kind: 'conditions', atMs: realMs(hour), conditions: roadOf(random) });
    const cuts = random.integer(0, 2 * CUTS_PER_STRETCH);
    for (let cut = 0; cut < cuts; cut += 1) events.push({ kind: 'cut', atMs: at() });
    if (random.chance(OUTAGE_CHANCE))
      events.push({ kind: 'outage', atMs: at(), forMs: realMs(random.next() * SHORT_OUTAGE_HOURS_MAX) });
    if (random.chance(SILENCE_CHANCE))
      events.push({ kind: 'silence', atMs: at(), forMs: realMs(random.next() * SILENCE_HOURS_MAX) });
    hour += stretch;
  }
  // One in each part of the journey: long enough apart that the link comes back between them.
  for (let part = 0; part < LONG_OUTAGES; part += 1) {
    const startHour = ((part + random.next() / 2) * hours) / LONG_OUTAGES;
    const forMs = realMs(between(random, LONG_OUTAGE_HOURS_MIN, LONG_OUTAGE_HOURS_MAX));
    events.push({ kind: 'outage', atMs: realMs(startHour), forMs });
  }
  const within = events.filter(({ atMs }) => atMs < endMs).map((event) => endingBy(event, endMs));
  return {
    seed,
    conditions: PERFECT_LINK,
    events: [
      ...within.toSorted((left, right) => left.atMs - right.atMs),
      { kind: 'conditions', atMs: endMs, conditions: PERFECT_LINK },
    ],
    cutsAtBytes: [],
  };
}

const between = (random: SeededRandom, low: number, high: number): number => low + random.next() * (high - low);

const roadOf = (random: SeededRandom): Partial<LinkConditions> => ROADS[random.integer(0, ROADS.length - 1)] ?? {};

function endingBy(event: LinkEvent, endMs: number): LinkEvent {
  return 'forMs' in event ? { ...event, forMs: Math.min(event.forMs, endMs - event.atMs) } : event;
}
