/** Writes one recording: the layout that vehicle and cloud agree on. Equal input gives equal bytes. */
import type { Channel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import type { McapChannel, McapSchema } from './mcap-definitions.ts';
import { viewOf } from './mcap-bytes.ts';
import type { McapSink } from './mcap-output.ts';
import { McapWriter } from './mcap-writer.ts';
import { opaqueDescriptorSet } from './opaque-schemas.ts';
import { type RecordingMetadata, toMetadataRecords } from './recording-metadata.ts';
import { encodeSignalValuesInto, SIGNAL_BYTES_MAX, signalDescriptorSet, signalSchemaName } from './signal-codec.ts';

export const RECORDING_LIBRARY = 'fleetloop';
const SCRATCH_BYTES = 1_024;

export class RecordingWriter {
  readonly #writer: McapWriter;
  readonly #channelIds = new Map<string, number>();
  /** Where signals are encoded before they are copied into the chunk. */
  #scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);

  private constructor(sink: McapSink) {
    this.#writer = new McapWriter(sink, { compression: 'zstd', library: RECORDING_LIBRARY });
  }

  /**
   * Writes the header and, when it is known already, the metadata, so that a file cut short still says what it is. Metadata that
   * is known only after the last message is given to `close`.
   */
  static async open(sink: McapSink, metadata?: RecordingMetadata): Promise<RecordingWriter> {
    const recording = new RecordingWriter(sink);
    if (metadata !== undefined) recording.#addMetadata(metadata);
    await recording.#writer.drain();
    return recording;
  }

  /** Adds a message; its channel is registered at its first message. Calls must not overlap. */
  async write(message: SourceMessage): Promise<void> {
    const channelId = this.#channelIds.get(message.channel.topic) ?? this.#register(message.channel);
    const data = message.kind === 'signal' ? this.#encode(message.values) : message.data;
    const { sequence, logTimeNs, publishTimeNs } = message;
    const hasRoom = this.#writer.addMessage(channelId, sequence, logTimeNs, publishTimeNs, data);
    if (!hasRoom) await this.#writer.drain();
  }

  /** Writes metadata that was not known before, the index and the footer. Returns messages per topic. */
  async close(metadata?: RecordingMetadata): Promise<ReadonlyMap<string, number>> {
    if (metadata !== undefined) this.#addMetadata(metadata);
    return (await this.#writer.close()).topics;
  }

  #addMetadata(metadata: RecordingMetadata): void {
    for (const record of toMetadataRecords(metadata)) this.#writer.addMetadata(record);
  }

  #encode(values: Float64Array): Uint8Array {
    const bytesMax = values.length * SIGNAL_BYTES_MAX;
    if (bytesMax > this.#scratch.length) this.#scratch = new Uint8Array(2 * bytesMax);
    return this.#scratch.subarray(0, encodeSignalValuesInto(values, viewOf(this.#scratch), 0));
  }

  #register(channel: Channel): number {
    const schema = recordingSchema(channel);
    const schemaId = schema === undefined ? 0 : this.#writer.registerSchema(schema);
    const channelId = this.#writer.registerChannel({ ...recordingChannel(channel), schemaId });
    this.#channelIds.set(channel.topic, channelId);
    return channelId;
  }
}

/** The schema of a channel as a recording holds it; undefined for a foreign payload without one. @throws FleetError SOURCE_FORMAT */
export function recordingSchema(channel: Channel): McapSchema | undefined {
  if (channel.kind === 'signal')
    return { name: signalSchemaName(channel), encoding: 'protobuf', data: signalDescriptorSet(channel) };
  const { schemaName: name, encoding } = channel;
  if (encoding === undefined) return { name, encoding: 'protobuf', data: opaqueDescriptorSet(name) };
  if (name === '' && encoding.schemaEncoding === '') return undefined;
  return { name, encoding: encoding.schemaEncoding, data: encoding.schemaData };
}

/** A channel as a recording holds it: signal channels carry VSS paths and units, so that a reader needs no catalogue. */
export function recordingChannel(channel: Channel): Omit<McapChannel, 'schemaId'> {
  const metadata = new Map<string, string>();
  if (channel.kind === 'signal') metadata.set('signals', JSON.stringify(channel.signals));
  if (channel.rateHz !== undefined) metadata.set('rateHz', String(channel.rateHz));
  if (channel.isLatched === true) metadata.set('latched', 'true');
  const foreign = channel.kind === 'opaque' ? channel.encoding?.metadata : undefined;
  for (const [key, value] of Object.entries(foreign ?? {})) metadata.set(key, value);
  const messageEncoding = channel.kind === 'opaque' ? (channel.encoding?.messageEncoding ?? 'protobuf') : 'protobuf';
  return { topic: channel.topic, messageEncoding, metadata };
}
