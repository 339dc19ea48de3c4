/** From the records of a ULog file to messages: data, logged texts, dropouts, and what the file says of itself. */
import { FleetError } from '../errors/fleet-error.ts';
import { viewOf } from '../record/mcap-bytes.ts';
import { SourceClockDeclaration } from '../time/source-clock.ts';
import type { FileClock } from '../time/utc-clock.ts';
import type { OpaqueChannel } from './channel.ts';
import { numberAtPath } from './json-fields.ts';
import type { UlogMapping } from './mapping-formats.ts';
import type { MessageSignals } from './message-signals.ts';
import type { SourceMessage } from './source-message.ts';
import type { ReportCounter } from './source.ts';
import { makeStampClock } from './stamps.ts';
import { ULOG_HEADER, ULOG_HEADER_TIME_OFFSET, ulogDamage, type UlogRecord } from './ulog-records.ts';
import { jsonChannel, makeUlogSession, type UlogDefinitions, type UlogTopic } from './ulog-session.ts';
import { readUlogObject, type UlogObject } from './ulog-values.ts';

export const LOG_CHANNEL = jsonChannel('/ulog/log', 'ulog.Log', {
  title: 'ulog.Log',
  type: 'object',
  properties: { level: { type: 'integer' }, tag: { type: 'integer' }, message: { type: 'string' } },
});
export const DROPOUT_CHANNEL = jsonChannel('/ulog/dropout', 'ulog.Dropout', {
  title: 'ulog.Dropout',
  type: 'object',
  properties: { durationMs: { type: 'integer' } },
});
export const DEFINITIONS_CHANNEL: OpaqueChannel = {
  ...jsonChannel('/ulog/definitions', 'ulog.Definitions', {
    title: 'ulog.Definitions',
    type: 'object',
    additionalProperties: { type: 'object' },
  }),
  isLatched: true,
};
/** Level of a logged string: the digit of the kernel's log levels as a character. */
const LEVEL_ZERO = 0x30;

/** Stamps of the format are time since boot. */
const BOOT_CLOCK = SourceClockDeclaration.parse({ kind: 'boot' });
/** Most definitions that wait for the first data. */
const DEFINITIONS_MAX = 65_536;
const NS_PER_US = 1_000n;
/**
 * A logger also writes messages that were published long before, or never stamped. Those further from the running time than this were logged
 * now, whatever their stamp says.
 */
const STALE_NS_MAX = 5_000_000_000n;
const AHEAD_NS_MAX = 120_000_000_000n;
/** So many messages in a row that are ahead are no slip: logging went on after a pause. */
const AHEAD_IN_A_ROW_MAX = 16;
const BYTES = new TextEncoder();
const TEXT = new TextDecoder();

export type UlogContext = {
  readonly fileName: string;
  readonly mapping: UlogMapping | undefined;
  readonly signals: MessageSignals;
  readonly counter: ReportCounter;
};

/** Reads the records of one file in their order. */
export class UlogMessages {
  readonly #context: UlogContext;
  /** By key of their topic: the channel objects of the description, and those that showed up later. */
  readonly #channels: Map<string, OpaqueChannel>;
  readonly #session = makeUlogSession();
  readonly #readSignals: ReturnType<MessageSignals['start']>;
  readonly #clock: FileClock;
  readonly #sequences = new Map<OpaqueChannel, number>();
  readonly #previousNs = new Map<string, bigint>();
  #waiting: Record<string, UlogObject> = {};
  #waitingCount = 0;
  /** Log time of the latest data, and of the start of the log before that. */
  #nowNs = 0n;
  #hasData = false;
  #aheadInARow = 0;

  constructor(context: UlogContext, described: ReadonlyMap<string, OpaqueChannel>) {
    this.#context = context;
    this.#channels = new Map(described);
    this.#readSignals = context.signals.start();
    this.#clock = makeStampClock({ ...context.mapping?.time, clock: context.mapping?.time.clock ?? BOOT_CLOCK });
    const topics = [...described.values(), ...context.signals.channels].map((channel) => channel.topic);
    context.counter.clock(topics, this.#clock);
  }

  /** The messages of one record. @throws FleetError SOURCE_FORMAT, SOURCE_VALUE_INVALID */
  read(record: UlogRecord): readonly SourceMessage[] {
    try {
      return this.#read(record);
    } catch (cause) {
      if (cause instanceof FleetError) throw cause;
      throw ulogDamage(this.#context.fileName, record.byte, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #read({ type, content, byte }: UlogRecord): readonly SourceMessage[] {
    switch (type) {
      case ULOG_HEADER:
        this.#nowNs = this.#timeAt(content, ULOG_HEADER_TIME_OFFSET);
        return [];
      case 'D':
        return this.#readData(content, byte);
      case 'L':
        return [this.#readLog(content, 1, {})];
      case 'C':
        return [this.#readLog(content, 3, { tag: viewOf(content).getUint16(1, true) })];
      case 'O':
        return this.#readDropout(viewOf(content).getUint16(0, true));
      default:
        return this.#readDefinition(type, content);
    }
  }

  #readData(content: Uint8Array, byte: number): readonly SourceMessage[] {
    const topic = this.#session.topicOf(viewOf(content).getUint16(0, true));
    if (topic === undefined) throw new Error('a data message belongs to no topic that the file has declared');
    const data = content.subarray(2);
    const value = readUlogObject(topic.layout, data);
    const stampNs = this.#timeAt(data, topic.stampOffset);
    this.#context.counter.row(this.#context.fileName, byte, stampNs, this.#previousNs.get(topic.key));
    this.#previousNs.set(topic.key, stampNs);
    const timeNs = this.#loggedAt(stampNs);
    const before = this.#hasData ? [] : this.#takeDefinitions(timeNs);
    this.#hasData = true;
    const message = this.#emit(this.#channelOf(topic), timeNs, value, stampNs);
    return [...before, message, ...this.#signalsOf(topic, timeNs, { value, byte })];
  }

  /** When a message was logged: its own stamp, unless that is far from the running time. */
  #loggedAt(stampNs: bigint): bigint {
    const isAhead = stampNs > this.#nowNs + AHEAD_NS_MAX;
    this.#aheadInARow = isAhead ? this.#aheadInARow + 1 : 0;
    if (stampNs < this.#nowNs - STALE_NS_MAX || (isAhead && this.#aheadInARow < AHEAD_IN_A_ROW_MAX)) return this.#nowNs;
    if (stampNs > this.#nowNs) this.#nowNs = stampNs;
    return stampNs;
  }

  #signalsOf(
    topic: UlogTopic,
    timeNs: bigint,
    { value, byte }: { readonly value: UlogObject; readonly byte: number },
  ): readonly SourceMessage[] {
    const { signals, fileName, counter } = this.#context;
    if (!signals.wants(topic.key)) return [];
    const valueOf = (path: readonly string[]): number => {
      const number = numberAtPath(value, path);
      if (number !== undefined) return number;
      const what = `${topic.key}.${path.join('.')} is not a number`;
      const details = { file: fileName, byte };
      throw new FleetError('SOURCE_VALUE_INVALID', `${fileName}, byte ${byte}: ${what}`, { details });
    };
    return this.#readSignals(topic.key, timeNs, valueOf).filter((message) => {
      if (message === undefined) counter.empty();
      return message !== undefined;
    });
  }

  #readLog(content: Uint8Array, stampAt: number, tag: UlogObject): SourceMessage {
    const level = (content[0] ?? 0) - LEVEL_ZERO;
    const message = TEXT.decode(content.subarray(stampAt + 8));
    const stampNs = this.#timeAt(content, stampAt);
    return this.#emit(LOG_CHANNEL, this.#loggedAt(stampNs), { level, ...tag, message }, stampNs);
  }

  /** The logger says that it lost messages, not which; the stamp is that of the message before. */
  #readDropout(durationMs: number): readonly SourceMessage[] {
    this.#context.counter.dropout({ atNs: this.#nowNs, durationMs });
    return [this.#emit(DROPOUT_CHANNEL, this.#nowNs, { durationMs })];
  }

  #readDefinition(type: string, content: Uint8Array): readonly SourceMessage[] {
    const change = this.#session.define(type, content);
    if (change === undefined) return [];
    if (this.#hasData) return [this.#emit(DEFINITIONS_CHANNEL, this.#nowNs, change)];
    this.#wait(change);
    return [];
  }

  /** Definitions have no stamps: those ahead of the data come with its first message. */
  #wait(change: UlogDefinitions): void {
    this.#waitingCount += 1;
    if (this.#waitingCount > DEFINITIONS_MAX)
      throw new Error(`more than ${DEFINITIONS_MAX} definitions stand before the first data`);
    for (const [section, entries] of Object.entries(change)) Object.assign((this.#waiting[section] ??= {}), entries);
  }

  #takeDefinitions(timeNs: bigint): readonly SourceMessage[] {
    const waiting = this.#waiting;
    this.#waiting = {};
    return Object.keys(waiting).length === 0 ? [] : [this.#emit(DEFINITIONS_CHANNEL, timeNs, waiting)];
  }

  #channelOf({ key, channel }: UlogTopic): OpaqueChannel {
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    this.#channels.set(key, channel);
    return channel;
  }

  #timeAt(bytes: Uint8Array, offset: number): bigint {
    return this.#clock.toUtcNs(viewOf(bytes).getBigUint64(offset, true) * NS_PER_US);
  }

  #emit(channel: OpaqueChannel, logTimeNs: bigint, value: UlogObject, publishTimeNs = logTimeNs): SourceMessage {
    const sequence = this.#sequences.get(channel) ?? 0;
    this.#sequences.set(channel, sequence + 1);
    const data = BYTES.encode(JSON.stringify(value));
    return { kind: 'opaque', channel, sequence, logTimeNs, publishTimeNs, data };
  }
}
