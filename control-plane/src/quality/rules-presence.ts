/** Why: a topic that thins out, begins late or stops early leaves no gap between two of its messages that is long enough to be one. */
import { at, type Judged, type WatchedTopic } from './judged.ts';
import type { RateSlice } from './rate-slices.ts';
import { regularPeriodNs } from './rules-timing.ts';

/** Messages before the steps between them can be told from chance. */
const MESSAGES_MIN = 50;
/** How far an interval may be from a whole number of periods, in periods. */
const STEP_TOLERANCE = 0.14;
/** Share of intervals that are whole numbers of periods, from which the topic has a clock; and of those that are one. */
const CLOCKED_SHARE_MIN = 0.98;
const SINGLE_SHARE_MIN = 0.75;
/** Share of messages that are missing before it is said. */
const MISSING_SHARE_MIN = 0.02;
const MISSING_MIN = 5;
/** Parts of a recording that are needed to compare them, messages in each, and how many in a row must be how slow. */
const SLICES_MIN = 8;
const SLICE_MESSAGES_MIN = 8;
const SLOW_SLICES_MIN = 4;
const SLOW_SHARE_MAX = 0.75;
/** A topic ends with the others when it ends within this of them, or within so many of its periods. */
const END_NS_MAX = 5e9;
const START_NS_MAX = 10e9;
const PERIODS_MAX = 20;

export function judgePresence(judged: Judged): void {
  const regular = judged.topics.filter((watched) => !Number.isNaN(regularPeriodNs(watched)));
  for (const watched of regular) {
    judgeThinned(judged, watched);
    judgeSlower(judged, watched);
    judgeEnds(judged, watched, regular);
  }
}

/** Intervals of two or three periods between ones of one period: messages are missing one by one. */
function judgeThinned(judged: Judged, { topic, timing }: WatchedTopic): void {
  const { intervals, missing: missingByNumber } = timing;
  const period = intervals.quantile(0.5);
  if (intervals.total < MESSAGES_MIN || missingByNumber > 0) return;
  const [single, double, triple] = [1, 2, 3].map((periods) =>
    intervals.between((periods - STEP_TOLERANCE) * period, (periods + STEP_TOLERANCE) * period),
  ) as [number, number, number];
  const missing = double + 2 * triple;
  const isClocked =
    single + double + triple >= CLOCKED_SHARE_MIN * intervals.total && single >= SINGLE_SHARE_MIN * intervals.total;
  const share = missing / (missing + timing.count);
  if (!isClocked || missing < MISSING_MIN || share < MISSING_SHARE_MIN) return;
  judged.list.add('rate.thinned', {
    topic,
    fromNs: at(judged, timing.earliestNs),
    toNs: at(judged, timing.latestNs),
    message: `about ${missing} of ${missing + timing.count} messages of ${topic} are missing one by one: intervals are two or three times the usual ${(period / 1e6).toPrecision(3)} ms`,
    evidence: { missing, messages: timing.count, periodMs: period / 1e6, double, triple },
  });
}

/** A rate that is lower for a while than in most of the recording, without a gap. */
function judgeSlower(judged: Judged, { topic, timing }: WatchedTopic): void {
  const { slices } = timing.rates;
  const usual = slices.map(({ count }) => count).toSorted((a, b) => a - b)[Math.floor(0.75 * slices.length)] ?? 0;
  if (slices.length < SLICES_MIN || usual < SLICE_MESSAGES_MIN) return;
  let best: readonly RateSlice[] = [];
  let run: readonly RateSlice[] = [];
  for (const slice of slices) {
    // A slice of nearly nothing is a gap, which has a finding of its own.
    const isSlow = slice.count < SLOW_SHARE_MAX * usual && slice.count > usual / 10;
    run = isSlow ? [...run, slice] : [];
    if (run.length > best.length) best = run;
  }
  const [first, last] = [best[0], best.at(-1)];
  if (first === undefined || last === undefined || best.length < SLOW_SLICES_MIN) return;
  const hertz = best.reduce((sum, { count }) => sum + count, 0) / ((last.toNs - first.fromNs) / 1e9);
  const usualHz = usual / ((first.toNs - first.fromNs) / 1e9);
  judged.list.add('rate.low', {
    topic,
    fromNs: at(judged, first.fromNs),
    toNs: at(judged, last.toNs),
    message: `for a part of the recording ${topic} comes at ${hertz.toPrecision(3)} Hz where it comes at ${usualHz.toPrecision(3)} Hz else`,
    evidence: { middleHz: hertz, usualHz, seconds: (last.toNs - first.fromNs) / 1e9 },
  });
}

/** Compared with the topics that run at the same time: one in another time zone is another fault. */
function judgeEnds(judged: Judged, watched: WatchedTopic, regular: readonly WatchedTopic[]): void {
  const { topic, timing } = watched;
  const others = regular.filter(
    (other) =>
      other !== watched && other.timing.earliestNs < timing.latestNs && other.timing.latestNs > timing.earliestNs,
  );
  if (others.length === 0) return;
  const periodNs = regularPeriodNs(watched);
  // The middle one of them: a clock that ran ahead in one topic does not make all the others end early.
  const middle = Math.floor((others.length - 1) / 2);
  const firstNs = others.map((other) => other.timing.earliestNs).toSorted((a, b) => b - a)[middle] as number;
  const lastNs = others.map((other) => other.timing.latestNs).toSorted((a, b) => a - b)[middle] as number;
  const [late, early] = [timing.earliestNs - firstNs, lastNs - timing.latestNs];
  if (early > Math.max(END_NS_MAX, PERIODS_MAX * periodNs))
    judged.list.add('completeness.end', {
      topic,
      fromNs: at(judged, timing.latestNs),
      toNs: at(judged, lastNs),
      message: `${topic} ends ${(early / 1e9).toFixed(1)} s before the recording does`,
      evidence: { seconds: early / 1e9, periodMs: periodNs / 1e6, messages: timing.count },
    });
  if (late > Math.max(START_NS_MAX, PERIODS_MAX * periodNs))
    judged.list.add('completeness.start', {
      topic,
      fromNs: at(judged, firstNs),
      toNs: at(judged, timing.earliestNs),
      message: `${topic} begins ${(late / 1e9).toFixed(1)} s after the recording does`,
      evidence: { seconds: late / 1e9, periodMs: periodNs / 1e6, messages: timing.count },
    });
}
