/** Why: whether the values of each signal by itself can be: range, infinities, standstill, saturation, coarse steps, copies. */
import { at, type Judged, type WatchedSignal, type WatchedTopic } from './judged.ts';
import { matchesPath } from './path-pattern.ts';
import { regularPeriodNs } from './rules-timing.ts';
import type { BoundSignal } from './signal-binding.ts';
import type { Run, SignalStatistics } from './signal-statistics.ts';
import { lengthOf } from './topic-timing.ts';
import { TWIST_SPEED } from './twist-speed.ts';

/** Samples before a signal can be called constant, saturated or quantised. */
const SAMPLES_MIN = 40;
/** Samples at an end of the range that are no chance, and in rows. */
const END_SAMPLES_MIN = 5;
/** A step of this share of the spread leaves too little of the signal. */
const STEP_SHARE_MAX = 0.6;
/** Values of a signal that moves freely. */
const DISTINCT_MIN = 16;
/** Values of two signals that are equal by chance have fewer. */
const DUPLICATE_DISTINCT_MIN = 12;
const DUPLICATE_CHANGES_MIN = 20;

export function judgeValues(judged: Judged): void {
  for (const watched of judged.topics) {
    for (const signal of watched.signals) {
      judgeFinite(judged, watched, signal);
      judgeAbsence(judged, watched, signal);
      judgeRange(judged, watched, signal);
      judgeResolution(judged, watched, signal);
      judgeSpikes(judged, watched, signal);
      if (isLively(judged, signal)) judgeLively(judged, watched, signal);
      else if (isMoving(judged, signal)) judgeMoving(judged, watched, signal);
    }
  }
}

function isLively({ standard }: Judged, { signal: { path } }: WatchedSignal): boolean {
  return path !== undefined && standard.values.lively.some((pattern) => matchesPath(pattern, path));
}

function isMoving({ standard }: Judged, { signal: { path } }: WatchedSignal): boolean {
  return path !== undefined && standard.values.moving.some((pattern) => matchesPath(pattern, path));
}

function labelOf({ signal }: WatchedSignal): string {
  return signal.path === undefined ? signal.name : signal.path;
}

function evidenceOf({ signal }: WatchedSignal): Readonly<Record<string, string>> {
  return { field: signal.name, ...(signal.path === undefined ? {} : { path: signal.path }) };
}

function judgeFinite(judged: Judged, { topic }: WatchedTopic, watched: WatchedSignal): void {
  const { statistics } = watched;
  if (statistics.infinite === 0) return;
  judged.list.add('value.infinite', {
    topic,
    fromNs: at(judged, statistics.firstInfiniteNs),
    toNs: at(judged, statistics.lastInfiniteNs),
    message: `${labelOf(watched)} is infinite ${statistics.infinite} times`,
    evidence: { ...evidenceOf(watched), infinite: statistics.infinite, messages: statistics.messages },
  });
}

/** A signal that is there and then is not. One that is never there belongs to no sensor of this vehicle. */
function judgeAbsence(judged: Judged, { topic, timing }: WatchedTopic, watched: WatchedSignal): void {
  const { statistics } = watched;
  const absent = statistics.messages - statistics.count - statistics.infinite;
  const [longest] = statistics.absences;
  if (longest !== undefined && statistics.count >= 2 && isLively(judged, watched)) {
    judged.list.add('value.nan', {
      topic,
      fromNs: at(judged, longest.fromNs),
      toNs: at(judged, longest.toNs),
      message: `${labelOf(watched)} is no number, or absent, in ${absent} of ${statistics.messages} messages`,
      evidence: { ...evidenceOf(watched), absent, messages: timing.count, longestS: lengthOf(longest) / 1e9 },
    });
    return;
  }
  if (
    statistics.count < 2 ||
    longest === undefined ||
    absent / statistics.messages <= judged.standard.values.absentShareMax
  )
    return;
  judged.list.add('completeness.signal', {
    topic,
    fromNs: at(judged, longest.fromNs),
    toNs: at(judged, longest.toNs),
    message: `${labelOf(watched)} has no value in ${absent} of ${statistics.messages} messages, at most for ${(lengthOf(longest) / 1e9).toFixed(1)} s`,
    evidence: { ...evidenceOf(watched), absent, messages: timing.count, longestS: lengthOf(longest) / 1e9 },
  });
}

function judgeRange(judged: Judged, { topic }: WatchedTopic, watched: WatchedSignal): void {
  const { signal, statistics } = watched;
  const { path, conversion } = signal;
  if (path === undefined || conversion === undefined || statistics.count === 0) return;
  const range = judged.standard.values.ranges.find((each) => matchesPath(each.path, path));
  if (range === undefined) return;
  const [low, high] = [statistics.low.value, statistics.high.value].map(
    (value) => value * conversion.scale + conversion.offset,
  ) as [number, number];
  const end = high > range.max ? statistics.high : low < range.min ? statistics.low : undefined;
  if (end === undefined) return;
  judged.list.add('value.range', {
    topic,
    fromNs: at(judged, end.firstNs),
    toNs: at(judged, end.lastNs),
    message: `${path} goes from ${low.toPrecision(5)} to ${high.toPrecision(5)}, but can be ${range.min} to ${range.max}`,
    evidence: {
      ...evidenceOf(watched),
      lowest: low,
      highest: high,
      min: range.min,
      max: range.max,
      atExtreme: end.count,
    },
  });
}

function judgeResolution(judged: Judged, { topic, timing }: WatchedTopic, watched: WatchedSignal): void {
  const { signal, statistics } = watched;
  const { path } = signal;
  const step = statistics.step;
  if (path === undefined || step === undefined || statistics.count < SAMPLES_MIN || statistics.changes < 3) return;
  const stepInUnit = step * Math.abs(signal.conversion?.scale ?? 0);
  const limit = judged.standard.values.resolutions.find((each) => matchesPath(each.path, path))?.max;
  const isAbsolute = limit !== undefined && stepInUnit > limit && (statistics.distinct ?? 0) < 0.6 * statistics.count;
  const isRelative =
    isLively(judged, watched) && step > STEP_SHARE_MAX * statistics.deviation && statistics.deviation > 0;
  if (!isAbsolute && !(isRelative && isCoarse(statistics))) return;
  judged.list.add('value.quantised', {
    topic,
    fromNs: at(judged, timing.earliestNs),
    toNs: at(judged, timing.latestNs),
    message: `${path} knows ${statistics.distinct} values only, ${step.toPrecision(3)} apart, while it spreads over ${statistics.deviation.toPrecision(3)}`,
    evidence: {
      ...evidenceOf(watched),
      step,
      distinct: statistics.distinct ?? 0,
      deviation: statistics.deviation,
      samples: statistics.count,
    },
  });
}

function judgeSpikes(judged: Judged, { topic }: WatchedTopic, watched: WatchedSignal): void {
  const { spikes } = watched;
  if (spikes?.highest === undefined || judged.motion.speedMpsMax < spikes.bound.fromMps) return;
  const { count, highest, firstNs, lastNs } = spikes;
  judged.list.add('value.spike', {
    topic,
    fromNs: at(judged, firstNs),
    toNs: at(judged, lastNs),
    message: `${labelOf(watched)} leaves its neighbours ${count} times for one value, most from ${highest.before.toPrecision(4)} to ${highest.value.toPrecision(4)} and back to ${highest.after.toPrecision(4)}`,
    evidence: {
      ...evidenceOf(watched),
      spikes: count,
      value: highest.value,
      before: highest.before,
      after: highest.after,
      atNs: String(at(judged, highest.atNs)),
    },
  });
}

/** Few steps because it hardly moved is no coarse sensor: it must step often. */
function isCoarse({ changes, count, distinct = 0 }: SignalStatistics): boolean {
  return distinct >= 3 && changes > count / 20;
}

function judgeLively(judged: Judged, watchedTopic: WatchedTopic, watched: WatchedSignal): void {
  const { topic, timing } = watchedTopic;
  const { statistics } = watched;
  if (statistics.count < SAMPLES_MIN) return;
  if (statistics.changes === 0) {
    judged.list.add('value.constant', {
      topic,
      fromNs: at(judged, timing.earliestNs),
      toNs: at(judged, timing.latestNs),
      message: `${labelOf(watched)} is ${statistics.mean} all along: a sensor with noise never is`,
      evidence: { ...evidenceOf(watched), value: statistics.mean, samples: statistics.count },
    });
    return;
  }
  judgeSaturation(judged, watchedTopic, watched);
  const run = statistics.runs[0];
  if (run === undefined || !isTooLong(judged, statistics, run)) return;
  const isEnd = run.value === statistics.high.value || run.value === statistics.low.value;
  if (isEnd && statistics.high.inRuns + statistics.low.inRuns > 3 * run.samples) return;
  addFrozen(judged, topic, watched, run);
}

/** Equal values in a row happen; how long a row may be by chance follows from how often two in a row are equal. */
function isTooLong({ standard }: Judged, statistics: SignalStatistics, run: Run): boolean {
  const { frozenMsMin, frozenSamplesMin } = standard.values;
  if (run.samples < frozenSamplesMin || lengthOf(run) < frozenMsMin * 1e6) return false;
  const others = statistics.count - run.samples;
  const repeats = Math.max(0, statistics.count - statistics.changes - run.samples);
  const share = Math.min(0.98, Math.max(0.02, (repeats + 1) / (others + 10)));
  const byChance = Math.log(Math.max(2, statistics.count)) / -Math.log(share);
  return run.samples > 3 * byChance + 3;
}

function judgeSaturation(judged: Judged, { topic }: WatchedTopic, watched: WatchedSignal): void {
  const { statistics } = watched;
  if ((statistics.distinct ?? DISTINCT_MIN) < DISTINCT_MIN) return;
  for (const [end, name] of [
    [statistics.high, 'top'],
    [statistics.low, 'bottom'],
  ] as const) {
    const isFar = Math.abs(end.value - statistics.mean) > 1.2 * statistics.deviation;
    const share = end.count / statistics.count;
    const [longest] = statistics.runs;
    const isOneRun = longest !== undefined && longest.value === end.value && longest.samples > 0.9 * end.count;
    if (end.value === 0 || end.count < END_SAMPLES_MIN || isOneRun) continue;
    if (end.inRuns < 3 && share < 0.005) continue;
    if (!isFar && share < 0.02) continue;
    judged.list.add('value.saturated', {
      topic,
      fromNs: at(judged, end.firstNs),
      toNs: at(judged, end.lastNs),
      message: `${labelOf(watched)} is at the ${name} of its range, ${end.value.toPrecision(5)}, ${end.count} times`,
      evidence: {
        ...evidenceOf(watched),
        value: end.value,
        samples: end.count,
        inRows: end.inRuns,
        of: statistics.count,
      },
    });
  }
}

/** Speeds and the like may stand at zero, but not at another value. */
function judgeMoving(judged: Judged, watchedTopic: WatchedTopic, watched: WatchedSignal): void {
  const { statistics } = watched;
  const period = regularPeriodNs(watchedTopic);
  const run = statistics.runs.find(({ value }) => value !== 0);
  if (statistics.count < SAMPLES_MIN || run === undefined || !(period > 0)) return;
  if (statistics.changes < statistics.count / 3 || !isTooLong(judged, statistics, run)) return;
  addFrozen(judged, watchedTopic.topic, watched, run);
}

function addFrozen(judged: Judged, topic: string, watched: WatchedSignal, run: Run): void {
  judged.list.add('value.frozen', {
    topic,
    fromNs: at(judged, run.fromNs),
    toNs: at(judged, run.toNs),
    message: `${labelOf(watched)} stands at ${run.value} for ${(lengthOf(run) / 1e9).toFixed(1)} s, ${run.samples} samples`,
    evidence: {
      ...evidenceOf(watched),
      value: run.value,
      samples: run.samples,
      seconds: lengthOf(run) / 1e9,
      changes: watched.statistics.changes,
      of: watched.statistics.count,
    },
  });
}

/** Two signals with the same values in the same order, and enough of them. */
export function judgeDuplicates(judged: Judged): void {
  const groups = new Map<string, { readonly topic: string; readonly watched: WatchedSignal }[]>();
  for (const { topic, signals } of judged.topics) {
    for (const watched of signals) {
      const { statistics } = watched;
      const isVaried =
        (statistics.distinct ?? DUPLICATE_DISTINCT_MIN) >= DUPLICATE_DISTINCT_MIN &&
        statistics.changes >= DUPLICATE_CHANGES_MIN;
      if (!isVaried) continue;
      const key = `${statistics.hash} ${statistics.count} ${statistics.low.value} ${statistics.high.value}`;
      groups.set(key, [...(groups.get(key) ?? []), { topic, watched }]);
    }
  }
  for (const [first, ...others] of groups.values()) {
    for (const second of others) {
      if (first === undefined || isNoCopy(first.watched.signal, second.watched.signal)) continue;
      judged.list.add('value.duplicated', {
        topic: second.topic,
        fromNs: at(judged, second.watched.statistics.firstNs),
        toNs: at(judged, second.watched.statistics.lastNs),
        message: `${second.topic} ${labelOf(second.watched)} holds the same ${second.watched.statistics.count} values as ${first.topic} ${labelOf(first.watched)}`,
        evidence: {
          first: `${first.topic} ${first.watched.signal.name}`,
          second: `${second.topic} ${second.watched.signal.name}`,
          samples: second.watched.statistics.count,
          distinct: second.watched.statistics.distinct ?? '> 1024',
        },
      });
    }
  }
}

/** Numbers that no rule knows may well be copies (a stamp, a counter); a declared signal is what it was read from. */
function isNoCopy(first: BoundSignal, second: BoundSignal): boolean {
  if (first.path === undefined && second.path === undefined) return true;
  // The length of a velocity is its forward part wherever nothing slides.
  if (first.topic === second.topic && (first.name === TWIST_SPEED || second.name === TWIST_SPEED)) return true;
  return first.topic !== second.topic && first.isDeclared !== second.isDeclared && first.path === second.path;
}
