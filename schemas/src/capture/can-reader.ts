/** CAN frames to messages: every frame is kept as it was, and the signals that the mapping names are decoded by DBC. */
import {
  CAN_FLAG,
  CAN_FRAME_SCHEMA_NAME,
  CAN_STANDARD_ID_MAX,
  type CanFrame,
  encodeCanFrame,
} from '../can/can-frame.ts';
import { canIdKey, type DbcMessage, indexDbcMessages } from '../can/dbc-database.ts';
import { makeSignalDecoder, type SignalDecoder } from '../can/signal-decoder.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { OpaqueChannel, SignalChannel } from './channel.ts';
import type { SourceMessage } from './source-message.ts';
import { loadDbc } from './dbc-files.ts';
import type { CanChannelMapping, CanMapping } from './mapping-formats.ts';
import type { SourceFiles } from './source-files.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';

/** Bus numbers are one byte at every recorder that we know; each gets a channel of its own. */
const BUSES_MAX = 256;
/** Ids take 32 bits with the flag of the extended ones, so a bus number above them makes one key of both. */
const BUS_FACTOR = 2 ** 32;

type CanSignal = CanChannelMapping['signals'][number] & { readonly decode: SignalDecoder };
type Decoded = { readonly key: number; readonly plan: ChannelPlan<CanSignal> };
type Databases = ReadonlyMap<number, ReadonlyMap<number, DbcMessage>>;

/** Takes the frames of one session in their order. */
export type FrameReader = (frame: CanFrame, timeNs: bigint) => readonly SourceMessage[];

/** What reads the frames of one session. */
export type CanReader = {
  /** The channel of a bus; its frames go there untouched. @throws FleetError SOURCE_VALUE_INVALID for a number over the maximum */
  readonly rawChannel: (bus: number) => OpaqueChannel;
  readonly signalChannels: readonly SignalChannel[];
  readonly remarks: readonly string[];
  /** Length that the databases give the message of a frame. */
  readonly knownSizeBytes: (bus: number, id: number) => number | undefined;
  /** Starts at the first frame. */
  readonly start: () => FrameReader;
};

/**
 * Loads the databases and finds every message and signal that the mapping names.
 * @throws FleetError `DBC_INVALID`, `SOURCE_NOT_FOUND`, `MAPPING_INVALID`
 */
export async function makeCanReader(
  mapping: CanMapping,
  { files, mappingFolder }: { readonly files: SourceFiles; readonly mappingFolder: string },
): Promise<CanReader> {
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
    rawChannel,
    signalChannels: decoded.map(({ plan }) => plan.channel),
    remarks: problems.map((problem) => `DBC line ${problem.line}: ${problem.what}; left out`),
    knownSizeBytes: (bus, id) => byBus.get(bus)?.get(canIdKey(id, id > CAN_STANDARD_ID_MAX))?.sizeBytes,
    start: () => startFrames(decoded, rawChannel),
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
  const key = channel.bus * BUS_FACTOR + canIdKey(message.id, message.isExtended);
  return { key, plan: planChannel({ ...channel, signals }) };
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

/** Hot path: a bus carries thousands of frames a second. */
function startFrames(planned: readonly Decoded[], rawChannel: (bus: number) => OpaqueChannel): FrameReader {
  const sequences = new Map<number, number>();
  const decoded = Map.groupBy(
    planned.map(({ key, plan }) => ({ key, plan: { ...plan, sequence: 0 } })),
    ({ key }) => key,
  );
  return (frame, timeNs) => {
    const { bus, id, data } = frame;
    const flags = frame.flags ?? (id > CAN_STANDARD_ID_MAX ? CAN_FLAG.extended : 0);
    const sequence = sequences.get(bus) ?? 0;
    sequences.set(bus, sequence + 1);
    const raw: SourceMessage = {
      kind: 'opaque',
      channel: rawChannel(bus),
      sequence,
      logTimeNs: timeNs,
      publishTimeNs: timeNs,
      data: encodeCanFrame({ ...frame, flags }),
    };
    // A remote frame asks for data and an error frame reports a fault: neither carries signals.
    if ((flags & (CAN_FLAG.remote | CAN_FLAG.error)) !== 0) return [raw];
    const plans = decoded.get(bus * BUS_FACTOR + canIdKey(id, (flags & CAN_FLAG.extended) !== 0));
    if (plans === undefined) return [raw];
    const messages: SourceMessage[] = [raw];
    for (const { plan } of plans) {
      const message = makeSignalMessage(plan, timeNs, (signal) => signal.decode(data));
      if (message !== undefined) messages.push(message);
    }
    return messages;
  };
}
