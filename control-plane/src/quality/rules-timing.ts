/** Why: rates, gaps, losses and repeats of each topic by itself. */
import { at, type Judged, type WatchedTopic } from './judged.ts';
import { motionRoleOf } from './motion-roles.ts';
import { lengthOf, type Place } from './topic-timing.ts';

/** Messages before a rate means something. */
const MESSAGES_MIN = 8;
/** A topic is regular when nine of ten intervals are within this factor of the middle one. */
const REGULAR_FACTOR = 2.2;
/** A silence that all topics share is one finding. */
const SHARED_SHARE = 0.6;
/** Copies of messages before they are no accident. */
const COPIES_MIN = 3;
/** Messages before bursts show; intervals of a burst, per mean one; and their share: two sources on one topic are no burst. */
const BURST_MESSAGES_MIN = 40;
const BURST_INTERVAL_SHARE = 0.1;
const BURST_SHARE_MIN = 0.6;
const BURSTS_MIN = 5;
/** More lost messages than came: the writer counts something else. */
const LOST_SHARE_MAX = 1;

type Gap = Place & { readonly topics: readonly string[]; readonly periodNs: number };

export function judgeTiming(judged: Judged): void {
  for (const watched of judged.topics) {
    judgeRate(judged, watched);
    judgeLoss(judged, watched);
    judgeCopies(judged, watched);
    judgeBursts(judged, watched);
  }
  judgeGaps(judged);
}

/** Period of a topic that comes regularly, ns; NaN of one that comes when it likes. */
export function regularPeriodNs({ timing, isLatched }: WatchedTopic): number {
  if (isLatched || timing.intervals.total < MESSAGES_MIN) return Number.NaN;
  const middle = timing.intervals.quantile(0.5);
  const isRegular =
    timing.intervals.quantile(0.9) <= REGULAR_FACTOR * middle &&
    timing.intervals.quantile(0.1) * REGULAR_FACTOR >= middle;
  return isRegular && middle > 1_100 ? middle : Number.NaN;
}

function judgeRate({ standard, list, baseNs }: Judged, watched: WatchedTopic): void {
  const { topic, rateHz, timing } = watched;
  if (rateHz === undefined || timing.count < MESSAGES_MIN || Number.isNaN(regularPeriodNs(watched))) return;
  const spanS = (timing.latestNs - timing.earliestNs) / 1e9;
  const middleHz = 1e9 / timing.intervals.quantile(0.5);
  const { rateShareMin } = standard.timing;
  const isLow = middleHz < rateHz * rateShareMin;
  if (!isLow && middleHz * rateShareMin <= rateHz) return;
  list.add(isLow ? 'rate.low' : 'rate.high', {
    topic,
    fromNs: at({ baseNs }, timing.earliestNs),
    toNs: at({ baseNs }, timing.latestNs),
    message: `${topic} comes at ${middleHz.toPrecision(3)} Hz, but ${rateHz} Hz are declared`,
    evidence: { declaredHz: rateHz, middleHz, messages: timing.count, spanS },
  });
}

function judgeLoss({ list, baseNs }: Judged, { topic, timing }: WatchedTopic): void {
  const { missing } = timing;
  if (missing > 0 && missing <= timing.count * LOST_SHARE_MAX) {
    list.add('structure.loss', {
      topic,
      fromNs: at({ baseNs }, timing.firstLossNs),
      toNs: at({ baseNs }, timing.lastLossNs),
      message: `${missing} messages of ${topic} are missing in ${timing.losses} places, by their sequence numbers`,
      evidence: { missing, places: timing.losses, messages: timing.count },
    });
  }
}

/** One message twice may be how a bus answers; more are a source that is read twice. */
function judgeCopies({ list, baseNs }: Judged, { topic, repeats, timing }: WatchedTopic): void {
  const { copies, firstNs, lastNs } = repeats;
  if (copies < COPIES_MIN) return;
  list.add('structure.duplicates', {
    topic,
    fromNs: at({ baseNs }, firstNs),
    toNs: at({ baseNs }, lastNs),
    message: `${copies} of ${timing.count} messages of ${topic} are the one before once more, with its stamp and its content`,
    evidence: { copies, messages: timing.count },
  });
}

/** A sensor measures at a rate; that its messages come at once says that they were stamped when a buffer was emptied. */
function judgeBursts(judged: Judged, { topic, signals, images, timing, isLatched }: WatchedTopic): void {
  const { intervals, latestNs, earliestNs } = timing;
  const isOfSensor = images !== undefined || signals.some(({ signal }) => motionRoleOf(signal.path) !== undefined);
  if (!isOfSensor || isLatched || timing.backwardsCount > 0 || intervals.total < BURST_MESSAGES_MIN) return;
  const meanNs = (latestNs - earliestNs) / intervals.total;
  const share = intervals.between(0, BURST_INTERVAL_SHARE * meanNs) / intervals.total;
  // One long silence makes the mean long, too: after each burst there must be one.
  if (share < BURST_SHARE_MIN || intervals.between(meanNs, Number.POSITIVE_INFINITY) < BURSTS_MIN) return;
  judged.list.add('rate.bursts', {
    topic,
    fromNs: at(judged, earliestNs),
    toNs: at(judged, latestNs),
    message: `messages of ${topic} come in bursts: ${(100 * share).toFixed(0)} % of them within a tenth of the mean interval of ${(meanNs / 1e6).toPrecision(3)} ms`,
    evidence: { share, meanMs: meanNs / 1e6, messages: timing.count },
  });
}

/** Gaps of regular topics; those that most topics share at one time are one finding. */
function judgeGaps(judged: Judged): void {
  const { standard, topics, list } = judged;
  const { gapPeriodsMin, gapMsMin, gapsNamedMax } = standard.timing;
  const regular = topics.filter((watched) => !Number.isNaN(regularPeriodNs(watched)));
  const gaps: Gap[] = regular.flatMap((watched) => {
    const periodNs = regularPeriodNs(watched);
    const usual = watched.timing.intervals.quantile(0.99);
    const limitNs = Math.max(gapMsMin * 1e6, gapPeriodsMin * periodNs, Math.min(2 * usual, 20 * periodNs));
    return watched.timing.silences
      .filter((place) => lengthOf(place) >= limitNs)
      .slice(0, gapsNamedMax)
      .map((place) => ({ ...place, topics: [watched.topic], periodNs }));
  });
  const periods = regular.map(regularPeriodNs);
  for (const gap of shared(
    gaps,
    (lengthNs) => periods.filter((each) => each * gapPeriodsMin <= lengthNs).length,
    gapsNamedMax,
  )) {
    const [topic] = gap.topics;
    const seconds = lengthOf(gap) / 1e9;
    const isAll = gap.topics.length > 1;
    list.add('rate.gap', {
      topic: isAll ? undefined : topic,
      fromNs: at(judged, gap.fromNs),
      toNs: at(judged, gap.toNs),
      message: isAll
        ? `${gap.topics.length} topics are silent together for ${seconds.toFixed(2)} s: the recorder stopped, or its clock was set forward`
        : `${topic} is silent for ${seconds.toFixed(2)} s, ${Math.round(lengthOf(gap) / gap.periodNs)} of its periods${isOfPositions(topics, topic) ? '; a receiver without sky, as in a tunnel, is silent, too' : ''}`,
      evidence: { seconds, periodMs: gap.periodNs / 1e6, topics: gap.topics.length },
    });
  }
}

function isOfPositions(topics: readonly WatchedTopic[], topic: string | undefined): boolean {
  const signals = topics.find((each) => each.topic === topic)?.signals ?? [];
  return signals.some(({ signal }) => signal.path?.endsWith('Latitude') === true);
}

/** @param topicsFor how many topics come often enough to show a silence of that length */
function shared(gaps: readonly Gap[], topicsFor: (lengthNs: number) => number, namedMax: number): readonly Gap[] {
  const left = [...gaps];
  const out: Gap[] = [];
  while (left.length > 0) {
    const first = left.shift() as Gap;
    const same = left.filter(
      (gap) =>
        !first.topics.includes(gap.topics[0] as string) &&
        overlapOf(first, gap) > 0.7 * Math.max(lengthOf(first), lengthOf(gap)),
    );
    const isShared = same.length + 1 >= Math.max(2, SHARED_SHARE * topicsFor(lengthOf(first)));
    if (!isShared) {
      out.push(first);
      continue;
    }
    for (const gap of same) left.splice(left.indexOf(gap), 1);
    const all = [first, ...same];
    out.push({
      fromNs: Math.min(...all.map(({ fromNs }) => fromNs)),
      toNs: Math.max(...all.map(({ toNs }) => toNs)),
      periodNs: Math.max(...all.map(({ periodNs }) => periodNs)),
      topics: [...new Set(all.flatMap(({ topics }) => topics))],
    });
  }
  return out.slice(0, namedMax * Math.max(1, topicsFor(Number.POSITIVE_INFINITY)));
}

function overlapOf(a: Place, b: Place): number {
  return Math.max(0, Math.min(a.toNs, b.toNs) - Math.max(a.fromNs, b.fromNs));
}
