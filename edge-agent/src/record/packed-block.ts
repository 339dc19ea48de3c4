/**
 * A sealed block as one chunk of a recording will hold it: compressed and summed once, in the system's threads, for the disk of the
 * ring and for every event that needs the whole block.
 */
import { promisify } from 'node:util';
import { crc32, zstdDecompress } from 'node:zlib';
import { ChunkCompressor } from '@fleetloop/schemas/recording';

const decompressAsync = promisify(zstdDecompress);
/** zstd's own default, and that of the chunks that a recording makes itself. */
const LEVEL = 3;
/** Blocks are small: a window of their size, 2^18 bytes, finds all that repeats and takes a tenth of the memory. */
const WINDOW_LOG = 18;
/** Of a block that is filled less, the rest is given back. */
const USED_SHARE_MIN = 7 / 8;
/** zlib wants at least so much for its output. */
const OUTPUT_BYTES_MIN = 64;

export type PackedBlock = {
  readonly compression: '' | 'zstd';
  readonly bytes: Uint8Array;
  /** CRC of `bytes`. */
  readonly crc: number;
  /** Of the records before compression. */
  readonly rawBytes: number;
  readonly rawCrc: number;
};

/** Compresses blocks. Its contexts and their memory are kept for the next ones. */
export class BlockPacker {
  readonly #compressor = new ChunkCompressor({ level: LEVEL, windowLog: WINDOW_LOG });

  /** The records must stay as they are; those that do not shrink are not copied, unless that frees memory. */
  async pack(records: Uint8Array): Promise<PackedBlock> {
    const rawCrc = crc32(records);
    const raw = { rawBytes: records.length, rawCrc };
    const compressed = await this.#compressor.compress(records);
    if (compressed === undefined) return { compression: '', bytes: trimmed(records), crc: rawCrc, ...raw };
    const bytes = joined(compressed);
    return { compression: 'zstd', bytes, crc: crc32(bytes), ...raw };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return bytes;
}

function trimmed(records: Uint8Array): Uint8Array {
  return records.length < records.buffer.byteLength * USED_SHARE_MIN ? records.slice() : records;
}

/** The records; never more than were packed. @throws zlib's own errors */
export async function unpackRecords({
  compression,
  bytes,
  rawBytes,
}: Pick<PackedBlock, 'compression' | 'bytes' | 'rawBytes'>): Promise<Uint8Array> {
  if (compression === '') return bytes;
  return decompressAsync(bytes, {
    maxOutputLength: Math.max(1, rawBytes),
    chunkSize: Math.max(OUTPUT_BYTES_MIN, rawBytes),
  });
}
