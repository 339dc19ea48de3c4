/** The records that stand outside the chunks, each encoded whole. */
import { crc32 } from 'node:zlib';
import { MAGIC, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import { RecordEncoder } from './mcap-record-encoder.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';

export type McapAttachment = {
  readonly name: string;
  readonly mediaType: string;
  readonly logTimeNs: bigint;
  readonly createTimeNs: bigint;
  readonly data: Uint8Array;
};

/** The first bytes of a file. */
export function encodeHeader(profile: string, library: string): Uint8Array {
  const encoder = new RecordEncoder().raw(MAGIC).begin(OPCODE.header).text(profile).text(library);
  encoder.end();
  return encoder.bytes;
}

export function encodeMetadata(record: McapMetadataRecord): Uint8Array {
  const encoder = new RecordEncoder().begin(OPCODE.metadata).text(record.name).textMap(record.metadata);
  encoder.end();
  return encoder.bytes;
}

export function encodeAttachment(attachment: McapAttachment): Uint8Array {
  const encoder = new RecordEncoder().begin(OPCODE.attachment);
  encoder.uint64(attachment.logTimeNs).uint64(attachment.createTimeNs).text(attachment.name);
  encoder.text(attachment.mediaType).uint64(attachment.data.length).raw(attachment.data);
  encoder.uint32(crc32(encoder.bytes.subarray(RECORD_HEADER_BYTES))).end();
  return encoder.bytes;
}

/** `crc` is that of all bytes of the file before. */
export function encodeDataEnd(crc: number): Uint8Array {
  const encoder = new RecordEncoder().begin(OPCODE.dataEnd).uint32(crc);
  encoder.end();
  return encoder.bytes;
}
