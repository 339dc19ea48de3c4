/**
 * Chunks that were made elsewhere (compressed, summed and indexed by a ring that holds them already) on their way into a file: their
 * headers and message indexes are put around them in one buffer, so that several of them are one write.
 */
import { crc32 } from 'node:zlib';
import { FleetError } from '../errors/fleet-error.ts';
import { joinCrc } from './mcap-crc.ts';
import { CHUNK_PREFIX_BYTES, type ChunkCompression, type PackedChunk, writeChunkHeader } from './mcap-chunk-header.ts';
import { encodeRows, type MessageRows, summarizeRows } from './mcap-message-rows.ts';
import type { OutputPiece } from './mcap-output.ts';

/** Bytes of one write; a larger chunk is a write of its own. */
const STAGE_BYTES = 1024 * 1024;

/** A chunk of Message records alone: its channels are registered with the writer, and no schema or channel stands in it. */
export type McapChunk = {
  readonly compression: ChunkCompression;
  /** The records as they go into the file. */
  readonly bytes: Uint8Array;
  readonly uncompressedBytes: number;
  /** CRC of the records before compression. */
  readonly uncompressedCrc: number;
  /** CRC of `bytes`, where it is known: then they are not read for it again. */
  readonly bytesCrc?: number;
  readonly rows: MessageRows;
};

type Staged = { readonly at: number; readonly packed: PackedChunk; readonly counts: ReadonlyMap<number, number> };

/** Filled, written, and filled again. */
export class ChunkStage {
  #bytes: Uint8Array = Buffer.allocUnsafeSlow(STAGE_BYTES);
  #end = 0;
  #crc = 0;
  #chunks: Staged[] = [];

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /**
   * Copies the chunk. False when it has no room behind others.
   * @throws FleetError RECORD_WRITE when `assertKnown` refuses one of its channels or it contradicts itself
   */
  add(chunk: McapChunk, hasIndex: boolean, assertKnown: (channelId: number) => void): boolean {
    const { bytes, compression, rows, uncompressedBytes } = chunk;
    assertConsistent(chunk);
    const { counts, indexBytes, ...range } = summarizeRows(rows);
    for (const channelId of counts.keys()) assertKnown(channelId);
    const sizeBytes = CHUNK_PREFIX_BYTES + bytes.length + indexBytes;
    if (this.#end + sizeBytes > this.#bytes.length) {
      if (!this.isEmpty) return false;
      this.#bytes = Buffer.allocUnsafeSlow(sizeBytes);
    }
    const start = this.#end;
    const header = { ...range, crc: chunk.uncompressedCrc, compression, compressedBytes: bytes.length };
    const headerEnd = writeChunkHeader(this.#bytes, start, { ...header, uncompressedBytes });
    const end = headerEnd + bytes.length;
    this.#bytes.set(bytes, headerEnd);
    const indexes = hasIndex ? encodeRows(rows, counts, this.#bytes, end) : [];
    this.#end = hasIndex ? end + indexBytes : end;
    const withHeader = crc32(this.#bytes.subarray(start, headerEnd), this.#crc);
    const withRecords = joinCrc(withHeader, chunk.bytesCrc ?? crc32(bytes), bytes.length);
    this.#crc = crc32(this.#bytes.subarray(end, this.#end), withRecords);
    const packed = { ...header, uncompressedBytes, indexes, chunkBytes: end - start, indexBytes: this.#end - end };
    this.#chunks.push({ at: start, packed, counts });
    return true;
  }

  /** All of it as one piece of the file. `written` is told where each chunk stands; then the stage may be cleared. */
  piece(written: (offset: number, packed: PackedChunk, counts: ReadonlyMap<number, number>) => void): OutputPiece {
    const chunks = this.#chunks;
    return {
      bytes: this.#bytes.subarray(0, this.#end),
      crc: this.#crc,
      written: (offset) => {
        for (const { at, packed, counts } of chunks) written(offset + at, packed, counts);
      },
    };
  }

  clear(): void {
    this.#end = 0;
    this.#crc = 0;
    this.#chunks = [];
    if (this.#bytes.length > STAGE_BYTES) this.#bytes = Buffer.allocUnsafeSlow(STAGE_BYTES);
  }
}

function assertConsistent({ bytes, compression, rows, uncompressedBytes }: McapChunk): void {
  if (rows.count > 0 && (compression !== '' || bytes.length === uncompressedBytes)) return;
  const what = rows.count === 0 ? 'holds no message' : `is stored in ${bytes.length} of ${uncompressedBytes} bytes`;
  throw new FleetError('RECORD_WRITE', `the recording cannot be written: a chunk that was made elsewhere ${what}`);
}
