/**
 * Writes MCAP as fast as disk and zstd take it. Messages are copied once, into the open chunk; chunks are compressed in other
 * threads and written in their order. Equal calls give equal bytes, however the threads run; memory is bounded by the chunks in flight.
 */
import { FleetError } from '../errors/fleet-error.ts';
import type { McapChunk } from './mcap-chunk-stage.ts';
import { ChunkStream } from './mcap-chunk-stream.ts';
import { ChunkCompressor } from './mcap-compression.ts';
import { type McapChannel, McapDefinitions, type McapSchema } from './mcap-definitions.ts';
import { McapOutput, type McapSink } from './mcap-output.ts';
import { encodeAttachment, encodeDataEnd, encodeHeader, encodeMetadata, type McapAttachment } from './mcap-records.ts';
import { MCAP_PARTS, type McapPart, McapSummary } from './mcap-summary.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';

/** Bytes of records in a chunk before compression. */
export const MCAP_CHUNK_BYTES = 1024 * 1024;
/** Two that are compressed, on a machine of two cores, and one that is written. */
const CHUNKS_IN_FLIGHT_MAX = 3;
/** zstd's own default, and that of other MCAP writers. */
const ZSTD_LEVEL = 3;

export type McapWriterOptions = {
  readonly compression: 'zstd' | 'none';
  readonly chunkBytes?: number;
  /** zstd level. */
  readonly level?: number;
  /** Chunks that are compressed or written while the next one is filled. */
  readonly chunksInFlightMax?: number;
  readonly library?: string;
  readonly profile?: string;
  /** All of them by default. */
  readonly parts?: ReadonlySet<McapPart>;
};

export type WrittenMcap = {
  readonly messages: number;
  readonly sizeBytes: number;
  /** Messages per topic that has any. */
  readonly topics: ReadonlyMap<string, number>;
};

export class McapWriter {
  readonly #output: McapOutput;
  readonly #definitions = new McapDefinitions();
  readonly #summary = new McapSummary();
  readonly #compressor: ChunkCompressor | undefined;
  readonly #chunks: ChunkStream;
  readonly #parts: ReadonlySet<McapPart>;
  readonly #chunksInFlightMax: number;
  #isClosed = false;
  /** Used again for each message: an object of its own would be garbage. */
  readonly #header = { channelId: 0, sequence: 0, logTimeNs: 0n, publishTimeNs: 0n };

  /** Begins the file. What goes wrong with the sink comes out of the next call. */
  constructor(sink: McapSink, options: McapWriterOptions) {
    this.#output = new McapOutput(sink);
    this.#parts = options.parts ?? new Set(MCAP_PARTS);
    this.#chunksInFlightMax = options.chunksInFlightMax ?? CHUNKS_IN_FLIGHT_MAX;
    this.#compressor =
      options.compression === 'zstd' ? new ChunkCompressor({ level: options.level ?? ZSTD_LEVEL }) : undefined;
    this.#chunks = new ChunkStream({
      output: this.#output,
      definitions: this.#definitions,
      summary: this.#summary,
      chunkBytes: options.chunkBytes ?? MCAP_CHUNK_BYTES,
      compressor: this.#compressor,
      hasMessageIndex: this.#parts.has('messageIndex'),
    });
    this.#push(encodeHeader(options.profile ?? '', options.library ?? ''));
  }

  /** Gives the id for `registerChannel`. @throws FleetError RECORD_WRITE when there are too many */
  registerSchema(schema: McapSchema): number {
    this.#assertOpen();
    return this.#definitions.addSchema(schema);
  }

  /**
   * Gives the id for `addMessage`. Schema and channel stand ahead of the first message in each chunk that uses them.
   * @throws FleetError RECORD_WRITE when the schema is not registered or the id is taken
   */
  registerChannel(channel: McapChannel): number {
    this.#assertOpen();
    return this.#definitions.addChannel(channel);
  }

  /** Metadata goes to the file at once, ahead of the messages of the open chunk. */
  addMetadata(record: McapMetadataRecord): void {
    this.#assertOpen();
    const bytes = encodeMetadata(record);
    this.#push(bytes, (offset) => this.#summary.addMetadata({ offset, sizeBytes: bytes.length }, record.name));
  }

  /** Copies the data and goes to the file at once, ahead of the messages of the open chunk. */
  addAttachment(attachment: McapAttachment): void {
    this.#assertOpen();
    const { data, ...description } = attachment;
    const dataBytes = data.length;
    const bytes = encodeAttachment(attachment);
    this.#push(bytes, (offset) =>
      this.#summary.addAttachment({ offset, sizeBytes: bytes.length }, description, dataBytes),
    );
  }

  /**
   * Copies a message into the open chunk. False when the caller should `await drain()` before the next.
   * @throws FleetError RECORD_WRITE when the channel is not registered or the data too large, and whatever the sink threw before
   */
  // oxlint-disable-next-line eslint/max-params -- once per message: an object would be garbage
  addMessage(channelId: number, sequence: number, logTimeNs: bigint, publishTimeNs: bigint, data: Uint8Array): boolean {
    this.#assertOpen();
    const header = this.#header;
    header.channelId = channelId;
    header.sequence = sequence;
    header.logTimeNs = logTimeNs;
    header.publishTimeNs = publishTimeNs;
    this.#chunks.addMessage(header, data);
    return this.#output.waiting < this.#chunksInFlightMax;
  }

  /**
   * Copies a run of whole Message records (as `writeMessageRecord` makes them) whose channels are registered; only their headers
   * are looked at. Gives the same bytes as `addMessage` of each. False when the caller should `await drain()` before the next.
   * @throws FleetError RECORD_WRITE at the first record that is none, after the ones before it; and whatever the sink threw before
   */
  addMessageRecords(records: Uint8Array): boolean {
    this.#assertOpen();
    this.#chunks.addRecords(records);
    return this.#output.waiting < this.#chunksInFlightMax;
  }

  /**
   * Adds a chunk that was compressed and indexed elsewhere, as it is; schemas and channels that are nowhere in the file yet go ahead
   * of it. Its bytes are copied. False when the caller should `await drain()` before the next.
   * @throws FleetError RECORD_WRITE when it names a channel that is not registered, and whatever the sink threw before
   */
  addChunk(chunk: McapChunk): boolean {
    this.#assertOpen();
    this.#chunks.addChunk(chunk);
    return this.#output.waiting < this.#chunksInFlightMax;
  }

  /** Resolves when another chunk may be filled. @throws whatever the sink threw */
  async drain(): Promise<void> {
    await this.#output.drain(this.#chunksInFlightMax - 1);
  }

  /** Writes what is left, the indexes and the footer. @throws whatever the sink threw */
  async close(): Promise<WrittenMcap> {
    this.#assertOpen();
    this.#isClosed = true;
    this.#chunks.flush();
    this.#push(this.#definitions.takeUnwritten());
    await this.#output.drain(0);
    this.#compressor?.close();
    const dataEnd = encodeDataEnd(this.#output.crc);
    const summaryStart = this.#output.sizeBytes + dataEnd.length;
    this.#push(dataEnd);
    this.#push(this.#summary.encode(summaryStart, this.#definitions, this.#parts));
    await this.#output.drain(0);
    return { messages: this.#summary.messages, sizeBytes: this.#output.sizeBytes, topics: this.#topics() };
  }

  #topics(): ReadonlyMap<string, number> {
    const topics = new Map<string, number>();
    for (const [channelId, count] of this.#summary.messagesOf) {
      const topic = this.#definitions.topicOf(channelId);
      topics.set(topic, (topics.get(topic) ?? 0) + count);
    }
    return topics;
  }

  #push(bytes: Uint8Array, written: (offset: number) => void = () => undefined): void {
    this.#output.push(Promise.resolve({ bytes, written }));
  }

  #assertOpen(): void {
    this.#output.throwIfFailed();
    if (this.#isClosed) throw new FleetError('RECORD_WRITE', 'the recording is closed: nothing can be added to it');
  }
}
