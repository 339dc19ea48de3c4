/** What is left of one chunk: all of it when its CRC vouches for it, or the records that are still sound, and what was wrong. */
import { crc32 } from 'node:zlib';
import { malformed, OPCODE, RECORD_HEADER_BYTES, uint64At, viewOf } from './mcap-bytes.ts';
import type { McapChunkIndex, McapChunkRecord, McapMessageIndex } from './mcap-fields.ts';
import { memoryBytes } from './mcap-memory.ts';
import { CHUNK_RATIO_MAX, MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX, unpackBytes } from './mcap-unpack.ts';
import { McapWalk } from './mcap-walk.ts';
import { readHead } from './salvage-chunk-head.ts';
import { findFlippedBit, type FlippedBit, unpackPartly } from './salvage-unpack.ts';

/** A record inside the unpacked chunk: its content is `records` from `start` to `end`. */
export type ChunkSpan = { readonly opcode: number; readonly start: number; readonly end: number };

export type SalvagedChunk = {
  readonly records: Uint8Array;
  readonly spans: readonly ChunkSpan[];
  /** What vouches for the records: their CRC, their CRC after one bit was put right, or nothing. */
  readonly proof: 'crc' | 'repaired' | 'none';
  /** What is wrong with the chunk; undefined for one that is whole. */
  readonly damage: string | undefined;
  /** The bit that was put right, counted in the unpacked records. */
  readonly repaired: FlippedBit | undefined;
  readonly head: McapChunkRecord | undefined;
};

/** Times in which messages must lie, ns. */
export type TimeRange = { readonly startNs: bigint; readonly endNs: bigint };

export type ChunkHints = {
  /** What an intact summary says of it. */
  readonly index: McapChunkIndex | undefined;
  /** Reads the message indexes that follow it; asked only when it is damaged. */
  readonly messages: () => Promise<readonly McapMessageIndex[]>;
  /** Whether a record that stands between damage is beyond doubt; messages by their time too. */
  readonly isFamiliar: (opcode: number, head: Uint8Array, times: TimeRange | undefined) => boolean;
  /** Whether a schema or channel is known to be another. */
  readonly isContradicted: (opcode: number, content: Uint8Array) => boolean;
  /** Whether the data of a message can be that of its channel; asked only where nothing vouches for it. */
  readonly isDecodable: (channelId: number, data: Uint8Array) => boolean;
};

/** All of a chunk that its CRC vouches for, be it after one bit was put right, or that has no CRC and fits together; else undefined. */
export function proveChunk(content: Uint8Array, index: McapChunkIndex | undefined): SalvagedChunk | undefined {
  const { head, packed, problem } = readHead(content, index);
  const { records, damage } = unpackAny(packed, head);
  const isWhole = damage === undefined && problem === undefined;
  if (head.crc === 0 ? !isWhole : crc32(records) !== head.crc) return repair(records, head);
  const spans = spansOf(records);
  if (spans === undefined) return repair(records, head);
  const proof = head.crc === 0 ? 'none' : 'crc';
  return { records, spans, proof, damage: problem, repaired: undefined, head };
}

/**
 * What is left of a chunk that is not proven. `content` reaches up to where the file goes on, whatever the chunk claims; `isShort` says that
 * bytes are missing in it.
 */
export async function salvageChunk(content: Uint8Array, isShort: boolean, hints: ChunkHints): Promise<SalvagedChunk> {
  const { head, packed, start, problem } = readHead(content, hints.index);
  const unpacked = unpackAny(head.compression === '' ? content.subarray(start) : packed, head);
  const damage = unpacked.damage ?? problem ?? 'the CRC of a chunk differs';
  return salvageRecords({ ...unpacked, head, hints, damage, isShort });
}

type Unpacked = {
  readonly records: Uint8Array;
  readonly damage: string | undefined;
  /** Whether the packed bytes came to their regular end. */
  readonly isWhole: boolean;
  readonly isCut: boolean;
  readonly blockStart: (offset: number) => number;
};

function unpackAny(packed: Uint8Array, { compression, uncompressedBytes }: McapChunkRecord): Unpacked {
  try {
    const records = unpackBytes(packed, compression, uncompressedBytes);
    if (BigInt(records.length) !== uncompressedBytes)
      throw malformed(`a chunk names ${uncompressedBytes} bytes but unpacks to ${records.length}`);
    const blockStart = compression === '' ? (offset: number): number => offset : lazyBlocks(packed, compression);
    return { records, damage: undefined, isWhole: true, isCut: false, blockStart };
  } catch (cause) {
    const damage = cause instanceof Error ? cause.message : String(cause);
    // What it claims does not bind here, but what its bytes may become stays bounded.
    const sizeMax = Math.min(MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX, Math.max(1024 * 1024, packed.length * CHUNK_RATIO_MAX));
    return { ...unpackPartly(packed, compression, sizeMax), damage };
  }
}

function lazyBlocks(packed: Uint8Array, compression: string): (offset: number) => number {
  return (offset) => unpackPartly(packed, compression, MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX).blockStart(offset);
}

function repair(records: Uint8Array, head: McapChunkRecord): SalvagedChunk | undefined {
  if (head.crc === 0) return undefined;
  const repaired = findFlippedBit(records, head.crc);
  if (repaired === undefined) return undefined;
  const mended = Uint8Array.from(records);
  if (repaired.byte < records.length) mended[repaired.byte] = (mended[repaired.byte] as number) ^ (1 << repaired.bit);
  const spans = spansOf(mended);
  if (spans === undefined) return undefined;
  return { records: mended, spans, proof: 'repaired', damage: 'one bit of a chunk was flipped', repaired, head };
}

/** The records of a chunk when they fill it from end to end, as a writer makes them. */
export function spansOf(records: Uint8Array): readonly ChunkSpan[] | undefined {
  const spans: ChunkSpan[] = [];
  for (let offset = 0; offset < records.length; ) {
    const start = offset + RECORD_HEADER_BYTES;
    if (start > records.length) return undefined;
    const end = start + uint64At(records, offset + 1);
    const opcode = records[offset] as number;
    if (end > records.length || opcode < OPCODE.schema || opcode > OPCODE.message) return undefined;
    spans.push({ opcode, start, end });
    offset = end;
  }
  return spans;
}

type Damaged = Unpacked & {
  readonly head: McapChunkRecord;
  readonly hints: ChunkHints;
  readonly damage: string;
  readonly isShort: boolean;
};

async function salvageRecords(chunk: Damaged): Promise<SalvagedChunk> {
  const { records, head, hints, damage } = chunk;
  const isPacked = head.compression !== '';
  // Plain bytes are damaged where they are damaged, and an index that disagrees may be the one that is. Unpacked ones need the witness.
  const indexes = isPacked ? await hints.messages() : [];
  const expected = new Map(
    indexes.flatMap(({ channelId, entries }) =>
      entries.map(({ offset, logTimeNs }) => [Number(offset), { channelId, logTimeNs }] as const),
    ),
  );
  const indexed = new Set(indexes.map(({ channelId }) => channelId));
  const walk = new McapWalk(memoryBytes(records), {
    region: 'chunk',
    anchors: expected.keys(),
    isFamiliar: (opcode, bytes) => hints.isFamiliar(opcode, bytes, hints.index ?? head),
  });
  const spans: ChunkSpan[] = [];
  let firstWrong: number | undefined;
  for await (const item of walk.items()) {
    const span = item.kind === 'record' ? toSpan(item.offset, item.recordBytes, item.opcode) : undefined;
    const isRight = span !== undefined && isAsExpected(span, records, { expected, indexed, hints });
    // A record that is not what it should be may have swallowed others.
    if (item.kind === 'record' && !isPacked) {
      const isWrong = !isRight || hints.isContradicted(item.opcode, await walk.content(item));
      if (isWrong) await walk.enter(item);
    }
    if (isRight) spans.push(span);
    else firstWrong ??= item.kind === 'record' ? item.offset : item.kind === 'damage' ? item.fromByte : records.length;
  }
  const limit = isPacked ? limitOfPacked(chunk, spans, firstWrong) : records.length;
  return { records, spans: spans.filter(({ end }) => end <= limit), proof: 'none', damage, repaired: undefined, head };
}

/**
 * Up to where compressed bytes are believed: damage that shows somewhere may have begun anywhere in the same block, and damage
 * that shows nowhere may be everywhere. Bytes that only end too early are as they were.
 */
function limitOfPacked(chunk: Damaged, spans: readonly ChunkSpan[], firstWrong: number | undefined): number {
  const { records, isWhole, isCut, isShort, blockStart, head } = chunk;
  const isSoundToTheEnd = firstWrong === undefined || firstWrong >= lastRecordOf(records);
  // What lz4 unpacks up to missing bytes is as it was. They are missing in front of the first wrong record, maybe in the one before it.
  if (isShort && head.compression === 'lz4')
    return spans.findLast(({ end }) => end <= (firstWrong ?? records.length))?.start ?? 0;
  if (isCut || (!isWhole && head.compression === 'zstd'))
    return isSoundToTheEnd ? records.length : blockStart(firstWrong);
  if (firstWrong !== undefined) return blockStart(firstWrong);
  return isWhole && head.crc === 0 ? records.length : 0;
}

/** Where the record begins that the end of the bytes cuts off. */
function lastRecordOf(records: Uint8Array): number {
  let offset = 0;
  while (offset + RECORD_HEADER_BYTES <= records.length) {
    const end = offset + RECORD_HEADER_BYTES + uint64At(records, offset + 1);
    if (end > records.length) break;
    offset = end;
  }
  return offset;
}

function toSpan(offset: number, recordBytes: number, opcode: number): ChunkSpan {
  return { opcode, start: offset + RECORD_HEADER_BYTES, end: offset + recordBytes };
}

type Expectation = {
  readonly expected: ReadonlyMap<number, { readonly channelId: number; readonly logTimeNs: bigint }>;
  readonly indexed: ReadonlySet<number>;
  readonly hints: ChunkHints;
};

/** A message must be the one that the message index has there, if there is an index of its channel. */
function isAsExpected(
  { opcode, start, end }: ChunkSpan,
  records: Uint8Array,
  { expected, indexed, hints }: Expectation,
): boolean {
  const entry = expected.get(start - RECORD_HEADER_BYTES);
  if (opcode !== OPCODE.message) return entry === undefined;
  const view = viewOf(records);
  const channelId = view.getUint16(start, true);
  if (entry === undefined ? indexed.has(channelId) : entry.channelId !== channelId) return false;
  if (entry !== undefined && entry.logTimeNs !== view.getBigUint64(start + 6, true)) return false;
  return hints.isDecodable(channelId, records.subarray(start + 22, end));
}
