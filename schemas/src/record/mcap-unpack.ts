/** Chunks of any file unpacked within limits: what a chunk claims is compared with what its bytes can hold before memory is taken. */
import { crc32, zstdDecompressSync } from 'node:zlib';
import { FleetError } from '../errors/fleet-error.ts';
import { decodeLz4Frame } from './lz4-frame.ts';
import { malformed } from './mcap-bytes.ts';

/** Largest chunk accepted after decompression, bytes. */
export const MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes that one byte may unpack to. The blackest of images stays below it; what is above was made to fill memory. */
export const CHUNK_RATIO_MAX = 4_096;
/** Chunks up to this size may have any ratio: they cost nothing. */
const RATIO_FREE_BYTES = 1024 * 1024;
/** Each byte behind a length continues it by at most 255 bytes: no lz4 block can hold more. */
const LZ4_RATIO_MAX = 255;

export type PackedRecords = {
  readonly packed: Uint8Array;
  /** `` for none, `zstd` or `lz4`. */
  readonly compression: string;
  readonly uncompressedBytes: bigint;
  /** Of the unpacked records; 0 for none. */
  readonly crc: number;
};

/**
 * Gives the records of a chunk; the same bytes where it is not compressed.
 * @throws FleetError INGEST_MCAP_INVALID for bytes that do not unpack to what they claim, INGEST_LIMIT for a claim that is too large
 */
export function unpackChunk({ packed, compression, uncompressedBytes, crc }: PackedRecords): Uint8Array {
  const records = unpackBytes(packed, compression, uncompressedBytes);
  if (BigInt(records.length) !== uncompressedBytes)
    throw malformed(`a chunk names ${uncompressedBytes} bytes but unpacks to ${records.length}`);
  if (crc !== 0 && crc32(records) !== crc) throw malformed('the CRC of a chunk differs');
  return records;
}

/** Unpacks without a look at size and CRC of the result, which is never longer than what the chunk claims. */
export function unpackBytes(packed: Uint8Array, compression: string, uncompressedBytes: bigint): Uint8Array {
  if (compression === '') return packed;
  checkClaim(packed.length, compression, uncompressedBytes);
  try {
    if (compression === 'zstd') return decompressZstd(packed, uncompressedBytes);
    if (compression === 'lz4') return unpackLz4(packed, Number(uncompressedBytes));
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw malformed(`a chunk does not unpack (${cause instanceof Error ? cause.message : ''})`);
  }
  throw malformed(`a chunk is compressed by ${JSON.stringify(compression)}; zstd, lz4 and none are known`);
}

function checkClaim(packedBytes: number, compression: string, uncompressedBytes: bigint): void {
  if (uncompressedBytes > BigInt(MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX))
    throw malformed(`a chunk claims ${uncompressedBytes} bytes, more than ${MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX}`);
  const ratioMax = compression === 'lz4' ? LZ4_RATIO_MAX : CHUNK_RATIO_MAX;
  if (uncompressedBytes > RATIO_FREE_BYTES && uncompressedBytes > BigInt(packedBytes) * BigInt(ratioMax)) {
    throw new FleetError(
      'INGEST_LIMIT',
      `a chunk of ${packedBytes} bytes claims to unpack to ${uncompressedBytes}, more than ${ratioMax} times as much: it was not unpacked`,
    );
  }
}

function unpackLz4(packed: Uint8Array, sizeBytes: number): Uint8Array {
  const { bytes, damage } = decodeLz4Frame(packed, sizeBytes);
  if (damage !== undefined) throw new Error(`lz4: ${damage}`);
  return bytes;
}

/** Unpacks a chunk, never to more than the named maximum. */
export function decompressZstd(buffer: Uint8Array, decompressedSize: bigint): Uint8Array {
  if (decompressedSize > BigInt(MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX))
    throw malformed(`a chunk claims ${decompressedSize} bytes, more than ${MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX}`);
  const sizeBytes = Number(decompressedSize);
  // One output buffer instead of many of 16 KiB that are joined afterwards. It is not quite filled: behind a full one zlib makes another.
  return zstdDecompressSync(buffer, {
    maxOutputLength: Math.max(1, sizeBytes),
    chunkSize: Math.max(64, sizeBytes + 1),
  });
}

/** Smaller memory may be shared with other buffers, and costs nothing until it is collected. */
const RELEASED_BYTES_MIN = 64 * 1024;

/**
 * Gives the memory of a chunk's records back at once: that of one chunk after the other would otherwise make the collector run over the
 * whole heap. They are empty afterwards, for whoever still looks at them, too.
 */
export function releaseChunk(records: Uint8Array, compression: string): void {
  if (compression === '' || records.byteOffset !== 0 || records.length < RELEASED_BYTES_MIN) return;
  (records.buffer as ArrayBuffer).transfer(0);
}
