/**
 * Why: holds a recording against a standard in one pass. Memory is bounded by topics and signals, not by the length: counts,
 * histograms, the longest few of each fault, and two minutes of the signals of motion.
 */
import type { SignalMessage, SourceMessage } from '@fleetloop/schemas';
import { FIELDS_MAX, type FieldReader, makeFieldReader } from './field-reader.ts';
import type { CheckReport } from './finding.ts';
import type { RecordingFacts, WatchedSignal, WatchedTopic } from './judged.ts';
import { FindingList } from './finding-list.ts';
import { ImageWatch } from './image-watch.ts';
import { judgeRecording } from './judge-recording.ts';
import { MotionMonitor } from './motion-monitor.ts';
import { RepeatWatch } from './repeat-watch.ts';
import { SampleBlock } from './sample-block.ts';
import { bindDeclared, bindField } from './signal-binding.ts';
import { regularPeriodNs } from './rules-timing.ts';
import type { Standard } from './standard.ts';
import { FormSampler, signalForm, type TopicForm } from './topic-form.ts';
import { TopicTiming } from './topic-timing.ts';
import { UtcOffset } from './utc-offset.ts';
import { takeBlock, watchSignal } from './watched-signal.ts';

export type { RecordingFacts } from './judged.ts';

/** Topics that are followed; what comes on others is counted only. */
export const TOPICS_MAX = 4_096;
/** Signals whose values are followed, over all topics. */
export const SIGNALS_MAX = 2_048;

type Reader = (message: SourceMessage, nowNs: number) => void;

export class RecordingCheck {
  readonly #standard: Standard;
  readonly #topics = new Map<string, WatchedTopic>();
  readonly #readers = new Map<
    SourceMessage['channel'],
    { readonly watched: WatchedTopic; readonly read: Reader | undefined }
  >();
  readonly #motion: MotionMonitor;
  /** Samples that no statistics have taken yet. */
  readonly #blocks: { readonly block: SampleBlock; readonly signals: readonly WatchedSignal[] }[] = [];
  #signals = 0;
  #messages = 0;
  #baseNs: bigint | undefined;

  constructor(standard: Standard) {
    this.#standard = standard;
    this.#motion = new MotionMonitor(standard);
  }

  /** Takes the next message, in the order of the file; its bytes and values are not kept. */
  push(message: SourceMessage): void {
    this.#messages += 1;
    this.#baseNs ??= message.logTimeNs;
    const found = this.#readers.get(message.channel) ?? this.#watch(message);
    if (found === undefined) return;
    const nowNs = Number(message.logTimeNs - this.#baseNs);
    const skewNs = message.publishTimeNs === message.logTimeNs ? 0 : Number(message.logTimeNs - message.publishTimeNs);
    const { timing, repeats } = found.watched;
    repeats.push(message, nowNs, nowNs === timing.lastNs);
    timing.push(nowNs, skewNs, message.sequence);
    if (message.kind === 'opaque' && found.watched.form instanceof FormSampler) found.watched.form.push(message.data);
    if (message.kind === 'opaque') found.watched.images?.push(message.data, nowNs);
    found.read?.(message, nowNs);
  }

  /** Log time of the first message. */
  get startNs(): bigint {
    return this.#baseNs ?? 0n;
  }

  /** Log time of the last message of any topic. */
  get endNs(): bigint {
    const latestNs = Math.max(0, ...[...this.#topics.values()].map(({ timing }) => timing.latestNs));
    return this.startNs + BigInt(Math.round(latestNs));
  }

  /** The forms of its topics, to be compared with those of other recordings. */
  forms(): readonly TopicForm[] {
    return [...this.#topics.values()].map((watched) => {
      const { topic, form } = watched;
      const shape = form instanceof FormSampler ? form.form(this.#standard) : signalForm(topic, form);
      return { ...shape, rateHz: rateOf(watched) };
    });
  }

  /** Judges what came. The check is used up after it. */
  finish(facts: RecordingFacts): CheckReport {
    this.#motion.finish();
    for (const { block, signals } of this.#blocks) takeBlock(block, signals);
    const list = new FindingList(this.#standard);
    const topics = [...this.#topics.values()];
    for (const { signals, timing } of topics) for (const { statistics } of signals) statistics.finish(timing.lastNs);
    judgeRecording({
      standard: this.#standard,
      facts,
      topics,
      motion: this.#motion,
      messages: this.#messages,
      baseNs: this.#baseNs ?? 0n,
      list,
    });
    return list.report();
  }

  #blockFor(signals: readonly WatchedSignal[]): SampleBlock {
    const block = new SampleBlock(signals.length);
    this.#blocks.push({ block, signals });
    return block;
  }

  #watch(message: SourceMessage): { readonly watched: WatchedTopic; readonly read: Reader | undefined } | undefined {
    const { channel } = message;
    let watched = this.#topics.get(channel.topic);
    if (watched === undefined) {
      if (this.#topics.size >= TOPICS_MAX) return undefined;
      watched = {
        topic: channel.topic,
        rateHz: channel.rateHz,
        isLatched: channel.isLatched === true,
        form: channel.kind === 'signal' ? new Set([channel]) : new FormSampler(channel),
        timing: new TopicTiming(),
        repeats: new RepeatWatch(),
        signals: [],
        images: channel.kind === 'opaque' ? ImageWatch.of(channel) : undefined,
        undecodable: 0,
        firstUndecodableNs: Number.NaN,
        lastUndecodableNs: Number.NaN,
        utc: new UtcOffset(),
      };
      this.#topics.set(channel.topic, watched);
    }
    const read =
      message.kind === 'signal' ? this.#readSignals(message.channel, watched) : this.#readFields(message, watched);
    const entry = { watched, read };
    this.#readers.set(channel, entry);
    return entry;
  }

  #readSignals(channel: SignalMessage['channel'], watched: WatchedTopic): Reader {
    if (watched.form instanceof Set) watched.form.add(channel);
    const bound = channel.signals.map((definition) => bindDeclared(channel.topic, definition));
    const room = Math.max(0, SIGNALS_MAX - this.#signals);
    const signals = bound.slice(0, room).map((signal) => watchSignal(signal, this.#standard));
    this.#signals += signals.length;
    watched.signals.push(...signals);
    const block = this.#blockFor(signals);
    const feed = this.#motion.bind(bound);
    return (message, nowNs) => {
      if (message.kind !== 'signal') return;
      const { values } = message;
      block.add(values, nowNs);
      if (block.isFull) takeBlock(block, signals);
      feed?.(nowNs, values);
    };
  }

  /** Fields are those of the first message; one that comes later is not followed. */
  #readFields(first: SourceMessage, watched: WatchedTopic): Reader | undefined {
    if (first.kind !== 'opaque') return undefined;
    const fieldReader: FieldReader | undefined = makeFieldReader(first.channel);
    if (fieldReader === undefined) return undefined;
    const { channel } = first;
    const names: string[] = [];
    const samples: number[] = [];
    fieldReader(first.data, (name, value) => {
      if (names.length >= FIELDS_MAX || this.#signals + names.length >= SIGNALS_MAX) return;
      names.push(name);
      samples.push(value);
    });
    this.#signals += names.length;
    const { topic, schemaName } = channel;
    const bound = names.map((name, index) =>
      bindField({ topic, schemaName, sample: samples[index] ?? Number.NaN }, name, this.#standard),
    );
    const signals = bound.map((signal) => watchSignal(signal, this.#standard));
    watched.signals.push(...signals);
    const indexes = new Map(names.map((name, index) => [name, index]));
    const values = new Float64Array(names.length);
    const block = this.#blockFor(signals);
    const feed = this.#motion.bind(bound);
    watched.utc.bind(names);
    return (message, nowNs) => {
      if (message.kind !== 'opaque') return;
      values.fill(Number.NaN);
      const isRead = fieldReader(message.data, (name, value) => {
        const index = indexes.get(name);
        if (index !== undefined) values[index] = value;
      });
      if (!isRead) {
        watched.undecodable += 1;
        if (watched.undecodable === 1) watched.firstUndecodableNs = nowNs;
        watched.lastUndecodableNs = nowNs;
        return;
      }
      block.add(values, nowNs);
      if (block.isFull) takeBlock(block, signals);
      watched.utc.push(message.logTimeNs, values);
      feed?.(nowNs, values);
    };
  }
}

/** To three digits: the rest is noise, and the forms of like recordings are to be alike. */
function rateOf(watched: WatchedTopic): number | null {
  const periodNs = regularPeriodNs(watched);
  return Number.isNaN(periodNs) ? null : Number((1e9 / periodNs).toPrecision(3));
}
