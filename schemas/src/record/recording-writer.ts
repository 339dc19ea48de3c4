/** Writes one recording: the layout that vehicle and cloud agree on, over any MCAP writable. Equal input gives equal bytes. */
import { zstdCompressSync, constants } from 'node:zlib';
import { type IWritable, McapWriter } from '@mcap/core';
import type { Channel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { opaqueDescriptorSet } from './opaque-schemas.ts';
import { type RecordingMetadata, toMetadataRecords } from './recording-metadata.ts';
import { encodeSignalValues, signalDescriptorSet, signalSchemaName } from './signal-codec.ts';

/** Bytes of messages per MCAP chunk before compression. */
export const MCAP_CHUNK_BYTES = 1024 * 1024;
export const RECORDING_LIBRARY = 'fleetloop';

export class RecordingWriter {
  readonly #writer: McapWriter;
  readonly #channelIds = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  private constructor(writable: IWritable) {
    this.#writer = new McapWriter({
      writable,
      chunkSize: MCAP_CHUNK_BYTES,
      compressChunk: (chunk) => ({
        compression: 'zstd',
        compressedData: zstdCompressSync(chunk, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
      }),
    });
  }

  /** Writes the header and metadata, so that a file cut short still says what it is. */
  static async open(writable: IWritable, metadata: RecordingMetadata): Promise<RecordingWriter> {
    const recording = new RecordingWriter(writable);
    await recording.#writer.start({ profile: '', library: RECORDING_LIBRARY });
    for (const record of toMetadataRecords(metadata)) {
      await recording.#writer.addMetadata({ name: record.name, metadata: new Map(record.metadata) });
    }
    return recording;
  }

  /** Adds a message; its channel is registered at its first message. Calls must not overlap. */
  async write(message: SourceMessage): Promise<void> {
    const channelId = this.#channelIds.get(message.channel.topic) ?? (await this.#register(message.channel));
    await this.#writer.addMessage({
      channelId,
      sequence: message.sequence,
      logTime: message.logTimeNs,
      publishTime: message.publishTimeNs,
      data: message.kind === 'signal' ? encodeSignalValues(message.values) : message.data,
    });
    this.#counts.set(message.channel.topic, (this.#counts.get(message.channel.topic) ?? 0) + 1);
  }

  /** Writes the index and footer. Returns messages per topic. */
  async close(): Promise<ReadonlyMap<string, number>> {
    await this.#writer.end();
    return this.#counts;
  }

  async #register(channel: Channel): Promise<number> {
    const schemaId = await this.#writer.registerSchema(
      channel.kind === 'signal'
        ? { name: signalSchemaName(channel), encoding: 'protobuf', data: signalDescriptorSet(channel) }
        : { name: channel.schemaName, encoding: 'protobuf', data: opaqueDescriptorSet(channel.schemaName) },
    );
    const channelId = await this.#writer.registerChannel({
      schemaId,
      topic: channel.topic,
      messageEncoding: 'protobuf',
      metadata: channelMetadata(channel),
    });
    this.#channelIds.set(channel.topic, channelId);
    return channelId;
  }
}

/** Channel metadata: the signals with VSS paths and units, so that a reader needs no catalogue. */
function channelMetadata(channel: Channel): Map<string, string> {
  const rate: [string, string][] = channel.rateHz === undefined ? [] : [['rateHz', String(channel.rateHz)]];
  return new Map(channel.kind === 'signal' ? [['signals', JSON.stringify(channel.signals)], ...rate] : rate);
}
