/** Finds what is missing inside an event: silences per topic, and messages lost by jumps of the sequence. */
import type { Channel, SourceMessage } from '@fleetloop/schemas';

/** A silence of more than this many periods is a gap. */
export const GAP_PERIODS = 3;
/** Intervals needed before they say something about the rate of a channel that declares none. */
export const INTERVALS_MIN = 4;
/**
 * The usual period of such a channel covers this share of its intervals, and all but this many of them: a bus sends in bursts,
 * where the median says little.
 */
const USUAL_SHARE = 0.9;
const UNUSUAL_MAX = 5;
/** Gaps that are named per topic, the longest ones; a topic with more has no rate to speak of. */
export const GAPS_PER_TOPIC_MAX = 64;
const NS_PER_SECOND = 1e9;

export type Gap = { readonly topic: string; readonly fromNs: bigint; readonly toNs: bigint };
export type Interval = { readonly startNs: bigint; readonly endNs: bigint };

/**
 * Gaps of `messages` inside `interval`, which must lie within what the source has offered. A channel that declares a rate is
 * also missed at the edges and when it is silent throughout; one that does not is measured against its own usual period.
 */
export function findGaps(
  messages: Iterable<SourceMessage>,
  interval: Interval,
  channels: readonly Channel[],
): readonly Gap[] {
  const times = timesByTopic(messages);
  const rates = new Map(channels.map((channel) => [channel.topic, channel.rateHz]));
  for (const message of messages) rates.set(message.channel.topic, message.channel.rateHz);
  return [...rates.keys()]
    .toSorted()
    .flatMap((topic) => gapsOfTopic(topic, { times: times.get(topic) ?? [], rateHz: rates.get(topic), interval }));
}

/** Messages lost per topic, by jumps of the channel's sequence inside the event; topics without loss are left out. */
export function countLosses(messages: Iterable<SourceMessage>): Readonly<Record<string, number>> {
  const last = new Map<string, number>();
  const losses: Record<string, number> = {};
  for (const { channel, sequence } of messages) {
    const previous = last.get(channel.topic);
    const lost = previous === undefined ? 0 : sequence - previous - 1;
    if (lost > 0) losses[channel.topic] = (losses[channel.topic] ?? 0) + lost;
    last.set(channel.topic, Math.max(sequence, previous ?? sequence));
  }
  return losses;
}

function timesByTopic(messages: Iterable<SourceMessage>): ReadonlyMap<string, bigint[]> {
  const times = new Map<string, bigint[]>();
  for (const message of messages) {
    const known = times.get(message.channel.topic);
    if (known === undefined) times.set(message.channel.topic, [message.logTimeNs]);
    else known.push(message.logTimeNs);
  }
  for (const each of times.values()) each.sort(byValue);
  return times;
}

type TopicTimes = {
  readonly times: readonly bigint[];
  readonly rateHz: number | undefined;
  readonly interval: Interval;
};

function gapsOfTopic(topic: string, { times, rateHz, interval }: TopicTimes): Gap[] {
  const limitNs =
    rateHz === undefined ? usualLimitNs(times) : BigInt(Math.round((GAP_PERIODS * NS_PER_SECOND) / rateHz));
  if (limitNs === undefined) return [];
  const marks = [interval.startNs, ...times, interval.endNs];
  const gaps: Gap[] = [];
  for (let index = 1; index < marks.length; index += 1) {
    const fromNs = marks[index - 1] as bigint;
    const toNs = marks[index] as bigint;
    if (toNs - fromNs > limitNs) gaps.push({ topic, fromNs, toNs });
  }
  return gaps.length <= GAPS_PER_TOPIC_MAX ? gaps : longest(gaps);
}

function longest(gaps: readonly Gap[]): Gap[] {
  const kept = gaps.toSorted((a, b) => byValue(b.toNs - b.fromNs, a.toNs - a.fromNs)).slice(0, GAPS_PER_TOPIC_MAX);
  return kept.toSorted((a, b) => byValue(a.fromNs, b.fromNs));
}

function usualLimitNs(times: readonly bigint[]): bigint | undefined {
  if (times.length <= INTERVALS_MIN) return undefined;
  const intervals = times.slice(1).map((time, index) => time - (times[index] as bigint));
  const last = intervals.length - 1;
  const usual = intervals.toSorted(byValue)[Math.max(Math.floor(last * USUAL_SHARE), last - UNUSUAL_MAX)] as bigint;
  return usual > 0n ? BigInt(GAP_PERIODS) * usual : undefined;
}

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
