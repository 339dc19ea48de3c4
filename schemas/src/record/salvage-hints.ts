/** What a salvage knows beside the bytes it looks at: where an index has records, and whether bytes can be a message of their channel. */
import { crc32 } from 'node:zlib';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import {
  fieldBytes,
  type McapChunkIndex,
  MESSAGE_FIELD_BYTES,
  type McapMessageIndex,
  readMessageIndex,
} from './mcap-fields.ts';
import { MCAP_RECORD_HELD_BYTES_MAX } from './mcap-frames.ts';
import { type McapBytes, McapWindow } from './mcap-memory.ts';
import type { RecordingSummary } from './recording-summary.ts';
import type { TimeRange } from './salvage-chunk.ts';
import type { Definitions } from './salvage-definitions.ts';
import { checkSignalValues, SIGNAL_SCHEMA_PREFIX } from './signal-codec.ts';

/** Message indexes behind one chunk: one per channel. */
const MESSAGE_INDEXES_MAX = 65_536;
const CRC_PIECE_BYTES = 1024 * 1024;

/** Where an intact summary has records. */
export function* anchorsOf(summary: RecordingSummary | undefined): Generator<number> {
  if (summary === undefined) return;
  yield Number(summary.footer.summaryStart);
  yield summary.footerByte;
  for (const { chunkOffset, messageIndexOffsets } of summary.chunks) {
    yield Number(chunkOffset);
    for (const offset of messageIndexOffsets.values()) yield Number(offset);
  }
  for (const { offset } of [...summary.attachments, ...summary.metadata]) yield Number(offset);
}

/** The message indexes that stand at a place one behind the other. */
export async function readMessageIndexes(
  bytes: McapBytes,
  from: number,
  endByte: number = bytes.sizeBytes,
): Promise<readonly McapMessageIndex[]> {
  const window = new McapWindow(bytes);
  const found: McapMessageIndex[] = [];
  let offset = from;
  while (offset + RECORD_HEADER_BYTES <= endByte && found.length < MESSAGE_INDEXES_MAX) {
    const header = await window.view(offset, RECORD_HEADER_BYTES);
    if (header[0] !== OPCODE.messageIndex) break;
    const length = Number(new FieldReader(header.subarray(1)).uint64());
    if (length > MCAP_RECORD_HELD_BYTES_MAX || offset + RECORD_HEADER_BYTES + length > endByte) break;
    try {
      found.push(readMessageIndex(new FieldReader(await window.view(offset + RECORD_HEADER_BYTES, length))));
    } catch {
      break;
    }
    offset += RECORD_HEADER_BYTES + length;
  }
  return found;
}

/** The times and the unpacked size of a chunk. */
export type ChunkExtent = Pick<McapChunkIndex, 'startNs' | 'endNs' | 'uncompressedBytes'>;

/** Whether a message index can be one of a chunk: all its messages lie in it. */
export function isIndexOf({ startNs, endNs, uncompressedBytes }: ChunkExtent, content: Uint8Array): boolean {
  const { entries } = readMessageIndex(new FieldReader(content));
  return entries.every(
    ({ logTimeNs, offset }) => logTimeNs >= startNs && logTimeNs <= endNs && offset < uncompressedBytes,
  );
}

/** Whether a record is one of those that the file has: a known channel at a possible time, or a known name under its id. */
// oxlint-disable-next-line eslint/max-params -- what is judged, and by what
export function isFamiliarRecord(
  definitions: Definitions,
  opcode: number,
  head: Uint8Array,
  times: TimeRange | undefined,
): boolean {
  if (opcode === OPCODE.message) {
    if (times === undefined || times.endNs === 0n || times.startNs > times.endNs) return false;
    if (head.length < MESSAGE_FIELD_BYTES) return false;
    const fields = new FieldReader(head);
    if (definitions.channel(fields.uint16()) === undefined) return false;
    fields.uint32();
    const timeNs = fields.uint64();
    return timeNs >= times.startNs && timeNs <= times.endNs;
  }
  if (opcode !== OPCODE.channel && opcode !== OPCODE.schema) return false;
  try {
    const fields = new FieldReader(head);
    const id = fields.uint16();
    if (opcode === OPCODE.schema) return definitions.schema(id)?.name === fields.text();
    fields.uint16();
    return definitions.channel(id)?.topic === fields.text();
  } catch {
    return false;
  }
}

/**
 * Which other record a message outside of chunks is by its fields: one flipped bit makes a header, a channel or a message index one.
 * `before` is the opcode of the record directly in front, undefined at the begin of the file.
 */
export function spoiltOpcodeOf(content: Uint8Array, before: number | undefined): number | undefined {
  const isBehindChunk = before === OPCODE.chunk || before === OPCODE.messageIndex;
  const opcodes = [
    OPCODE.channel,
    ...(before === undefined ? [OPCODE.header] : isBehindChunk ? [OPCODE.messageIndex] : []),
  ];
  return opcodes.find((opcode) => fieldBytes(opcode, content, content.length) === content.length);
}

const TEXT = new TextDecoder('utf-8', { fatal: true });

/** Whether bytes can be a message of their channel, where its coding is one that shows damage. */
export function isDecodable(definitions: Definitions, channelId: number, data: Uint8Array): boolean {
  const channel = definitions.channel(channelId);
  if (channel === undefined) return true;
  const isSignal = definitions.schema(channel.schemaId)?.name.startsWith(SIGNAL_SCHEMA_PREFIX) === true;
  try {
    if (isSignal && channel.metadata.has('signals')) {
      const count = (JSON.parse(channel.metadata.get('signals') ?? '[]') as readonly unknown[]).length;
      checkSignalValues(data, 0, data.length, count);
    } else if (channel.messageEncoding === 'json') JSON.parse(TEXT.decode(data));
    return true;
  } catch {
    return false;
  }
}

/** CRC of the first bytes of a file. */
export async function crcOf(bytes: McapBytes, length: number, signal: AbortSignal | undefined): Promise<number> {
  let crc = 0;
  for (let offset = 0; offset < length; offset += CRC_PIECE_BYTES) {
    signal?.throwIfAborted();
    crc = crc32(await bytes.read(offset, Math.min(CRC_PIECE_BYTES, length - offset)), crc);
  }
  return crc;
}
