/** The fields of each MCAP record as the specification lists them, for those who look at a file itself and not only at its messages. */
import { FieldReader } from './mcap-bytes.ts';

export type McapHeader = { readonly profile: string; readonly library: string };
export type McapFooter = {
  readonly summaryStart: bigint;
  readonly summaryOffsetStart: bigint;
  readonly summaryCrc: number;
};
export type McapSchemaRecord = {
  readonly id: number;
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
};
export type McapChannelRecord = {
  readonly id: number;
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: Map<string, string>;
};
export type McapChunkRecord = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly uncompressedBytes: bigint;
  readonly crc: number;
  readonly compression: string;
  readonly packedBytes: bigint;
};
/** Where a message stands in the unpacked chunk. */
export type McapIndexEntry = { readonly logTimeNs: bigint; readonly offset: bigint };
export type McapMessageIndex = { readonly channelId: number; readonly entries: readonly McapIndexEntry[] };
export type McapChunkIndex = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly chunkOffset: bigint;
  readonly chunkBytes: bigint;
  /** Where the message index of each channel stands in the file. */
  readonly messageIndexOffsets: ReadonlyMap<number, bigint>;
  readonly messageIndexBytes: bigint;
  readonly compression: string;
  readonly packedBytes: bigint;
  readonly uncompressedBytes: bigint;
};
export type McapAttachmentHead = {
  readonly logTimeNs: bigint;
  readonly createTimeNs: bigint;
  readonly name: string;
  readonly mediaType: string;
  readonly dataBytes: bigint;
};
export type McapAttachmentIndex = McapAttachmentHead & { readonly offset: bigint; readonly recordBytes: bigint };
export type McapMetadataIndex = { readonly offset: bigint; readonly recordBytes: bigint; readonly name: string };
export type McapStatistics = {
  readonly messages: bigint;
  readonly schemas: number;
  readonly channels: number;
  readonly attachments: number;
  readonly metadata: number;
  readonly chunks: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly channelMessages: ReadonlyMap<number, bigint>;
};
export type McapSummaryOffset = { readonly groupOpcode: number; readonly start: bigint; readonly bytes: bigint };

/** Bytes of the fields of a footer. */
export const FOOTER_FIELD_BYTES = 20;
const INDEX_ENTRY_BYTES = 16;

export function readHeader(fields: FieldReader): McapHeader {
  return { profile: fields.text(), library: fields.text() };
}

export function readFooter(fields: FieldReader): McapFooter {
  return { summaryStart: fields.uint64(), summaryOffsetStart: fields.uint64(), summaryCrc: fields.uint32() };
}

export function readSchema(fields: FieldReader): McapSchemaRecord {
  const head = { id: fields.uint16(), name: fields.text(), encoding: fields.text() };
  return { ...head, data: fields.bytes(fields.uint32()) };
}

export function readChannel(fields: FieldReader): McapChannelRecord {
  return {
    id: fields.uint16(),
    schemaId: fields.uint16(),
    topic: fields.text(),
    messageEncoding: fields.text(),
    metadata: fields.textMap(),
  };
}

/** All of a chunk but its records, which follow. */
export function readChunkHead(fields: FieldReader): McapChunkRecord {
  return {
    startNs: fields.uint64(),
    endNs: fields.uint64(),
    uncompressedBytes: fields.uint64(),
    crc: fields.uint32(),
    compression: fields.text(),
    packedBytes: fields.uint64(),
  };
}

export function readMessageIndex(fields: FieldReader): McapMessageIndex {
  const channelId = fields.uint16();
  const list = new FieldReader(fields.bytes(fields.uint32()));
  const entries: McapIndexEntry[] = [];
  while (!list.isAtEnd()) entries.push({ logTimeNs: list.uint64(), offset: list.uint64() });
  return { channelId, entries };
}

export function readChunkIndex(fields: FieldReader): McapChunkIndex {
  const times = { startNs: fields.uint64(), endNs: fields.uint64() };
  const place = { chunkOffset: fields.uint64(), chunkBytes: fields.uint64() };
  const messageIndexOffsets = readIds(fields);
  return {
    ...times,
    ...place,
    messageIndexOffsets,
    messageIndexBytes: fields.uint64(),
    compression: fields.text(),
    packedBytes: fields.uint64(),
    uncompressedBytes: fields.uint64(),
  };
}

/** All of an attachment but its data and CRC, which follow. */
export function readAttachmentHead(fields: FieldReader): McapAttachmentHead {
  return {
    logTimeNs: fields.uint64(),
    createTimeNs: fields.uint64(),
    name: fields.text(),
    mediaType: fields.text(),
    dataBytes: fields.uint64(),
  };
}

export function readAttachmentIndex(fields: FieldReader): McapAttachmentIndex {
  return {
    offset: fields.uint64(),
    recordBytes: fields.uint64(),
    logTimeNs: fields.uint64(),
    createTimeNs: fields.uint64(),
    dataBytes: fields.uint64(),
    name: fields.text(),
    mediaType: fields.text(),
  };
}

export function readStatistics(fields: FieldReader): McapStatistics {
  return {
    messages: fields.uint64(),
    schemas: fields.uint16(),
    channels: fields.uint32(),
    attachments: fields.uint32(),
    metadata: fields.uint32(),
    chunks: fields.uint32(),
    startNs: fields.uint64(),
    endNs: fields.uint64(),
    channelMessages: readIds(fields),
  };
}

export function readMetadataIndex(fields: FieldReader): McapMetadataIndex {
  return { offset: fields.uint64(), recordBytes: fields.uint64(), name: fields.text() };
}

export function readSummaryOffset(fields: FieldReader): McapSummaryOffset {
  return { groupOpcode: fields.uint8(), start: fields.uint64(), bytes: fields.uint64() };
}

/** A map of ids of 16 bits to numbers of 64 bits. */
function readIds(fields: FieldReader): Map<number, bigint> {
  const list = new FieldReader(fields.bytes(fields.uint32()));
  const map = new Map<number, bigint>();
  while (!list.isAtEnd()) map.set(list.uint16(), list.uint64());
  return map;
}

/**
 * How many bytes the fields of a record take, or undefined when they do not fit into it. `head` holds at least the first
 * bytes of the content, and all of it unless the record is a chunk, a message or an attachment. A record may be longer than its fields.
 */
export function fieldBytes(opcode: number, head: Uint8Array, contentBytes: number): number | undefined {
  const fields = new FieldReader(head);
  try {
    const bytes = RULES[opcode]?.(fields, contentBytes);
    return bytes !== undefined && bytes <= contentBytes ? bytes : undefined;
  } catch {
    return undefined;
  }
}

type Rule = (fields: FieldReader, contentBytes: number) => number | undefined;

const after =
  (read: (fields: FieldReader) => unknown): Rule =>
  (fields) => {
    read(fields);
    return fields.offset;
  };
/** Lists are checked by their length alone: their entries need not be made. */
const listAfter =
  (skip: (fields: FieldReader) => void, entryBytes: number): Rule =>
  (fields) => {
    skip(fields);
    const length = fields.uint32();
    fields.bytes(length);
    return length % entryBytes === 0 ? fields.offset : undefined;
  };

const CHUNK_HEAD_BYTES_MAX = 64;
const RULES: Readonly<Record<number, Rule>> = {
  0x01: after(readHeader),
  0x02: after(readFooter),
  0x03: (fields) => (readSchema(fields).id === 0 ? undefined : fields.offset),
  0x04: after(readChannel),
  0x05: (_fields, contentBytes) => (contentBytes < MESSAGE_FIELD_BYTES ? undefined : contentBytes),
  0x06: (fields) => {
    const { packedBytes } = readChunkHead(fields);
    return fields.offset > CHUNK_HEAD_BYTES_MAX ? undefined : safeSum(fields.offset, packedBytes);
  },
  0x07: listAfter((fields) => fields.uint16(), INDEX_ENTRY_BYTES),
  0x08: after(readChunkIndex),
  0x09: (fields) => safeSum(0, readAttachmentHead(fields).dataBytes + BigInt(fields.offset + ATTACHMENT_CRC_BYTES)),
  0x0a: after(readAttachmentIndex),
  0x0b: after(readStatistics),
  0x0c: after((fields) => [fields.text(), fields.textMap()]),
  0x0d: after(readMetadataIndex),
  0x0e: after(readSummaryOffset),
  0x0f: after((fields) => fields.uint32()),
};

/** Channel, sequence and two stamps in front of a message's data. */
export const MESSAGE_FIELD_BYTES = 22;
export const ATTACHMENT_CRC_BYTES = 4;

function safeSum(bytes: number, more: bigint): number | undefined {
  return more > BigInt(Number.MAX_SAFE_INTEGER - bytes) ? undefined : bytes + Number(more);
}
