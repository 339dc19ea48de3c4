/** Finds what is missing inside an event: silences per topic. Times are distances from the session's base, ns. */

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
/** Both ends belong to it. */
export type Span = { readonly start: number; readonly end: number };

/**
 * Silences among ascending `times` inside `interval`, which must lie within what the source has offered. A channel that declares a
 * rate is also missed at the edges and when it is silent throughout; one that does not is measured against its own usual period.
 */
export function findSilences(times: Float64Array, rateHz: number | undefined, interval: Span): readonly Span[] {
  const limit = rateHz === undefined ? usualLimit(times) : Math.round((GAP_PERIODS * NS_PER_SECOND) / rateHz);
  if (limit === undefined) return [];
  const silences: Span[] = [];
  let start = interval.start;
  // By index: an iterator costs more than what is done here.
  for (let index = 0; index < times.length; index += 1) {
    const end = times[index] as number;
    if (end - start > limit) silences.push({ start, end });
    start = end;
  }
  if (interval.end - start > limit) silences.push({ start, end: interval.end });
  return silences.length <= GAPS_PER_TOPIC_MAX ? silences : longest(silences);
}

function longest(silences: readonly Span[]): Span[] {
  const kept = silences.toSorted((a, b) => b.end - b.start - (a.end - a.start)).slice(0, GAPS_PER_TOPIC_MAX);
  return kept.toSorted((a, b) => a.start - b.start);
}

function usualLimit(times: Float64Array): number | undefined {
  const last = times.length - 2;
  if (times.length <= INTERVALS_MIN) return undefined;
  // All but a few are usual: the few longest are enough to find the one that divides them, and nothing has to be sorted.
  const unusual = last - Math.max(Math.floor(last * USUAL_SHARE), last - UNUSUAL_MAX);
  const longestFirst = new Float64Array(unusual + 1);
  for (let index = 0; index <= last; index += 1) {
    const interval = (times[index + 1] as number) - (times[index] as number);
    if (interval > (longestFirst[unusual] as number)) insert(longestFirst, interval);
  }
  const usual = longestFirst[unusual] as number;
  return usual > 0 ? GAP_PERIODS * usual : undefined;
}

/** Puts a value in its place; the last one falls out. */
function insert(descending: Float64Array, value: number): void {
  let index = descending.length - 1;
  for (; index > 0 && (descending[index - 1] as number) < value; index -= 1)
    descending[index] = descending[index - 1] as number;
  descending[index] = value;
}
