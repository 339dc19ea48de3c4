/** What an MCAP file says up front: from its summary when it has one, or else from its first records. */
import { FieldReader, isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, viewOf } from '../record/mcap-bytes.ts';
import type { McapMetadataRecord } from '../record/recording-metadata.ts';
import { type McapChannels, readMcapMetadata } from './mcap-channels.ts';
import { readMcapRecords } from './mcap-records.ts';
import type { SourceFiles } from './source-files.ts';

/** Largest summary that is read for the description. */
const SUMMARY_BYTES_MAX = 32 * 1024 * 1024;
/** How far into a file without a usable summary its description looks. */
const PRELUDE_BYTES_MAX = 4 * 1024 * 1024;
const METADATA_RECORDS_MAX = 64;
const METADATA_BYTES_MAX = 1024 * 1024;
/** Footer record and closing magic. */
const END_BYTES = RECORD_HEADER_BYTES + 20 + MAGIC.length;
const ATTACHMENT_INDEX_OPCODE = 0x0a;
const METADATA_INDEX_OPCODE = 0x0d;

export type McapStart = {
  readonly metadata: readonly McapMetadataRecord[];
  /** Names of attachments, as far as the summary has them. */
  readonly attachments: readonly string[];
};

type Options = { readonly path: string; readonly fileName: string; readonly files: SourceFiles };

/**
 * Declares the channels of a file and gives its metadata. A file that is damaged or not whole gives what it can: the damage comes up
 * where it is, when the messages are read.
 */
export async function readMcapStart(options: Options, channels: McapChannels): Promise<McapStart> {
  const summary = await readSummary(options, channels).catch(() => undefined);
  if (summary !== undefined && channels.list().length > 0) return summary;
  const prelude = await readPrelude(options, channels);
  return summary === undefined || summary.metadata.length === 0 ? prelude : summary;
}

async function readSummary({ path, files }: Options, channels: McapChannels): Promise<McapStart | undefined> {
  const sizeBytes = await files.sizeOf(path);
  if (sizeBytes === undefined || sizeBytes < END_BYTES + MAGIC.length) return undefined;
  const end = await files.readRange(path, sizeBytes - END_BYTES, END_BYTES);
  if (end[0] !== OPCODE.footer || !isMagic(end.subarray(END_BYTES - MAGIC.length))) return undefined;
  const start = Number(viewOf(end).getBigUint64(RECORD_HEADER_BYTES, true));
  const length = sizeBytes - END_BYTES - start;
  if (start === 0 || length <= 0 || length > SUMMARY_BYTES_MAX) return undefined;
  const found = readSummaryRecords(await files.readRange(path, start, length), channels);
  const metadata: McapMetadataRecord[] = [];
  for (const { offset, sizeBytes: recordBytes } of found.metadata) {
    if (recordBytes > METADATA_BYTES_MAX || recordBytes < RECORD_HEADER_BYTES) continue;
    const record = await files.readRange(path, offset, recordBytes);
    if (record[0] === OPCODE.metadata) metadata.push(readMcapMetadata(record.subarray(RECORD_HEADER_BYTES)));
  }
  return { metadata, attachments: found.attachments };
}

type SummaryRecords = {
  readonly metadata: { readonly offset: number; readonly sizeBytes: number }[];
  readonly attachments: string[];
};

function readSummaryRecords(bytes: Uint8Array, channels: McapChannels): SummaryRecords {
  const found: SummaryRecords = { metadata: [], attachments: [] };
  const view = viewOf(bytes);
  for (let offset = 0; offset + RECORD_HEADER_BYTES <= bytes.length; ) {
    const start = offset + RECORD_HEADER_BYTES;
    const end = start + Number(view.getBigUint64(offset + 1, true));
    const content = bytes.subarray(start, end);
    const opcode = bytes[offset];
    if (opcode === OPCODE.schema) channels.declareSchema(content);
    if (opcode === OPCODE.channel) channels.declareChannel(content);
    if (opcode === METADATA_INDEX_OPCODE && found.metadata.length < METADATA_RECORDS_MAX) {
      const fields = new FieldReader(content);
      found.metadata.push({ offset: Number(fields.uint64()), sizeBytes: Number(fields.uint64()) });
    }
    if (opcode === ATTACHMENT_INDEX_OPCODE && found.attachments.length < METADATA_RECORDS_MAX) {
      const fields = new FieldReader(content);
      fields.bytes(40);
      found.attachments.push(fields.text());
    }
    offset = end;
  }
  return found;
}

/** The records up to the first message behind the first few megabytes. Damage ends it without a word. */
async function readPrelude({ path, fileName, files }: Options, channels: McapChannels): Promise<McapStart> {
  const metadata: McapMetadataRecord[] = [];
  try {
    for await (const { opcode, content, byte } of readMcapRecords(files.read(path), fileName)) {
      if (opcode === OPCODE.schema) channels.declareSchema(content);
      else if (opcode === OPCODE.channel) channels.declareChannel(content);
      else if (opcode === OPCODE.metadata && metadata.length < METADATA_RECORDS_MAX)
        metadata.push(readMcapMetadata(content));
      if (byte > PRELUDE_BYTES_MAX) break;
    }
  } catch {
    return { metadata, attachments: [] };
  }
  return { metadata, attachments: [] };
}
