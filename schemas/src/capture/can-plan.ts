/** Raw CAN arrays to messages: every frame is kept as it was, and the signals that the mapping names are decoded by DBC. */
import { CAN_FRAME_DATA_BYTES_MAX, CAN_FRAME_SCHEMA_NAME, encodeCanFrame } from '../can/can-frame.ts';
import { canIdKey, type DbcMessage, indexDbcMessages } from '../can/dbc-database.ts';
import { makeSignalDecoder, type SignalDecoder } from '../can/signal-decoder.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { Channel, OpaqueChannel } from './channel.ts';
import type { SourceMessage } from './source-message.ts';
import { loadDbc } from './dbc-files.ts';
import type { CanChannelMapping, CanMapping } from './mapping.ts';
import type { NpyBatch } from './npy-reader.ts';
import type { SourceFiles } from './source-files.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';

const STANDARD_ID_MAX = 0x7ff;
/** Bus numbers are one byte at every recorder that we know; each gets a channel of its own. */
const BUSES_MAX = 256;

type CanSignal = CanChannelMapping['signals'][number] & { readonly decode: SignalDecoder };
type Decoded = { readonly bus: number; readonly key: number; readonly plan: ChannelPlan<CanSignal> };
type Databases = ReadonlyMap<number, ReadonlyMap<number, DbcMessage>>;

/** What reads the frames of one session. */
export type CanPlan = {
  /** Names of the arrays, the stamps first. */
  readonly arrays: readonly string[];
  readonly channels: readonly Channel[];
  readonly remarks: readonly string[];
  readonly start: () => (batches: readonly NpyBatch[], row: number, timeNs: bigint) => readonly SourceMessage[];
};

/**
 * Loads the databases and finds every message and signal that the mapping names.
 * @throws FleetError `DBC_INVALID`, `SOURCE_NOT_FOUND`, `MAPPING_INVALID`
 */
export async function planCan(
  mapping: CanMapping,
  { files, mappingFolder }: { readonly files: SourceFiles; readonly mappingFolder: string },
): Promise<CanPlan> {
  const loaded = await Promise.all(
    mapping.databases.map(async ({ file }) => loadDbc(`${mappingFolder}/${file}`, files)),
  );
  const buses = new Set(mapping.databases.flatMap((database) => database.buses));
  const byBus: Databases = new Map(
    [...buses].map((bus) => [
      bus,
      indexDbcMessages(
        loaded.flatMap((databases, index) => (mapping.databases[index]?.buses.includes(bus) ? databases : [])),
      ),
    ]),
  );
  const decoded = mapping.channels.map((channel) => planDecoded(channel, byBus));
  const rawChannel = makeRawChannels(mapping.topic);
  const problems = loaded.flat().flatMap((database) => database.problems);
  return {
    arrays: [mapping.time, mapping.bus, mapping.address, mapping.data],
    channels: [...mapping.buses.map(rawChannel), ...decoded.map(({ plan }) => plan.channel)],
    remarks: problems.map((problem) => `DBC line ${problem.line}: ${problem.what}; left out`),
    start: () => startFrames({ mapping, byBus, decoded, rawChannel }),
  };
}

function planDecoded(channel: CanChannelMapping, byBus: Databases): Decoded {
  const message = [...(byBus.get(channel.bus)?.values() ?? [])].find((candidate) => candidate.name === channel.message);
  if (message === undefined) refuse(channel, `no database of bus ${channel.bus} has a message ${channel.message}`);
  const signals = channel.signals.map((signal): CanSignal => {
    const decoders = [signal.signal].flat().map((name) => {
      const isKnown = message.signals.some((candidate) => candidate.name === name);
      return isKnown
        ? makeSignalDecoder(message, name)
        : refuse(channel, `message ${message.name} has no signal ${name}`);
    });
    return { ...signal, decode: (frame) => decoders.reduce((sum, decode) => sum + decode(frame), 0) };
  });
  return {
    bus: channel.bus,
    key: canIdKey(message.id, message.isExtended),
    plan: planChannel({ ...channel, signals }),
  };
}

function refuse(channel: CanChannelMapping, what: string): never {
  throw new FleetError('MAPPING_INVALID', `topic ${channel.topic}: ${what}`);
}

/** One opaque channel per bus, the same object each time. */
function makeRawChannels(topic: string): (bus: number) => OpaqueChannel {
  const channels = new Map<number, OpaqueChannel>();
  return (bus) => {
    const known = channels.get(bus);
    if (known !== undefined) return known;
    if (!Number.isInteger(bus) || bus < 0 || bus >= BUSES_MAX) {
      throw new FleetError('SOURCE_VALUE_INVALID', `${bus} is not a bus number from 0 to ${BUSES_MAX - 1}`);
    }
    const channel: OpaqueChannel = {
      kind: 'opaque',
      topic: topic.replace('{bus}', String(bus)),
      schemaName: CAN_FRAME_SCHEMA_NAME,
    };
    channels.set(bus, channel);
    return channel;
  };
}

type FrameContext = {
  readonly mapping: CanMapping;
  readonly byBus: Databases;
  readonly decoded: readonly Decoded[];
  readonly rawChannel: (bus: number) => OpaqueChannel;
};

function startFrames(context: FrameContext): ReturnType<CanPlan['start']> {
  const sequences = new Map<number, number>();
  const decoded = context.decoded.map((entry) => ({ ...entry, plan: { ...entry.plan, sequence: 0 } }));
  return ([, buses, addresses, payloads], row, timeNs) => {
    if (buses === undefined || addresses === undefined || payloads === undefined)
      throw new Error('CAN arrays are missing');
    const bus = buses.numberAt(row, 0);
    const id = addresses.numberAt(row, 0);
    const channel = context.rawChannel(bus);
    const key = canIdKey(id, id > STANDARD_ID_MAX);
    const data = payloadAt(
      payloads,
      row,
      context.mapping.lostTrailingZeros ? context.byBus.get(bus)?.get(key)?.sizeBytes : undefined,
    );
    const sequence = sequences.get(bus) ?? 0;
    sequences.set(bus, sequence + 1);
    const messages: SourceMessage[] = [
      {
        kind: 'opaque',
        channel,
        sequence,
        logTimeNs: timeNs,
        publishTimeNs: timeNs,
        data: encodeCanFrame({ bus, id, data }),
      },
    ];
    for (const entry of decoded) {
      if (entry.bus !== bus || entry.key !== key) continue;
      const message = makeSignalMessage(entry.plan, timeNs, (signal) => signal.decode(data));
      if (message !== undefined) messages.push(message);
    }
    return messages;
  };
}

/**
 * A byte string of NumPy has lost its trailing zero bytes, and with them its length. The length of a known message is the one
 * of its DBC; for an unknown one the bytes that are certain are kept and nothing is made up.
 */
function payloadAt(payloads: NpyBatch, row: number, knownBytes: number | undefined): Uint8Array {
  const width = payloads.bytes.length / payloads.rows;
  const padded = payloads.bytes.subarray(row * width, (row + 1) * width);
  let length = width;
  while (length > 0 && padded[length - 1] === 0) length -= 1;
  const wanted = Math.min(Math.max(length, knownBytes ?? 0), CAN_FRAME_DATA_BYTES_MAX);
  if (wanted <= width) return padded.subarray(0, wanted);
  const filled = new Uint8Array(wanted);
  filled.set(padded);
  return filled;
}
