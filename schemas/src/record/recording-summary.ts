/** What a file says about itself at its end: indexes, statistics, schemas and channels, so that nothing else has to be read. */
import { crc32 } from 'node:zlib';
import { FieldReader, isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, uint64At } from './mcap-bytes.ts';
import {
  FOOTER_FIELD_BYTES,
  type McapAttachmentIndex,
  type McapChannelRecord,
  type McapChunkIndex,
  type McapFooter,
  type McapMetadataIndex,
  type McapSchemaRecord,
  type McapStatistics,
  readAttachmentIndex,
  readChannel,
  readChunkIndex,
  readFooter,
  readMetadataIndex,
  readSchema,
  readStatistics,
} from './mcap-fields.ts';
import type { McapBytes } from './mcap-memory.ts';

/** Largest summary that is read; 64 MiB index some hundred thousand chunks. */
export const SUMMARY_BYTES_MAX = 64 * 1024 * 1024;
/** Footer record and closing magic. */
export const FILE_END_BYTES = RECORD_HEADER_BYTES + FOOTER_FIELD_BYTES + MAGIC.length;

export type RecordingSummary = {
  readonly footer: McapFooter;
  /** Where the footer record begins. */
  readonly footerByte: number;
  /** Whether a CRC vouches for it. */
  readonly hasCrc: boolean;
  readonly statistics: McapStatistics | undefined;
  readonly schemas: ReadonlyMap<number, McapSchemaRecord>;
  readonly channels: ReadonlyMap<number, McapChannelRecord>;
  readonly chunks: readonly McapChunkIndex[];
  readonly attachments: readonly McapAttachmentIndex[];
  readonly metadata: readonly McapMetadataIndex[];
};

export type FileEnd = {
  readonly footer: McapFooter;
  readonly footerByte: number;
  /** The footer record and the closing magic bytes. */
  readonly record: Uint8Array;
};

/** Undefined when the file does not end with a footer and the magic bytes. */
export async function readFooterAtEnd(bytes: McapBytes): Promise<FileEnd | undefined> {
  const footerByte = bytes.sizeBytes - FILE_END_BYTES;
  if (footerByte < MAGIC.length) return undefined;
  const record = await bytes.read(footerByte, FILE_END_BYTES);
  if (record[0] !== OPCODE.footer || !isMagic(record.subarray(FILE_END_BYTES - MAGIC.length))) return undefined;
  if (uint64At(record, 1) !== FOOTER_FIELD_BYTES) return undefined;
  return { footer: readFooter(new FieldReader(record.subarray(RECORD_HEADER_BYTES))), footerByte, record };
}

/** Undefined when the file has no summary, or one that is damaged, or a footer that is not where it ends. */
export async function readRecordingSummary(bytes: McapBytes): Promise<RecordingSummary | undefined> {
  const end = await readFooterAtEnd(bytes);
  if (end === undefined) return undefined;
  const { footer, footerByte, record } = end;
  const start = Number(footer.summaryStart);
  if (start === 0 || start > footerByte || footerByte - start > SUMMARY_BYTES_MAX) return undefined;
  const summary = await bytes.read(start, footerByte - start);
  if (footer.summaryCrc !== 0 && summaryCrc(summary, record) !== footer.summaryCrc) return undefined;
  try {
    return { footer, footerByte, hasCrc: footer.summaryCrc !== 0, ...readSummaryRecords(summary) };
  } catch {
    return undefined;
  }
}

/** Of the summary and the footer up to the CRC itself. */
export function summaryCrc(summary: Uint8Array, footerRecord: Uint8Array): number {
  return crc32(footerRecord.subarray(0, RECORD_HEADER_BYTES + FOOTER_FIELD_BYTES - 4), crc32(summary));
}

type Records = Omit<RecordingSummary, 'footer' | 'footerByte' | 'hasCrc'>;
type Mutable = {
  statistics: McapStatistics | undefined;
  readonly schemas: Map<number, McapSchemaRecord>;
  readonly channels: Map<number, McapChannelRecord>;
  readonly chunks: McapChunkIndex[];
  readonly attachments: McapAttachmentIndex[];
  readonly metadata: McapMetadataIndex[];
};

/** @throws RangeError or FleetError for records that are cut off or do not parse */
export function readSummaryRecords(bytes: Uint8Array): Records {
  const found: Mutable = {
    statistics: undefined,
    schemas: new Map(),
    channels: new Map(),
    chunks: [],
    attachments: [],
    metadata: [],
  };
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + RECORD_HEADER_BYTES;
    const end = start > bytes.length ? Number.POSITIVE_INFINITY : start + uint64At(bytes, offset + 1);
    if (end > bytes.length) throw new RangeError('the summary ends in the middle of a record');
    READERS[bytes[offset] ?? 0]?.(new FieldReader(bytes.subarray(start, end)), found);
    offset = end;
  }
  return found;
}

const READERS: Readonly<Record<number, (fields: FieldReader, found: Mutable) => void>> = {
  [OPCODE.schema]: (fields, found) => {
    const schema = readSchema(fields);
    found.schemas.set(schema.id, schema);
  },
  [OPCODE.channel]: (fields, found) => {
    const channel = readChannel(fields);
    found.channels.set(channel.id, channel);
  },
  [OPCODE.statistics]: (fields, found) => {
    found.statistics = readStatistics(fields);
  },
  [OPCODE.chunkIndex]: (fields, found) => void found.chunks.push(readChunkIndex(fields)),
  [OPCODE.attachmentIndex]: (fields, found) => void found.attachments.push(readAttachmentIndex(fields)),
  [OPCODE.metadataIndex]: (fields, found) => void found.metadata.push(readMetadataIndex(fields)),
};
