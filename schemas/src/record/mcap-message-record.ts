/** One MCAP Message record in memory of the caller: the layout that a ring of messages and a recording share, so that a run of them is copied. */
import { OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';

/** Opcode, length, channel, sequence and two stamps: everything in front of the data. */
export const MESSAGE_RECORD_HEADER_BYTES = 31;
/** Most bytes of data in one message; far below the largest chunk that a reader accepts. */
export const MESSAGE_DATA_BYTES_MAX = 32 * 1024 * 1024;
/** Where the fields stand in the record. */
export const MESSAGE_FIELD = { length: 1, channelId: 9, sequence: 11, logTime: 15, publishTime: 23 } as const;

export type MessageRecordHeader = {
  readonly channelId: number;
  readonly sequence: number;
  readonly logTimeNs: bigint;
  readonly publishTimeNs: bigint;
};

/** Memory for records: the same bytes twice, as making either from the other for each message would be garbage. */
export type RecordMemory = { readonly bytes: Uint8Array; readonly view: DataView };

/** Bytes of the whole record of a message. */
export function messageRecordSize(dataBytes: number): number {
  return MESSAGE_RECORD_HEADER_BYTES + dataBytes;
}

/** Writes all of a record but its data, which the caller puts at `offset + MESSAGE_RECORD_HEADER_BYTES`. Makes no garbage. */
export function writeMessageRecordHeader(
  view: DataView,
  offset: number,
  header: MessageRecordHeader,
  dataBytes: number,
): void {
  view.setUint8(offset, OPCODE.message);
  view.setUint32(offset + MESSAGE_FIELD.length, MESSAGE_RECORD_HEADER_BYTES - RECORD_HEADER_BYTES + dataBytes, true);
  view.setUint32(offset + MESSAGE_FIELD.length + 4, 0, true);
  view.setUint16(offset + MESSAGE_FIELD.channelId, header.channelId, true);
  view.setUint32(offset + MESSAGE_FIELD.sequence, header.sequence, true);
  view.setBigUint64(offset + MESSAGE_FIELD.logTime, header.logTimeNs, true);
  view.setBigUint64(offset + MESSAGE_FIELD.publishTime, header.publishTimeNs, true);
}

/** Writes a whole record at `offset` and returns the offset behind it. The memory must have `messageRecordSize(data.length)` bytes there. */
export function writeMessageRecord(
  memory: RecordMemory,
  offset: number,
  header: MessageRecordHeader,
  data: Uint8Array,
): number {
  writeMessageRecordHeader(memory.view, offset, header, data.length);
  memory.bytes.set(data, offset + MESSAGE_RECORD_HEADER_BYTES);
  return offset + MESSAGE_RECORD_HEADER_BYTES + data.length;
}

/**
 * Four bytes as an integer of 32 bits, negative from 2^31 on; an Uint32Array stores it right. By bytes and not by DataView: the
 * agent runs without V8's larger compiler, and the smaller one calls out for each DataView access.
 */
export function uint32At(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  );
}

export function uint16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
}
