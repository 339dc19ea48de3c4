/** The head of a chunk that may be damaged: as it stands, or mended by the index and by how packed bytes begin. */
import { crc32 } from 'node:zlib';
import { FieldReader, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import { type McapChunkIndex, type McapChunkRecord, readChunkHead } from './mcap-fields.ts';
import { unpackBytes } from './mcap-unpack.ts';
import { LZ4_MAGIC, ZSTD_MAGIC } from './salvage-unpack.ts';

export type ChunkHead = {
  readonly head: McapChunkRecord;
  /** As long as the head says. */
  readonly packed: Uint8Array;
  /** Where the packed records begin in the content. */
  readonly start: number;
  readonly problem: string | undefined;
};

const COMPRESSION_NAMES: ReadonlySet<string> = new Set(['', 'zstd', 'lz4']);
/** Where the packed records begin behind a compression name of so many bytes. */
const packedAt = (nameBytes: number): number => 40 + nameBytes;

/** `content` is that of the chunk record, or as much of it as the file has. */
export function readHead(content: Uint8Array, index: McapChunkIndex | undefined): ChunkHead {
  try {
    const fields = new FieldReader(content);
    const head = readChunkHead(fields);
    const start = fields.offset;
    const length = Number(head.packedBytes);
    if (COMPRESSION_NAMES.has(head.compression)) {
      if (head.compression === '' && isMisled(head, content.length - start))
        return { head, packed: content.subarray(start), start, problem: 'the head of a chunk is damaged' };
      const packed = content.subarray(start, start + length);
      const problem = packed.length < length ? `a chunk of ${length} bytes ends after ${packed.length}` : undefined;
      return { head, packed, start, problem };
    }
  } catch {
    // A field leads out of the record: the head is read by its shape.
  }
  const compression = index?.compression ?? guessCompression(content);
  const start = packedAt(compression.length);
  const packed = content.subarray(start, index === undefined ? undefined : start + Number(index.packedBytes));
  const view = viewOf(content);
  const hasHead = content.length >= packedAt(0);
  const head: McapChunkRecord = {
    startNs: index?.startNs ?? 0n,
    endNs: index?.endNs ?? 0n,
    uncompressedBytes: index?.uncompressedBytes ?? (hasHead ? view.getBigUint64(16, true) : 0n),
    crc: hasHead ? view.getUint32(24, true) : 0,
    compression,
    packedBytes: BigInt(packed.length),
  };
  return { head, packed, start, problem: 'the head of a chunk is damaged' };
}

/** Plain records are as long packed as unpacked; a chunk without any does not carry the bytes of some. */
function isMisled({ packedBytes, uncompressedBytes }: McapChunkRecord, restBytes: number): boolean {
  return packedBytes !== uncompressedBytes || (packedBytes === 0n && restBytes >= RECORD_HEADER_BYTES);
}

function guessCompression(content: Uint8Array): string {
  const wordAt = (offset: number): number =>
    offset + 4 > content.length ? 0 : viewOf(content).getUint32(offset, true);
  if (wordAt(packedAt('zstd'.length)) === ZSTD_MAGIC) return 'zstd';
  return wordAt(packedAt('lz4'.length)) === LZ4_MAGIC ? 'lz4' : '';
}

/** Whether bytes are those of a chunk whose own CRC vouches for them: nothing else is by chance. */
export function isProvenChunk(content: Uint8Array): boolean {
  try {
    const fields = new FieldReader(content);
    const head = readChunkHead(fields);
    if (head.crc === 0 || !COMPRESSION_NAMES.has(head.compression)) return false;
    const packed = content.subarray(fields.offset, fields.offset + Number(head.packedBytes));
    return crc32(unpackBytes(packed, head.compression, head.uncompressedBytes)) === head.crc;
  } catch {
    return false;
  }
}
