/**
 * The chunk that is being filled: records are encoded straight into one buffer, which is used again for the next chunk. In front
 * there is room for the chunk's own header and, once it is packed, its message indexes follow, so that a chunk is one write.
 */
import { crc32 } from 'node:zlib';
import { viewOf } from './mcap-bytes.ts';
import { CHUNK_PREFIX_BYTES, chunkHeaderBytes, type PackedChunk, writeChunkHeader } from './mcap-chunk-header.ts';
import { MessageIndex, type MessageIndexPlace } from './mcap-message-index.ts';
import {
  MESSAGE_FIELD,
  MESSAGE_RECORD_HEADER_BYTES,
  type MessageRecordHeader,
  writeMessageRecordHeader,
} from './mcap-message-record.ts';

/** From here on the system's copy is faster than a loop. */
const LOOP_COPY_BYTES_MAX = 48;
/** A chunk with its message indexes as it goes to the file. `bytes` is the builder's own memory. */
export type BuiltChunk = PackedChunk & { readonly bytes: Uint8Array };

export class ChunkBuilder {
  readonly index = new MessageIndex();
  readonly #capacityBytes: number;
  #bytes: Uint8Array;
  #view: DataView;
  #end = CHUNK_PREFIX_BYTES;
  /** Bytes of schemas and channels among the records. */
  definitionBytes = 0;

  constructor(chunkBytes: number) {
    // A quarter more for the message indexes of all but the smallest messages.
    this.#capacityBytes = CHUNK_PREFIX_BYTES + Math.ceil(chunkBytes * 1.25);
    this.#bytes = Buffer.allocUnsafeSlow(this.#capacityBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes of the records so far. */
  get sizeBytes(): number {
    return this.#end - CHUNK_PREFIX_BYTES;
  }

  /** The records so far; valid until `pack` or `clear`. */
  get records(): Uint8Array {
    return this.#bytes.subarray(CHUNK_PREFIX_BYTES, this.#end);
  }

  /** Adds a Schema or Channel record. */
  addDefinition(record: Uint8Array): void {
    this.#reserve(record.length);
    this.#bytes.set(record, this.#end);
    this.#end += record.length;
    this.definitionBytes += record.length;
  }

  addMessage(header: MessageRecordHeader, data: Uint8Array): void {
    const size = MESSAGE_RECORD_HEADER_BYTES + data.length;
    this.#reserve(size);
    const start = this.#end;
    writeMessageRecordHeader(this.#view, start, header, data.length);
    copy(data, this.#bytes, start + MESSAGE_RECORD_HEADER_BYTES);
    this.index.add(header.channelId, this.#bytes, start + MESSAGE_FIELD.logTime, start - CHUNK_PREFIX_BYTES);
    this.#end = start + size;
  }

  /** Adds records whose messages were indexed by the caller. */
  addRecords(records: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.#reserve(end - start);
    this.#bytes.set(start === 0 && end === records.length ? records : records.subarray(start, end), this.#end);
    this.#end += end - start;
  }

  /** CRC of the records; before `pack`. */
  crc(): number {
    return crc32(this.records);
  }

  /** Puts header and message indexes around the records, or around `compressed` in their place. */
  pack(crc: number, compressed: readonly Uint8Array[] | undefined, hasIndex: boolean): BuiltChunk {
    const uncompressedBytes = this.sizeBytes;
    const compression = compressed === undefined ? '' : 'zstd';
    if (compressed !== undefined) {
      this.#end = CHUNK_PREFIX_BYTES;
      for (const block of compressed) this.addRecords(block, 0, block.length);
    }
    const compressedBytes = this.sizeBytes;
    const range = this.index.range();
    const start = CHUNK_PREFIX_BYTES - chunkHeaderBytes(compression);
    writeChunkHeader(this.#bytes, start, { ...range, crc, compression, compressedBytes, uncompressedBytes });
    const chunkBytes = this.#end - start;
    let indexes: readonly MessageIndexPlace[] = [];
    if (hasIndex) {
      this.#reserve(this.index.sizeBytes);
      indexes = this.index.encode(this.#view, this.#end);
      this.#end += this.index.sizeBytes;
    }
    const bytes = this.#bytes.subarray(start, this.#end);
    const indexBytes = bytes.length - chunkBytes;
    return { bytes, compression, chunkBytes, indexBytes, compressedBytes, uncompressedBytes, ...range, indexes };
  }

  /** Empties the builder for the next chunk; memory that one huge message took is given back. */
  clear(): void {
    this.#end = CHUNK_PREFIX_BYTES;
    this.definitionBytes = 0;
    this.index.clear();
    if (this.#bytes.length > 2 * this.#capacityBytes) {
      this.#bytes = Buffer.allocUnsafeSlow(this.#capacityBytes);
      this.#view = viewOf(this.#bytes);
    }
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.ceil(1.5 * (this.#end + bytes)));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function copy(data: Uint8Array, target: Uint8Array, start: number): void {
  if (data.length > LOOP_COPY_BYTES_MAX) target.set(data, start);
  else for (let index = 0; index < data.length; index += 1) target[start + index] = data[index] as number;
}
