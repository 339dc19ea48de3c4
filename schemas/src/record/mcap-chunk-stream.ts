/** The hot path of writing: messages go into the open chunk, a full chunk goes to another thread and then to the output in its turn. */
import { FleetError } from '../errors/fleet-error.ts';
import { OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import { ChunkBuilder, type BuiltChunk } from './mcap-chunk-builder.ts';
import { ChunkStage, type McapChunk } from './mcap-chunk-stage.ts';
import type { ChunkCompressor } from './mcap-compression.ts';
import type { McapDefinitions } from './mcap-definitions.ts';
import {
  MESSAGE_DATA_BYTES_MAX,
  MESSAGE_FIELD,
  MESSAGE_RECORD_HEADER_BYTES,
  type MessageRecordHeader,
  uint16At,
  uint32At,
} from './mcap-message-record.ts';
import type { McapOutput, OutputPiece } from './mcap-output.ts';
import type { McapSummary } from './mcap-summary.ts';

/** Share of a chunk that repeated schemas and channels may take. */
const REPEATED_SHARE_MAX = 1 / 8;

export type ChunkStreamOptions = {
  readonly output: McapOutput;
  readonly definitions: McapDefinitions;
  readonly summary: McapSummary;
  readonly chunkBytes: number;
  /** Undefined for no compression. */
  readonly compressor: ChunkCompressor | undefined;
  readonly hasMessageIndex: boolean;
};

export class ChunkStream {
  readonly #options: ChunkStreamOptions;
  readonly #chunkBytes: number;
  /** Builders whose chunk is in the file. */
  readonly #free: ChunkBuilder[] = [];
  readonly #freeStages: ChunkStage[] = [];
  #chunk: ChunkBuilder;
  /** Behind all that was handed on, and in front of the open chunk, which is empty while this is not. */
  #stage: ChunkStage | undefined;

  constructor(options: ChunkStreamOptions) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes;
    this.#chunk = new ChunkBuilder(options.chunkBytes);
  }

  /** @throws FleetError RECORD_WRITE when the channel is not registered or the data too large */
  addMessage(header: MessageRecordHeader, data: Uint8Array): void {
    if (data.length > MESSAGE_DATA_BYTES_MAX)
      throw refusal(
        `a message of channel ${header.channelId} has ${data.length} bytes, more than ${MESSAGE_DATA_BYTES_MAX}`,
      );
    const size = MESSAGE_RECORD_HEADER_BYTES + data.length;
    if (!this.#takes(header.channelId, size)) this.#makeRoom(header.channelId, size);
    this.#chunk.addMessage(header, data);
  }

  /** Indexes each record and copies as many at once as one chunk takes. @throws FleetError RECORD_WRITE at the first that is no message */
  addRecords(records: Uint8Array): void {
    // From here to `offset` records are in the index of the chunk, but not yet in the chunk.
    let run = 0;
    let offset = 0;
    while (offset < records.length) {
      const size = messageSizeAt(records, offset);
      const channelId = size === 0 ? 0 : uint16At(records, offset + MESSAGE_FIELD.channelId);
      if (size === 0 || !this.#takes(channelId, offset - run + size)) {
        this.#chunk.addRecords(records, run, offset);
        run = offset;
        if (size === 0) throw refusal(`byte ${offset} of a run of messages begins no whole Message record`);
        this.#makeRoom(channelId, size);
      }
      const chunk = this.#chunk;
      chunk.index.add(channelId, records, offset + MESSAGE_FIELD.logTime, chunk.sizeBytes + offset - run);
      offset += size;
    }
    this.#chunk.addRecords(records, run, offset);
  }

  /** Adds a chunk that was made elsewhere, behind the messages so far. @throws FleetError RECORD_WRITE */
  addChunk(made: McapChunk): void {
    const { definitions, hasMessageIndex } = this.#options;
    if (this.#chunk.index.messages > 0) this.flush();
    const unwritten = definitions.takeUnwritten();
    if (unwritten.length > 0) {
      this.#flushStage();
      this.#options.output.push(Promise.resolve({ bytes: unwritten, written: () => undefined }));
    }
    const assertKnown = (channelId: number): void => void definitions.topicOf(channelId);
    const stage = this.#stage ?? this.#openStage();
    if (stage.add(made, hasMessageIndex, assertKnown)) return;
    this.#flushStage();
    this.#openStage().add(made, hasMessageIndex, assertKnown);
  }

  /** Hands on all there is: chunks that were made elsewhere, or what is in the open chunk. */
  flush(): void {
    this.#flushStage();
    if (this.#chunk.index.messages === 0) return;
    const chunk = this.#chunk;
    this.#options.output.push(this.#pack(chunk));
    this.#chunk = this.#free.pop() ?? new ChunkBuilder(this.#chunkBytes);
  }

  /** Whether the open chunk carries the channel and has room; a chunk without messages has room for any one. */
  #takes(channelId: number, bytes: number): boolean {
    return this.#chunk.index.has(channelId) && this.#hasRoom(bytes);
  }

  #hasRoom(bytes: number): boolean {
    return this.#chunk.sizeBytes + bytes <= this.#chunkBytes || this.#chunk.index.messages === 0;
  }

  #makeRoom(channelId: number, bytes: number): void {
    this.#flushStage();
    if (!this.#hasRoom(bytes)) this.flush();
    const chunk = this.#chunk;
    if (chunk.index.has(channelId)) return;
    const repeatBytes = this.#chunkBytes * REPEATED_SHARE_MAX - chunk.definitionBytes;
    this.#options.definitions.carry(channelId, repeatBytes, (record) => chunk.addDefinition(record));
    chunk.index.declare(channelId);
  }

  #openStage(): ChunkStage {
    const stage = this.#freeStages.pop() ?? new ChunkStage();
    this.#stage = stage;
    return stage;
  }

  #flushStage(): void {
    const stage = this.#stage;
    this.#stage = undefined;
    if (stage === undefined || stage.isEmpty) return;
    const { output, summary } = this.#options;
    const piece = stage.piece((offset, packed, counts) => summary.addChunk(offset, packed, counts));
    const written = (offset: number): void => {
      piece.written(offset);
      stage.clear();
      this.#freeStages.push(stage);
    };
    output.push(Promise.resolve({ ...piece, written }));
  }

  async #pack(chunk: ChunkBuilder): Promise<OutputPiece> {
    const { compressor, hasMessageIndex } = this.#options;
    const crc = chunk.crc();
    const compressed = await compressor?.compress(chunk.records);
    const packed = chunk.pack(crc, compressed, hasMessageIndex);
    return { bytes: packed.bytes, written: (offset) => this.#written(chunk, packed, offset) };
  }

  #written(chunk: ChunkBuilder, packed: BuiltChunk, offset: number): void {
    this.#options.summary.addChunk(offset, packed, chunk.index.counts());
    chunk.clear();
    this.#free.push(chunk);
  }
}

/** Bytes of the Message record at `offset`, 0 when there is no whole one. */
function messageSizeAt(records: Uint8Array, offset: number): number {
  const restBytes = records.length - offset;
  if (restBytes < MESSAGE_RECORD_HEADER_BYTES || records[offset] !== OPCODE.message) return 0;
  if (uint32At(records, offset + MESSAGE_FIELD.length + 4) !== 0) return 0;
  const size = RECORD_HEADER_BYTES + uint32At(records, offset + MESSAGE_FIELD.length);
  return size < MESSAGE_RECORD_HEADER_BYTES || size > restBytes ? 0 : size;
}

function refusal(why: string): FleetError {
  return new FleetError('RECORD_WRITE', `the recording cannot be written: ${why}`);
}
