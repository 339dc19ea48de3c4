// Why this file exists: the vehicle's engine of a feature set; it turns messages into one vector per closed window with bounded
// memory, and must give the numbers that SQL gives in the cloud.
import {
  bindChannel,
  type ChannelBinding,
  type FeatureSet,
  seriesValue,
  type SignalChannel,
  type SignalMessage,
  type SourceMessage,
} from '@fleetloop/schemas';
import { SeriesBuffer } from './series-buffer.ts';
import { applyTransform, createWindowFigures, measureWindow } from './window-transforms.ts';

/** Most samples held over all series, 16 bytes each; beyond it the open windows are given up. */
export const SAMPLES_BUFFERED_MAX = 1_048_576;
/** Longest session on one base, ns: offsets are exact as doubles below 2^53 (104 days). */
const SESSION_NS_MAX = Number.MAX_SAFE_INTEGER;
const NS_PER_MS = 1_000_000;
const NONE: readonly FeatureVector[] = [];

/** Features of the window [windowStartNs, windowEndNs), ns since the Unix epoch on the session's clock, in the set's order. */
export type FeatureVector = {
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  readonly values: Float64Array;
};

export interface StreamingEvaluator {
  /**
   * Takes the next message; returns the windows that its stamp has closed.
   * @throws FleetError FEATURE_SET_INVALID at the first message of a channel that the set cannot be computed from
   */
  push(message: SourceMessage): readonly FeatureVector[];
  /** Returns the open windows that have enough samples, and forgets the session. */
  endSession(): readonly FeatureVector[];
  /** Samples that came after all their windows had closed. */
  readonly lateSamples: number;
  /** How often open windows were given up because SAMPLES_BUFFERED_MAX was reached. */
  readonly overflows: number;
}

export function createStreamingEvaluator(
  featureSet: FeatureSet,
  samplesMax: number = SAMPLES_BUFFERED_MAX,
): StreamingEvaluator {
  return new WindowEvaluator(featureSet, samplesMax);
}

type SeriesPlan = {
  readonly buffer: SeriesBuffer;
  readonly samplesMin: number;
  readonly outputs: readonly SeriesOutput[];
};
type SeriesOutput = { readonly position: number; readonly transform: FeatureSet['features'][number]['transform'] };

class WindowEvaluator implements StreamingEvaluator {
  lateSamples = 0;
  overflows = 0;
  readonly #featureSet: FeatureSet;
  readonly #samplesMax: number;
  readonly #lengthNs: number;
  readonly #hopNs: number;
  readonly #series: readonly SeriesPlan[];
  /** Bindings by channel identity: a map look-up per message instead of a search by path. */
  readonly #bindings = new Map<SignalChannel, ChannelBinding | undefined>();
  /** Which topic feeds a series: the first that carries it in a session. */
  readonly #topics: (string | undefined)[];
  readonly #figures = createWindowFigures();
  #scratch = new Float64Array(1_024);
  #baseNs: bigint | undefined;
  /** Index of the next window to close; window k starts at base + k * hop. */
  #next = 0;

  constructor(featureSet: FeatureSet, samplesMax: number) {
    this.#featureSet = featureSet;
    this.#samplesMax = samplesMax;
    this.#lengthNs = featureSet.window.lengthMs * NS_PER_MS;
    this.#hopNs = featureSet.window.hopMs * NS_PER_MS;
    this.#series = planSeries(featureSet);
    this.#topics = this.#series.map(() => undefined);
  }

  push(message: SourceMessage): readonly FeatureVector[] {
    if (message.kind !== 'signal') return NONE;
    const binding = this.#bindingOf(message.channel);
    if (binding === undefined) return NONE;
    this.#baseNs ??= this.#startSession(message.logTimeNs);
    let timeNs = Number(message.logTimeNs - this.#baseNs);
    let closed: FeatureVector[] | undefined;
    if (Math.abs(timeNs) > SESSION_NS_MAX) {
      closed = this.#closeAll();
      this.#baseNs = this.#startSession(message.logTimeNs);
      timeNs = Number(message.logTimeNs - this.#baseNs);
    }
    if (this.#next * this.#hopNs + this.#lengthNs <= timeNs) closed = this.#closeUntil(timeNs, closed ?? []);
    this.#store(message, binding, timeNs);
    return closed ?? NONE;
  }

  endSession(): readonly FeatureVector[] {
    const closed = this.#closeAll();
    this.#bindings.clear();
    this.#topics.fill(undefined);
    return closed;
  }

  #bindingOf(channel: SignalChannel): ChannelBinding | undefined {
    if (this.#bindings.has(channel)) return this.#bindings.get(channel);
    const bound = bindChannel(this.#featureSet, channel);
    const series =
      bound?.series.filter((entry) => (this.#topics[entry.series] ??= channel.topic) === channel.topic) ?? [];
    const binding = series.length === 0 ? undefined : { topic: channel.topic, series };
    this.#bindings.set(channel, binding);
    return binding;
  }

  /** Base of a session: the hop boundary at or before its first stamp. */
  #startSession(logTimeNs: bigint): bigint {
    const hop = BigInt(this.#hopNs);
    const base = logTimeNs - (((logTimeNs % hop) + hop) % hop);
    this.#next = this.#firstWindowOf(Number(logTimeNs - base));
    return base;
  }

  /** The earliest window that contains `timeNs`, or the next one when windows leave gaps. */
  #firstWindowOf(timeNs: number): number {
    return Math.floor((timeNs - this.#lengthNs) / this.#hopNs) + 1;
  }

  #closeUntil(timeNs: number, closed: FeatureVector[]): FeatureVector[] {
    while (this.#next * this.#hopNs + this.#lengthNs <= timeNs) {
      this.#closeNext(closed);
      if (this.#isEmpty()) this.#next = Math.max(this.#next, this.#firstWindowOf(timeNs));
    }
    return closed;
  }

  #closeAll(): FeatureVector[] {
    const closed: FeatureVector[] = [];
    while (!this.#isEmpty()) this.#closeNext(closed);
    this.#baseNs = undefined;
    return closed;
  }

  #isEmpty(): boolean {
    return this.#series.every((series) => series.buffer.length === 0);
  }

  #closeNext(closed: FeatureVector[]): void {
    const startNs = this.#next * this.#hopNs;
    const values = this.#compute(startNs);
    if (values !== undefined && this.#baseNs !== undefined) {
      const windowStartNs = this.#baseNs + BigInt(startNs);
      closed.push({ windowStartNs, windowEndNs: windowStartNs + BigInt(this.#lengthNs), values });
    }
    this.#next += 1;
    for (const series of this.#series) series.buffer.evictBefore(this.#next * this.#hopNs);
  }

  /** The vector of the window that starts at `startNs`; undefined when a signal has too few samples. */
  #compute(startNs: number): Float64Array | undefined {
    if (this.#series.some((series) => series.buffer.length < series.samplesMin)) return undefined;
    const vector = new Float64Array(this.#featureSet.features.length);
    for (const series of this.#series) {
      if (this.#scratch.length < series.buffer.length) this.#scratch = new Float64Array(series.buffer.length * 2);
      const count = series.buffer.copyFrom(startNs, this.#scratch);
      if (count < series.samplesMin) return undefined;
      if (series.outputs.length === 0) continue;
      measureWindow(this.#scratch, count, this.#figures);
      for (const output of series.outputs) {
        vector[output.position] = applyTransform(output.transform, this.#scratch, this.#figures);
      }
    }
    return vector;
  }

  #store(message: SignalMessage, binding: ChannelBinding, timeNs: number): void {
    const isLate = timeNs < this.#next * this.#hopNs;
    for (const { series, parts } of binding.series) {
      const value = seriesValue(parts, message.values);
      if (Number.isNaN(value)) continue;
      if (isLate) this.lateSamples += 1;
      else this.#series[series]?.buffer.push(timeNs, value);
    }
    if (this.#series.reduce((total, series) => total + series.buffer.length, 0) > this.#samplesMax)
      this.#giveUpOpenWindows(timeNs);
  }

  #giveUpOpenWindows(timeNs: number): void {
    this.overflows += 1;
    for (const series of this.#series) series.buffer.clear();
    this.#next = Math.floor(timeNs / this.#hopNs) + 1;
  }
}

function planSeries(featureSet: FeatureSet): SeriesPlan[] {
  // A derived series needs one sample at least: its parts may be finite at different instants.
  const names = [
    ...featureSet.signals.map((signal) => ({ name: signal.name, samplesMin: signal.samplesMin })),
    ...featureSet.derived.map((derived) => ({ name: derived.name, samplesMin: 1 })),
  ];
  const positions = featureSet.features.map((feature, position) => ({ ...feature, position }));
  return names.map(({ name, samplesMin }) => ({
    buffer: new SeriesBuffer(),
    samplesMin,
    outputs: positions.filter((feature) => feature.input === name),
  }));
}
