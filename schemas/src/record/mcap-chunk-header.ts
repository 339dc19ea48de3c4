/** What stands in front of the records of a chunk, and what the summary has to know of it. */
import { OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import type { MessageIndexPlace } from './mcap-message-index.ts';

export type ChunkCompression = '' | 'zstd';

/** Fields in front of the records, without the name of the compression. */
const CHUNK_FIELD_BYTES = 40;
/** Chunk header with the longest name of a compression. */
export const CHUNK_PREFIX_BYTES = RECORD_HEADER_BYTES + CHUNK_FIELD_BYTES + 'zstd'.length;
const TEXT = new TextEncoder();

export type ChunkHeader = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Of the records before compression. */
  readonly crc: number;
  readonly compression: ChunkCompression;
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
};

/** A chunk as its index in the summary names it. */
export type PackedChunk = Omit<ChunkHeader, 'crc'> & {
  /** Of the whole Chunk record. */
  readonly chunkBytes: number;
  /** Of the message indexes behind it. */
  readonly indexBytes: number;
  /** Offsets count from the end of the chunk. Empty when no message index is written. */
  readonly indexes: readonly MessageIndexPlace[];
};

/** Bytes of the header of a chunk. */
export function chunkHeaderBytes(compression: ChunkCompression): number {
  return RECORD_HEADER_BYTES + CHUNK_FIELD_BYTES + compression.length;
}

/** Returns the offset behind the header, where the records begin. */
export function writeChunkHeader(target: Uint8Array, start: number, chunk: ChunkHeader): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const name = TEXT.encode(chunk.compression);
  const fields = start + RECORD_HEADER_BYTES;
  view.setUint8(start, OPCODE.chunk);
  view.setBigUint64(start + 1, BigInt(CHUNK_FIELD_BYTES + name.length + chunk.compressedBytes), true);
  view.setBigUint64(fields, chunk.startNs, true);
  view.setBigUint64(fields + 8, chunk.endNs, true);
  view.setBigUint64(fields + 16, BigInt(chunk.uncompressedBytes), true);
  view.setUint32(fields + 24, chunk.crc, true);
  view.setUint32(fields + 28, name.length, true);
  target.set(name, fields + 32);
  view.setBigUint64(fields + 32 + name.length, BigInt(chunk.compressedBytes), true);
  return fields + CHUNK_FIELD_BYTES + name.length;
}
