/**
 * Reads any MCAP file as one drive session. Messages pass through as the bytes they are; the signal channels of our own recordings come back
 * as signals, and a mapping may read further signals out of JSON and ROS 2 messages. Disorder within the window of `reorder` is repaired.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { OPCODE, viewOf } from '../record/mcap-bytes.ts';
import { decodeSignalValues } from '../record/signal-codec.ts';
import { numberAtPath, parseJsonMessage } from './json-fields.ts';
import type { Channel } from './channel.ts';
import type { McapMapping } from './mapping-formats.ts';
import { makeMcapChannels, type McapChannel, type McapChannels } from './mcap-channels.ts';
import { mcapDamage, type McapRecord, parseAt, readMcapRecords } from './mcap-records.ts';
import { nameMcapSession } from './mcap-session.ts';
import { readMcapStart } from './mcap-start.ts';
import type { MessageDecoder } from './message-decoder.ts';
import { type MessageSignals, planMessageSignals, refuseTopicOfFile } from './message-signals.ts';
import { reorder } from './reorder.ts';
import { makeRos2Decoder } from './ros2-message.ts';
import type { SourceFiles } from './source-files.ts';
import type { SourceMessage } from './source-message.ts';
import { nameSession, splitPath, wordsOfPath } from './source-name.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type ReportCounter, type Source } from './source.ts';
import { makeStampClock } from './stamps.ts';

/** Channel, sequence and two stamps in front of a message's data. */
const MESSAGE_HEADER_BYTES = 22;

export type McapSourceOptions = {
  readonly mapping: McapMapping | undefined;
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

type Context = {
  readonly fileName: string;
  readonly mapping: McapMapping | undefined;
  readonly channels: McapChannels;
  readonly signals: MessageSignals;
  readonly counter: ReportCounter;
};

/**
 * Opens a file. A file without messages is a session without messages.
 * @throws FleetError `SOURCE_NOT_FOUND`, `MAPPING_INVALID`; while reading `SOURCE_FORMAT` with the byte of the damage and
 * `SOURCE_VALUE_INVALID` for a field that is no number, each after all that came before it
 */
export async function openMcapSource({ mapping, sourcePath, files, signal }: McapSourceOptions): Promise<Source> {
  const { name: fileName } = splitPath(sourcePath);
  const channels = makeMcapChannels();
  const signals = planMessageSignals(mapping?.channels ?? []);
  const start = await readMcapStart({ path: sourcePath, fileName, files }, channels);
  for (const { topic } of channels.list()) refuseTopicOfFile(signals, topic);
  const words = wordsOfPath(sourcePath, mapping?.fileName);
  const counter = makeReportCounter();
  const context: Context = { fileName, mapping, channels, signals, counter };
  const attachments = start.attachments.map((name) => `attachment ${name} is not a message; left out`);
  return {
    description: {
      ...nameSession(mapping?.session, words, nameMcapSession(start.metadata, fileName)),
      channels: [...channels.list(), ...signals.channels],
      files: [sourcePath],
      unusedColumns: [],
      remarks: [...channels.remarks(), ...attachments],
      metadata: start.metadata,
    },
    batches: () => reorder(readMessages(files.read(sourcePath, signal), context)),
    report: counter.report,
  };
}

async function* readMessages(
  pieces: AsyncIterable<Uint8Array>,
  context: Context,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  const { channels, fileName, counter } = context;
  const read = startMessages(context);
  let batch: SourceMessage[] = [];
  let failure: unknown;
  try {
    for await (const record of readMcapRecords(pieces, fileName)) {
      const { opcode, content, byte } = record;
      if (opcode === OPCODE.message) batch.push(...read(record));
      else if (opcode === OPCODE.schema) parseAt(fileName, byte, () => channels.declareSchema(content));
      else if (opcode === OPCODE.channel) parseAt(fileName, byte, () => channels.declareChannel(content));
      if (batch.length < BATCH_MESSAGES_MAX) continue;
      counter.messages(batch.length);
      yield batch;
      batch = [];
    }
  } catch (error) {
    failure = error;
  }
  counter.messages(batch.length);
  if (batch.length > 0) yield batch;
  if (failure !== undefined) throw failure;
}

type Running = { count: number; hasOwnSequence: boolean; previousNs: bigint | undefined };

/** Starts at the first record; the function returned gives the message of a record and the signals read out of it. Hot path. */
function startMessages({
  fileName,
  channels,
  signals,
  counter,
  mapping,
}: Context): (record: McapRecord) => readonly SourceMessage[] {
  const clock = makeStampClock(mapping?.time ?? {});
  counter.clock(
    channels.list().map((channel) => channel.topic),
    clock,
  );
  const running = new Map<McapChannel['channel'], Running>();
  const decoders = new Map<Channel, MessageDecoder | undefined>();
  const readSignals = signals.start();
  return ({ content, byte }) => {
    if (content.length < MESSAGE_HEADER_BYTES)
      throw mcapDamage(fileName, byte, 'a message ends in the middle of its header');
    const view = viewOf(content);
    const id = view.getUint16(0, true);
    const found = channels.find(id);
    if (found === undefined)
      throw mcapDamage(fileName, byte, `a message names channel ${id}, which the file does not declare before it`);
    const { channel } = found;
    const state = running.get(channel) ?? { count: 0, hasOwnSequence: false, previousNs: undefined };
    running.set(channel, state);
    const logTimeNs = clock.toUtcNs(view.getBigUint64(6, true));
    counter.row(fileName, byte, logTimeNs, state.previousNs);
    if (state.previousNs !== undefined && logTimeNs < state.previousNs)
      counter.stepBack({ topic: channel.topic, fromNs: state.previousNs, toNs: logTimeNs });
    state.previousNs = logTimeNs;
    const header = {
      sequence: sequenceOf(state, view.getUint32(2, true)),
      logTimeNs,
      publishTimeNs: clock.toUtcNs(view.getBigUint64(14, true)),
    };
    const data = content.subarray(MESSAGE_HEADER_BYTES);
    if (channel.kind === 'signal') {
      const values = parseAt(fileName, byte, () => decodeSignalValues(data, channel.signals.length));
      return [{ kind: 'signal', channel, ...header, values }];
    }
    const message: SourceMessage = { kind: 'opaque', channel, ...header, data };
    if (!signals.wants(channel.topic)) return [message];
    const valueOf = messageFields(found, data, { fileName, byte, decoders });
    const made = readSignals(channel.topic, logTimeNs, valueOf);
    return [message, ...made.filter((signal) => signal !== undefined)];
  };
}

/** Writers that do not count leave all sequences 0; then the messages are counted here, so that losses downstream show. */
function sequenceOf(state: Running, sequence: number): number {
  const count = state.count;
  state.count += 1;
  if (sequence !== 0) state.hasOwnSequence = true;
  return state.hasOwnSequence ? sequence : count;
}

type Place = { readonly fileName: string; readonly byte: number };

/** Fields of JSON and ROS 2 messages. */
function messageFields(
  { channel }: McapChannel,
  data: Uint8Array,
  { fileName, byte, decoders }: Place & { readonly decoders: Map<Channel, MessageDecoder | undefined> },
): (path: readonly string[]) => number {
  const refuse = (what: string, cause?: unknown): never => {
    const details = { file: fileName, byte, topic: channel.topic };
    throw new FleetError('SOURCE_VALUE_INVALID', `${fileName}, byte ${byte}, topic ${channel.topic}: ${what}`, {
      cause,
      details,
    });
  };
  if (!decoders.has(channel)) decoders.set(channel, decoderOf(channel));
  const decode = decoders.get(channel);
  const encoding = channel.kind === 'opaque' ? channel.encoding?.messageEncoding : undefined;
  if (decode === undefined)
    return refuse(
      `the messages are ${encoding || 'of no encoding'}; a mapping reads fields of json and ROS 2 (cdr with ros2msg) messages`,
    );
  let value: unknown;
  try {
    value = decode(data);
  } catch (cause) {
    const name = encoding === 'json' ? 'JSON' : 'what its schema says';
    return refuse(`a message is not ${name} (${cause instanceof Error ? cause.message : ''})`, cause);
  }
  return (path) => numberAtPath(value, path) ?? refuse(`${path.join('.')} is not a number`);
}

function decoderOf(channel: Channel): MessageDecoder | undefined {
  if (channel.kind !== 'opaque' || channel.encoding === undefined) return undefined;
  const { messageEncoding, schemaEncoding, schemaData } = channel.encoding;
  if (messageEncoding === 'json') return parseJsonMessage;
  if (messageEncoding !== 'cdr' || schemaEncoding !== 'ros2msg') return undefined;
  try {
    return makeRos2Decoder(schemaData);
  } catch {
    return undefined;
  }
}
