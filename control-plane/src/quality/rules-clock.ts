/** Why: whether the stamps can be believed: they go forward, agree with the source's own, with the receiver's UTC, and with each other. */
import { at, type Judged, type WatchedTopic } from './judged.ts';
import type { Place } from './topic-timing.ts';

const QUARTER_HOUR_NS = 900e9;
/** Widest time zone there is. */
const ZONE_NS_MAX = 14.5 * 3_600e9;
/** A log time before this counts from the start of a device, not from 1970. */
const EPOCH_NS_MIN = 946_684_800_000_000_000n;
const EPOCH_NS_MAX = 4_102_444_800_000_000_000n;
/** Units that times are in when they are too small, in ns. */
const TIME_UNITS: readonly (readonly [factor: bigint, name: string])[] = [
  [1_000n, 'µs'],
  [1_000_000n, 'ms'],
  [1_000_000_000n, 's'],
];
/** No sensor of a vehicle is faster, and no receiver or camera. */
const PERIOD_NS_MIN = 50e3;
const SLOW_PERIOD_NS_MIN = 1.5e6;
/** Messages before a distance of two clocks means something. */
const MESSAGES_MIN = 8;
const STEP_NS_MIN = 0.5e9;
/** A line through the distances of two clocks: means that it needs, the time that they span, and how little may be beside it. */
const DRIFT_BLOCKS_MIN = 8;
const DRIFT_S_MIN = 60;
const DRIFT_EXPLAINED_MIN = 0.9;

export function judgeClock(judged: Judged): void {
  for (const watched of judged.topics) {
    judgeSkew(judged, watched);
    judgeUtc(judged, watched);
  }
  judgeBackwards(judged);
  judgeRange(judged);
  judgeZones(judged);
  judgeStatements(judged);
}

type BackStep = { readonly topic: string; readonly place: Place };

/** Steps back as they stand in the file. Where a reader put messages in order, what is left of a step is not what it was. */
function stepsBack({ topics, standard, facts, baseNs }: Judged): readonly BackStep[] {
  const limitNs = standard.timing.backwardsMsMax * 1e6;
  const seen = topics.flatMap(({ topic, timing }) => timing.backwards.map((place) => ({ topic, place })));
  const inFile = (facts.stepsBack ?? []).map(({ topic, fromNs, toNs }) => ({
    topic,
    place: { fromNs: Number(fromNs - baseNs), toNs: Number(toNs - baseNs) },
  }));
  const named = new Set(inFile.map(({ topic }) => topic));
  return [...inFile, ...seen.filter(({ topic }) => !named.has(topic))].filter(
    ({ place }) => place.fromNs - place.toNs > limitNs,
  );
}

function judgeBackwards(judged: Judged): void {
  const { topics, list } = judged;
  const steps = stepsBack(judged);
  const named = new Set<string>();
  for (const { topic, place } of steps) {
    if (named.has(topic)) continue;
    const { fromNs, toNs } = place;
    const others = steps.filter(
      (step) =>
        step.topic !== topic && Math.abs(step.place.fromNs - fromNs) < 2e9 && Math.abs(step.place.toNs - toNs) < 2e9,
    );
    const together = new Set(others.map((step) => step.topic)).size + 1;
    const isStep = together >= Math.max(2, 0.8 * topics.filter(({ timing }) => timing.count > 8).length);
    for (const other of others) if (isStep) named.add(other.topic);
    named.add(topic);
    const seconds = (fromNs - toNs) / 1e9;
    const count = steps.filter((step) => step.topic === topic).length;
    list.add(isStep ? 'clock.step' : 'clock.backwards', {
      topic: isStep ? undefined : topic,
      fromNs: at(judged, toNs),
      toNs: at(judged, fromNs),
      message: isStep
        ? `the clock was set back by ${seconds.toFixed(3)} s: the log times of ${together} topics go back together`
        : `log times of ${topic} go back ${count} times, for one by ${seconds.toFixed(3)} s`,
      evidence: { seconds, topics: together, count },
    });
  }
}

function judgeSkew(judged: Judged, { topic, timing }: WatchedTopic): void {
  const { skewMsMax, skewStepMsMax } = judged.standard.timing;
  const { skewLow, skewHigh, skewMin, skewMax } = timing;
  if (timing.count < MESSAGES_MIN) return;
  const largest = Math.abs(skewMin) > Math.abs(skewMax) ? skewMin : skewMax;
  const place = { topic, fromNs: at(judged, timing.earliestNs), toNs: at(judged, timing.latestNs) };
  if (skewLow !== undefined && skewHigh !== undefined && skewHigh.meanNs - skewLow.meanNs > skewStepMsMax * 1e6) {
    const byMs = (skewHigh.meanNs - skewLow.meanNs) / 1e6;
    const [first, second] = skewLow.atNs < skewHigh.atNs ? [skewLow, skewHigh] : [skewHigh, skewLow];
    judged.list.add('clock.skew', {
      topic,
      fromNs: at(judged, first.atNs),
      toNs: at(judged, second.atNs),
      message: `log time minus publish time of ${topic} changes by ${byMs.toFixed(0)} ms: one of the two clocks was set or drifts`,
      evidence: { lowMs: skewLow.meanNs / 1e6, highMs: skewHigh.meanNs / 1e6, changeMs: byMs },
    });
  } else if (Math.min(Math.abs(skewMin), Math.abs(skewMax)) > skewMsMax * 1e6) {
    judged.list.add(isZone(largest, judged.standard.timing.zoneToleranceMs) ? 'clock.zone' : 'clock.skew', {
      ...place,
      message: `publish times of ${topic} are ${(largest / 1e9).toFixed(3)} s before its log times, all along`,
      evidence: { leastMs: skewMin / 1e6, mostMs: skewMax / 1e6 },
    });
  } else judgeDrift(judged, { topic, timing });
}

/** Less than any step, but all the time. */
function judgeDrift(judged: Judged, { topic, timing }: Pick<WatchedTopic, 'topic' | 'timing'>): void {
  const { ppm, explained, seconds, count } = timing.skewTrend;
  if (count < DRIFT_BLOCKS_MIN || seconds < DRIFT_S_MIN || explained < DRIFT_EXPLAINED_MIN) return;
  if (Math.abs(ppm) <= judged.standard.timing.driftPpmMax) return;
  judged.list.add('clock.skew', {
    topic,
    fromNs: at(judged, timing.earliestNs),
    toNs: at(judged, timing.latestNs),
    message: `log time runs ${Math.abs(ppm).toFixed(0)} millionths ${ppm > 0 ? 'faster' : 'slower'} than publish time of ${topic}`,
    evidence: { ppm, explained, seconds },
  });
}

function judgeUtc(judged: Judged, { topic, utc, timing }: WatchedTopic): void {
  const { first, low, high } = utc;
  if (first === undefined || low === undefined || high === undefined) return;
  const { gnssOffsetMsMax, zoneToleranceMs } = judged.standard.timing;
  const place = { topic, fromNs: at(judged, timing.earliestNs), toNs: at(judged, timing.latestNs) };
  if (high.offsetNs - low.offsetNs > STEP_NS_MIN) {
    const [from, to] = low.atNs < high.atNs ? [low, high] : [high, low];
    judged.list.add('clock.step', {
      topic,
      fromNs: from.atNs,
      toNs: to.atNs,
      message: `the log clock moves by ${((to.offsetNs - from.offsetNs) / 1e9).toFixed(2)} s against the receiver's UTC in ${topic}`,
      evidence: { beforeMs: from.offsetNs / 1e6, afterMs: to.offsetNs / 1e6 },
    });
  }
  if (judged.baseNs < EPOCH_NS_MIN || Math.abs(first.offsetNs) <= gnssOffsetMsMax * 1e6) return;
  const seconds = first.offsetNs / 1e9;
  judged.list.add(isZone(first.offsetNs, zoneToleranceMs) ? 'clock.zone' : 'clock.offset', {
    ...place,
    message: `log times are ${seconds.toFixed(3)} s ${seconds > 0 ? 'ahead of' : 'behind'} the receiver's UTC in ${topic}`,
    evidence: { offsetS: seconds, hours: seconds / 3_600 },
  });
}

/** A whole number of quarters of an hour, but not none. */
export function isZone(offsetNs: number, toleranceMs: number): boolean {
  const quarters = Math.round(offsetNs / QUARTER_HOUR_NS);
  return (
    quarters !== 0 &&
    Math.abs(offsetNs) <= ZONE_NS_MAX &&
    Math.abs(offsetNs - quarters * QUARTER_HOUR_NS) <= toleranceMs * 1e6
  );
}

function judgeRange(judged: Judged): void {
  const latest = judged.topics.reduce((max, { timing }) => Math.max(max, timing.latestNs), 0);
  const end = at(judged, latest) ?? judged.baseNs;
  if (end > EPOCH_NS_MAX)
    judged.list.add('clock.range', {
      fromNs: judged.baseNs,
      toNs: end,
      message: 'log times lie after the year 2100',
      evidence: { lastNs: String(end) },
    });
  else if (end < EPOCH_NS_MIN) judgeTimeUnit(judged, end);
  else judgeEpochs(judged);
}

/** Times that count from the start of a device are no fault; ones that are too fast for it and right in a larger unit are. */
function judgeTimeUnit(judged: Judged, end: bigint): void {
  const unit = TIME_UNITS.find(([factor]) => {
    const start = judged.baseNs * factor;
    return start >= EPOCH_NS_MIN && start <= EPOCH_NS_MAX;
  });
  if (unit === undefined || !judged.topics.some(isTooFast)) return;
  judged.list.add('clock.range', {
    fromNs: judged.baseNs,
    toNs: end,
    message: `log times lie ${(Number(judged.baseNs) / 86_400e9).toPrecision(3)} days after 1970, and messages come ${unit[0]} times too fast: they are ${unit[1]} that were taken for ns`,
    evidence: { firstNs: String(judged.baseNs), factor: Number(unit[0]) },
  });
}

function isTooFast({ signals, images, timing }: WatchedTopic): boolean {
  const isOfSlow =
    images !== undefined || signals.some(({ signal }) => signal.path?.startsWith('Vehicle.CurrentLocation') === true);
  const isKnown = isOfSlow || signals.some(({ signal }) => signal.path !== undefined);
  const least = isOfSlow ? SLOW_PERIOD_NS_MIN : PERIOD_NS_MIN;
  return isKnown && timing.intervals.total >= MESSAGES_MIN && timing.intervals.quantile(0.5) < least;
}

/** A topic whose times count from the start of its device, or of 1970, among ones that have the date. */
function judgeEpochs(judged: Judged): void {
  const many = judged.topics.filter(({ timing, isLatched }) => timing.count >= MESSAGES_MIN && !isLatched);
  const undated = many.filter(({ timing }) => (at(judged, timing.latestNs) ?? 0n) < EPOCH_NS_MIN);
  if (undated.length * 2 > many.length) return;
  for (const { topic, timing } of undated)
    judged.list.add('clock.range', {
      topic,
      fromNs: at(judged, timing.earliestNs),
      toNs: at(judged, timing.latestNs),
      message: `log times of ${topic} count from the start of a device or are in another unit, those of the other topics have a date`,
      evidence: { firstNs: String(at(judged, timing.earliestNs)), otherTopics: many.length - undated.length },
    });
}

/** A topic that runs beside the others, whole quarters of an hour away. */
function judgeZones(judged: Judged): void {
  const long = judged.topics.filter(({ timing, isLatched }) => timing.count >= 8 && !isLatched);
  if (long.length < 2) return;
  const starts = long.map(({ timing }) => timing.earliestNs).toSorted((a, b) => a - b);
  const middle = starts[Math.floor((starts.length - 1) / 2)] as number;
  const { zoneToleranceMs } = judged.standard.timing;
  const ofMost = long.filter(({ timing }) => Math.abs(timing.earliestNs - middle) <= zoneToleranceMs * 1e6);
  for (const { topic, timing } of long) {
    const offsetNs = timing.earliestNs - middle;
    if (ofMost.length * 2 < long.length || !isZone(offsetNs, zoneToleranceMs)) continue;
    const typical = Math.max(...ofMost.map((each) => each.timing.latestNs - each.timing.earliestNs));
    // A topic that starts an hour into a drive of hours is late, not in another zone.
    if (timing.earliestNs < middle + typical && timing.latestNs > middle) continue;
    judged.list.add('clock.zone', {
      topic,
      fromNs: at(judged, timing.earliestNs),
      toNs: at(judged, timing.latestNs),
      message: `${topic} is ${(offsetNs / 3_600e9).toFixed(2)} h away from the other topics of the recording`,
      evidence: { hours: offsetNs / 3_600e9, otherTopics: ofMost.length },
    });
  }
}

/** What the recording says of its own clock, and whether its messages lie where its event is. */
function judgeStatements(judged: Judged): void {
  const { facts, standard, topics, list } = judged;
  const { metadata } = facts;
  if (metadata === undefined) return;
  for (const { atNs, byNs } of metadata.clock.steps ?? []) {
    if (Math.abs(Number(byNs)) < STEP_NS_MIN) continue;
    list.add('clock.step', {
      fromNs: BigInt(atNs),
      toNs: BigInt(atNs),
      message: `the vehicle saw its wall clock set by ${(Number(byNs) / 1e9).toFixed(3)} s`,
      evidence: { byMs: Number(byNs) / 1e6 },
    });
  }
  const uncertainMs = Number(metadata.clock.uncertaintyNs) / 1e6;
  if (uncertainMs > standard.timing.uncertaintyMsMax)
    list.add('clock.uncertain', {
      message: `the clock ${metadata.clock.source} may be off by ${(uncertainMs / 1e3).toFixed(1)} s, as the recording says`,
      evidence: { uncertaintyMs: uncertainMs, source: metadata.clock.source },
    });
  for (const { topic, kind, uncertaintyNs } of metadata.clock.sources ?? []) {
    if (Number(uncertaintyNs) / 1e6 <= standard.timing.uncertaintyMsMax) continue;
    list.add('clock.uncertain', {
      topic,
      message: `the ${kind} clock behind ${topic} may be off by ${(Number(uncertaintyNs) / 1e9).toFixed(1)} s`,
      evidence: { uncertaintyMs: Number(uncertaintyNs) / 1e6, kind },
    });
  }
  const { event } = metadata;
  if (event === undefined) return;
  const earliest = at(
    judged,
    Math.min(...topics.filter(({ isLatched }) => !isLatched).map(({ timing }) => timing.earliestNs)),
  );
  if (earliest === undefined) return;
  const offsetNs = Number(earliest - BigInt(event.startNs));
  if (isZone(offsetNs, standard.timing.zoneToleranceMs + 60_000))
    list.add('clock.zone', {
      fromNs: earliest,
      toNs: earliest,
      message: `the messages start ${(offsetNs / 3_600e9).toFixed(2)} h away from the event that the recording is of`,
      evidence: { hours: offsetNs / 3_600e9 },
    });
}
