/** As much of a chunk as its bytes still give: compression hides where damage begins, so what is given ends with the last sound block. */
import { constants, crc32, zstdDecompressSync } from 'node:zlib';
import { decodeLz4Frame, isLz4Cut } from './lz4-frame.ts';
import { viewOf } from './mcap-bytes.ts';
import { decompressZstd, MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX } from './mcap-unpack.ts';

export type PartlyUnpacked = {
  readonly records: Uint8Array;
  /** Whether the packed bytes came to their regular end. */
  readonly isWhole: boolean;
  /** Whether they only end too early: what is there is as it was written. */
  readonly isCut: boolean;
  /** Where the block that holds an unpacked offset begins: what is found wrong there may have begun anywhere in it. */
  readonly blockStart: (offset: number) => number;
};

export const ZSTD_MAGIC = 0xfd2f_b528;
export const LZ4_MAGIC = 0x184d_2204;
/** A block header of zstd: last, type, size. */
const ZSTD_BLOCK_HEADER_BYTES = 3;
const ZSTD_BLOCK_RLE = 1;
const ZSTD_BLOCK_RESERVED = 3;

export function unpackPartly(packed: Uint8Array, compression: string, sizeMax: number): PartlyUnpacked {
  const limit = Math.min(sizeMax, MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX);
  if (compression === 'zstd') return unpackZstd(packed, limit);
  if (compression === 'lz4') {
    const { bytes, damage } = decodeLz4Frame(packed, limit);
    // Its blocks are as long as most chunks are: nothing in front of an inconsistency can be told from damage.
    return { records: bytes, isWhole: damage === undefined, isCut: isLz4Cut(damage), blockStart: () => 0 };
  }
  return { records: packed, isWhole: true, isCut: false, blockStart: (offset) => offset };
}

function unpackZstd(packed: Uint8Array, limit: number): PartlyUnpacked {
  const { ends, isAll } = zstdBlockEnds(packed);
  const decode = (blocks: number): Uint8Array | undefined => decodePrefix(packed.subarray(0, ends[blocks]), limit);
  // The most blocks that decode: when n do, all fewer do.
  const blocks = lastThat(ends.length - 1, (count) => decode(count) !== undefined);
  const records = decode(blocks) ?? new Uint8Array(0);
  const whole = wholeFrame(packed, records.length);
  return {
    records: whole ?? records,
    isWhole: whole !== undefined,
    isCut: whole === undefined && isAll && blocks === ends.length - 1,
    blockStart: (offset) =>
      decode(lastThat(blocks, (count) => (decode(count)?.length ?? Number.POSITIVE_INFINITY) <= offset))?.length ?? 0,
  };
}

function wholeFrame(packed: Uint8Array, sizeBytes: number): Uint8Array | undefined {
  try {
    return decompressZstd(packed, BigInt(sizeBytes));
  } catch {
    return undefined;
  }
}

/** The largest count up to `most` for which a condition holds that holds for 0 and, once it fails, for no larger one. */
function lastThat(most: number, holds: (count: number) => boolean): number {
  let low = 0;
  let high = Math.max(0, most);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function decodePrefix(prefix: Uint8Array, limit: number): Uint8Array | undefined {
  try {
    // Flushing instead of finishing: a frame that goes on behind the prefix is no error.
    return zstdDecompressSync(prefix, { finishFlush: constants.ZSTD_e_flush, maxOutputLength: Math.max(1, limit) });
  } catch {
    return undefined;
  }
}

/** Where the blocks of a frame end, as far as their headers lead, and whether they lead to the end of the bytes; the first entry is the end of the frame's header (RFC 8878, 3.1.1). */
function zstdBlockEnds(packed: Uint8Array): { readonly ends: readonly number[]; readonly isAll: boolean } {
  if (packed.length < 6 || viewOf(packed).getUint32(0, true) !== ZSTD_MAGIC) return { ends: [0], isAll: false };
  const descriptor = packed[4] as number;
  const sizeFlag = descriptor >>> 6;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  const ends = [at];
  while (at + ZSTD_BLOCK_HEADER_BYTES <= packed.length) {
    const header = (packed[at] as number) | ((packed[at + 1] as number) << 8) | ((packed[at + 2] as number) << 16);
    const type = (header >>> 1) & 3;
    if (type === ZSTD_BLOCK_RESERVED) return { ends, isAll: false };
    at += ZSTD_BLOCK_HEADER_BYTES + (type === ZSTD_BLOCK_RLE ? 1 : header >>> 3);
    if (at > packed.length) break;
    ends.push(at);
    if ((header & 1) === 1) break;
  }
  return { ends, isAll: true };
}

/** A single flipped bit is told by the CRC: which one makes it right again, or undefined. `byte` is the length for one in the CRC itself. */
export type FlippedBit = { readonly byte: number; readonly bit: number };

/** x^-1 modulo the polynomial of CRC-32, reflected: one step moves the difference that a flipped bit makes to the bit before it. */
const POLYNOMIAL = 0xedb8_8320;

/**
 * Finds the one bit whose flip explains the difference between the bytes and their CRC. For bytes with other damage a bit is found by
 * chance in 8 × length / 2^32 of all cases: 0.2 % for a chunk of 1 MiB.
 */
export function findFlippedBit(bytes: Uint8Array, crc: number): FlippedBit | undefined {
  const difference = (crc32(bytes) ^ crc) >>> 0;
  if (difference === 0) return undefined;
  if ((difference & (difference - 1)) === 0) return { byte: bytes.length, bit: Math.round(Math.log2(difference)) };
  // What a flip of bit 7 of the last byte does to the CRC, then of each bit before it.
  let effect = POLYNOMIAL;
  for (let byte = bytes.length - 1; byte >= 0; byte -= 1) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      if (effect === difference) return { byte, bit };
      effect = ((effect & 1) === 0 ? effect >>> 1 : (effect >>> 1) ^ POLYNOMIAL) >>> 0;
    }
  }
  return undefined;
}
