/** What one window was computed from, taken out of the engine's own buffers: whoever has it can compute the window again. */
import type { StoredSeries } from './feature-program.ts';
import type { FeatureSet } from './feature-set.ts';
import { isSessionWindow } from './feature-window.ts';

/** Version of what the engine makes of its inputs; raised by any change after which equal inputs may give other numbers. */
export const FEATURE_ENGINE_VERSION = 1;
const NS_PER_MS = 1_000_000;
/** Most samples of one window that are copied out. */
export const WINDOW_INPUTS_MAX = 32_768;

/** One topic and the signals of the feature set that it feeds, as positions in its `signals`. */
export type InputChannel = { readonly topic: string; readonly signals: readonly number[] };

/** One message that carried at least one usable sample; `values` in the order of its channel's signals, NaN for none. */
export type InputMessage = { readonly channel: number; readonly logTimeNs: bigint; readonly values: readonly number[] };

export type WindowInputs =
  | {
      readonly kind: 'taken';
      readonly channels: readonly InputChannel[];
      /** In order of arrival: all in the window, and before it those that it looks back to. */
      readonly messages: readonly InputMessage[];
    }
  /**
   * not_comparable: these samples alone would give another window (a piece of a session window whose start follows from samples that
   * are gone), or another series (derived from a topic's own value of a signal that an earlier topic feeds).
   */
  | { readonly kind: 'too_large' | 'not_comparable' };

/** By position of the series; undefined where no topic feeds it. */
type Topics = readonly (string | undefined)[];

/** The window that the engine has just closed. */
export type InputScope = {
  readonly stored: readonly (StoredSeries | undefined)[];
  readonly topics: Topics;
  readonly baseNs: bigint;
  readonly featureSet: FeatureSet;
  /** How far before a window samples may matter to it, ns. */
  readonly historyNs: number;
};

/** One sample on its way from a buffer into its message again. */
type Entry = { readonly arrival: number; readonly timeNs: number; readonly signal: number; readonly value: number };

/** Samples of one signal, out of its buffer. */
type SignalCopy = {
  readonly signal: number;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly arrivals: Float64Array;
};

/**
 * Copies what a window was computed from, so that the engine may go on, and answers by a function that makes messages of it: a vector
 * must not wait for that. O(samples) here, O(samples log samples) there.
 */
export function takeInputs(scope: InputScope): () => WindowInputs {
  const signals = scope.stored.flatMap((series, signal) => (series?.isSignal === true ? [{ series, signal }] : []));
  const count = signals.reduce((sum, { series: { window } }) => sum + window.to - window.from, 0);
  if (count > WINDOW_INPUTS_MAX) return () => ({ kind: 'too_large' });
  const lookedBack = lookedBackTo(scope);
  const copies = signals.map(({ series, signal }) => copyOf(series, signal, lookedBack));
  const { featureSet, baseNs } = scope;
  const topics = [...scope.topics];
  const startNs = startOf(scope);
  return () => {
    const entries = copies.flatMap(entriesOf);
    if (!isDerivedFromThese(featureSet, topics) || !standsAlone(featureSet, startNs, entries))
      return { kind: 'not_comparable' };
    return toMessages({ topics: topics.slice(0, featureSet.signals.length), baseNs }, entries);
  };
}

function copyOf({ window }: StoredSeries, signal: number, lookedBack: ReadonlySet<number>): SignalCopy {
  const { times, values, arrivals, to } = window;
  const first = window.from + window.held;
  const before: number[] = [];
  if (lookedBack.size > 0)
    for (let index = window.oldest; index < first; index += 1)
      if (lookedBack.has(arrivals[index] as number)) before.push(index);
  const copy = (from: Float64Array): Float64Array => {
    const into = new Float64Array(before.length + to - first);
    before.forEach((index, place) => (into[place] = from[index] as number));
    into.set(from.subarray(first, to), before.length);
    return into;
  };
  return { signal, times: copy(times), values: copy(values), arrivals: copy(arrivals) };
}

function entriesOf({ signal, times, values, arrivals }: SignalCopy): readonly Entry[] {
  return Array.from(times, (timeNs, index) => ({
    arrival: arrivals[index] as number,
    timeNs,
    signal,
    value: values[index] as number,
  }));
}

function startOf({ stored }: InputScope): number {
  return stored.find((series) => series !== undefined)?.window.startNs ?? 0;
}

/**
 * Arrivals of the messages before the window that it may read: nothing looks further back than to the newest sample of a series. A
 * derived series has its own newest one, which may be older than those of its parts.
 */
function lookedBackTo(scope: InputScope): ReadonlySet<number> {
  const startNs = startOf(scope);
  const arrivals = new Set<number>();
  for (const series of scope.stored) {
    if (series === undefined) continue;
    const { window } = series;
    const index = window.from + window.held - 1;
    if (index < window.oldest || startNs - (window.times[index] as number) > scope.historyNs) continue;
    arrivals.add(window.arrivals[index] as number);
  }
  return arrivals;
}

/** Whether each series that is derived inside messages is derived from the samples of these signals. */
function isDerivedFromThese({ signals, derived }: FeatureSet, topics: Topics): boolean {
  const topicOf = new Map(signals.map(({ name }, index) => [name, topics[index]]));
  return derived.every(({ ageMsMax, of }, index) => {
    const topic = topics[signals.length + index];
    return ageMsMax !== undefined || topic === undefined || of.every((part) => topicOf.get(part) === topic);
  });
}

/** Whether these samples alone give a window that starts where this one did; windows of a fixed grid always do. */
function standsAlone({ window }: FeatureSet, startNs: number, entries: readonly Entry[]): boolean {
  if (!isSessionWindow(window)) return true;
  let firstNs = Number.POSITIVE_INFINITY;
  let formerNs = Number.NEGATIVE_INFINITY;
  for (const { timeNs } of entries) {
    if (timeNs >= startNs) firstNs = Math.min(firstNs, timeNs);
    else formerNs = Math.max(formerNs, timeNs);
  }
  return firstNs === startNs && startNs - formerNs > window.gapMs * NS_PER_MS;
}

function toMessages(
  { topics, baseNs }: { readonly topics: Topics; readonly baseNs: bigint },
  entries: Entry[],
): WindowInputs {
  const byTopic = new Map<string, number[]>();
  topics.forEach((topic, signal) => {
    if (topic === undefined) return;
    const known = byTopic.get(topic);
    if (known === undefined) byTopic.set(topic, [signal]);
    else known.push(signal);
  });
  const channels = [...byTopic].map(([topic, signals]): InputChannel => ({ topic, signals }));
  const places = new Map(
    channels.flatMap(({ signals }, channel) => signals.map((signal, place) => [signal, { channel, place }] as const)),
  );
  entries.sort((left, right) => left.arrival - right.arrival);
  const messages: { channel: number; logTimeNs: bigint; values: number[] }[] = [];
  let arrival: number | undefined;
  for (const entry of entries) {
    const { channel, place } = places.get(entry.signal) as { channel: number; place: number };
    if (entry.arrival !== arrival) {
      const values = (channels[channel] as InputChannel).signals.map(() => Number.NaN);
      messages.push({ channel, logTimeNs: baseNs + BigInt(entry.timeNs), values });
      arrival = entry.arrival;
    }
    (messages.at(-1) as { values: number[] }).values[place] = entry.value;
  }
  return { kind: 'taken', channels, messages };
}
