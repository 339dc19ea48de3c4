/** The vehicle's engine of a feature set: messages in, one vector per closed window out, with bounded memory and the numbers that SQL gives. */
import type { SignalChannel } from '../capture/channel.ts';
import type { SignalMessage, SourceMessage } from '../capture/source-message.ts';
import { bindChannel, type ChannelBinding, seriesValue } from './channel-binding.ts';
import { compileFeatures, type FeatureProgram, type StoredSeries } from './feature-program.ts';
import type { FeatureSet } from './feature-set.ts';
import { takeInputs, type WindowInputs } from './window-inputs.ts';
import { alignmentNs, makeCutter, type WindowCutter } from './window-cutter.ts';

/** Most samples held over all series, 24 bytes each; beyond it the open windows are given up. */
export const SAMPLES_BUFFERED_MAX = 1_048_576;
/** Longest session on one base, ns: offsets are exact as doubles below 2^53 (104 days). */
const SESSION_NS_MAX = Number.MAX_SAFE_INTEGER;
const NONE: readonly FeatureVector[] = [];

/** Features of the window [windowStartNs, windowEndNs), ns since the Unix epoch on the session's clock, in the set's order. */
export type FeatureVector = {
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  /** NaN where a feature that may be missing is. */
  readonly values: Float64Array;
  /** Gives what it was computed from, where the evaluator was asked for that. */
  readonly inputs?: () => WindowInputs;
};

/** Whether the inputs of a window are to be given with its vector; asked once for each vector. */
export type InputChoice = (windowStartNs: bigint) => boolean;

export interface StreamingEvaluator {
  /**
   * Takes the next message; returns the windows that its stamp has closed. O(1) but for a late sample, which moves those after it;
   * closing a window costs O(its samples) for each feature, and allocates its vector and nothing else.
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
  wantsInputs: InputChoice = () => false,
): StreamingEvaluator {
  return new WindowEvaluator(featureSet, samplesMax, wantsInputs);
}

/** The vectors of the messages of one session, in order of time. */
export async function* streamFeatures(
  featureSet: FeatureSet,
  messages: AsyncIterable<SourceMessage> | Iterable<SourceMessage>,
): AsyncGenerator<FeatureVector> {
  const evaluator = createStreamingEvaluator(featureSet);
  for await (const message of messages) yield* evaluator.push(message);
  yield* evaluator.endSession();
}

class WindowEvaluator implements StreamingEvaluator {
  lateSamples = 0;
  overflows = 0;
  readonly #featureSet: FeatureSet;
  readonly #samplesMax: number;
  readonly #program: FeatureProgram;
  readonly #stored: readonly StoredSeries[];
  readonly #cutter: WindowCutter;
  readonly #alignmentNs: bigint;
  readonly #wantsInputs: InputChoice;
  /** Bindings by channel identity: a map look-up per message instead of a search by path. */
  readonly #bindings = new Map<SignalChannel, ChannelBinding | undefined>();
  /** Which topic feeds a series: the first that carries it in a session. */
  readonly #topics: (string | undefined)[];
  #baseNs: bigint | undefined;
  #arrivals = 0;
  #buffered = 0;

  constructor(featureSet: FeatureSet, samplesMax: number, wantsInputs: InputChoice) {
    this.#featureSet = featureSet;
    this.#samplesMax = samplesMax;
    this.#wantsInputs = wantsInputs;
    this.#program = compileFeatures(featureSet);
    this.#stored = this.#program.stored.filter((series) => series !== undefined);
    this.#cutter = makeCutter(featureSet.window);
    this.#alignmentNs = alignmentNs(featureSet.window);
    this.#topics = this.#program.stored.map(() => undefined);
  }

  push(message: SourceMessage): readonly FeatureVector[] {
    if (message.kind !== 'signal') return NONE;
    const binding = this.#bindingOf(message.channel);
    if (binding === undefined) return NONE;
    this.#baseNs ??= this.#begin(message.logTimeNs);
    let timeNs = Number(message.logTimeNs - this.#baseNs);
    let closed: FeatureVector[] | undefined;
    if (timeNs > SESSION_NS_MAX) {
      closed = this.#closeAll();
      this.#baseNs = this.#begin(message.logTimeNs);
      timeNs = Number(message.logTimeNs - this.#baseNs);
    }
    while (this.#cutter.close(timeNs)) closed = this.#emit((closed ??= []));
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
    const known = this.#bindings.get(channel);
    if (known !== undefined || this.#bindings.has(channel)) return known;
    const bound = bindChannel(this.#featureSet, channel);
    const series =
      bound?.series.filter((entry) => (this.#topics[entry.series] ??= channel.topic) === channel.topic) ?? [];
    const binding = series.length === 0 ? undefined : { topic: channel.topic, series };
    this.#bindings.set(channel, binding);
    return binding;
  }

  /** Base of a session: the instant at or before its first stamp that windows are aligned to. */
  #begin(logTimeNs: bigint): bigint {
    const alignment = this.#alignmentNs;
    const base = logTimeNs - (((logTimeNs % alignment) + alignment) % alignment);
    this.#cutter.begin(Number(logTimeNs - base));
    return base;
  }

  #closeAll(): FeatureVector[] {
    const closed: FeatureVector[] = [];
    if (this.#baseNs !== undefined) while (this.#cutter.close(Number.POSITIVE_INFINITY)) this.#emit(closed);
    this.#clear();
    this.#baseNs = undefined;
    return closed;
  }

  #emit(closed: FeatureVector[]): FeatureVector[] {
    const values = this.#select() ? this.#compute() : undefined;
    if (values !== undefined && this.#baseNs !== undefined) {
      const { startNs, endNs } = (this.#stored[0] as StoredSeries).window;
      const windowStartNs = this.#baseNs + BigInt(startNs);
      const vector = { windowStartNs, windowEndNs: windowStartNs + BigInt(endNs - startNs), values };
      closed.push(this.#wantsInputs(windowStartNs) ? { ...vector, inputs: this.#inputs(this.#baseNs) } : vector);
    }
    this.#evict();
    return closed;
  }

  /** Finds each series' samples of the window that was closed; false when it has none at all, or too few of one. */
  #select(): boolean {
    const { startNs, endNs, endsWithSamples } = this.#cutter;
    let newestNs = Number.NEGATIVE_INFINITY;
    for (const { buffer, window, isSignal } of this.#stored) {
      window.times = buffer.times;
      window.values = buffer.values;
      window.arrivals = buffer.arrivals;
      window.oldest = buffer.head;
      window.from = buffer.firstAt(startNs);
      window.to = buffer.firstAt(endNs);
      if (isSignal && window.to > window.from) newestNs = Math.max(newestNs, buffer.times[window.to - 1] as number);
    }
    if (newestNs === Number.NEGATIVE_INFINITY) return false;
    const range = [startNs, endsWithSamples ? newestNs + 1 : endNs] as const;
    for (const series of this.#stored) if (!complete(series, range)) return false;
    for (const { series, samplesMin } of this.#program.aligned) {
      series.window.reset(range[0], range[1]);
      series.align();
      if (series.window.count < samplesMin) return false;
    }
    return true;
  }

  #compute(): Float64Array | undefined {
    const { features } = this.#program;
    const vector = new Float64Array(features.length);
    for (let index = 0; index < features.length; index += 1) {
      const feature = features[index] as FeatureProgram['features'][number];
      const value = feature.evaluate();
      if (feature.isRequired && Number.isNaN(value)) return undefined;
      vector[index] = value;
    }
    return vector;
  }

  /** Before anything of the window is evicted. */
  #inputs(baseNs: bigint): () => WindowInputs {
    const { stored, historyNs } = this.#program;
    return takeInputs({ stored, topics: this.#topics, baseNs, featureSet: this.#featureSet, historyNs });
  }

  #evict(): void {
    const keepFromNs = this.#cutter.keepFromNs - this.#program.historyNs;
    this.#buffered = 0;
    for (const { buffer } of this.#stored) {
      buffer.evictBefore(keepFromNs);
      this.#buffered += buffer.length;
    }
  }

  #store(message: SignalMessage, binding: ChannelBinding, timeNs: number): void {
    const isLate = this.#cutter.isLate(timeNs);
    this.#arrivals += 1;
    for (const bound of binding.series) {
      const value = seriesValue(bound, message.values);
      if (Number.isNaN(value)) continue;
      if (isLate) {
        this.lateSamples += 1;
        continue;
      }
      const series = this.#program.stored[bound.series] as StoredSeries;
      if (series.isSignal) this.#cutter.add(timeNs);
      series.buffer.push(timeNs, value, this.#arrivals);
      this.#buffered += 1;
    }
    if (this.#buffered > this.#samplesMax) this.#giveUpOpenWindows(timeNs);
  }

  #giveUpOpenWindows(timeNs: number): void {
    this.#evict();
    if (this.#buffered <= this.#samplesMax) return;
    this.overflows += 1;
    this.#clear();
    this.#cutter.giveUp(timeNs);
  }

  #clear(): void {
    for (const { buffer } of this.#stored) buffer.clear();
    this.#buffered = 0;
  }
}

/** Puts a held sample in front of the window; false when it has too few samples and nothing stands in for them. */
function complete(
  { window, samplesMin, holdNs, isFilledByConstant }: StoredSeries,
  range: readonly [number, number],
): boolean {
  window.reset(range[0], range[1]);
  const before = window.from - 1;
  const isHeld = holdNs > 0 && before >= window.oldest && range[0] - (window.times[before] as number) <= holdNs;
  window.held = isHeld ? 1 : 0;
  window.from -= window.held;
  window.isFilled = isFilledByConstant && window.count < samplesMin;
  return window.isFilled || window.count >= samplesMin;
}
