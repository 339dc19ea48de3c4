/**
 * The layout of an MCAP Message record (opcode 0x05), in which messages wait in the ring: what is written into a recording later
 * is a copy of bytes, and no number is encoded twice.
 */
import type { SourceMessage } from '@fleetloop/schemas';
import { encodeSignalValuesInto, SIGNAL_BYTES_MAX } from '@fleetloop/schemas/recording';

const OPCODE_MESSAGE = 0x05;
const LENGTH_AT = 1;
/** Opcode and length. */
const PREFIX_BYTES = 9;
const CHANNEL_AT = 9;
const SEQUENCE_AT = 11;
const LOG_TIME_AT = 15;
const PUBLISH_TIME_AT = 23;
/** Bytes of a record in front of its data. */
export const RECORD_HEADER_BYTES = 31;
const HIGH_WORD = 2 ** 32;

/** Times of one session as distances from its first stamp: doubles are exact over 104 days and cost no garbage. */
export type TimeBase = { readonly ns: bigint; readonly high: number; readonly low: number };

export function timeBaseOf(ns: bigint): TimeBase {
  return { ns, high: Number(ns >> 32n), low: Number(ns & 0xffff_ffffn) };
}

export const offsetOf = (base: TimeBase, ns: bigint): number => Number(ns - base.ns);
export const timeAt = (base: TimeBase, offset: number): bigint => base.ns + BigInt(offset);

/** Most bytes that a message takes as a record. */
export function recordBytesMax(message: SourceMessage): number {
  const dataBytes = message.kind === 'signal' ? message.values.length * SIGNAL_BYTES_MAX : message.data.length;
  return RECORD_HEADER_BYTES + dataBytes;
}

/** Writes a message at `at`, where there must be room for `recordBytesMax`; returns the offset behind it. */
export function writeRecord(bytes: Uint8Array, view: DataView, at: number, message: NumberedMessage): number {
  const { channelId, message: each } = message;
  let end = at + RECORD_HEADER_BYTES;
  if (each.kind === 'signal') end = encodeSignalValuesInto(each.values, view, end);
  else {
    bytes.set(each.data, end);
    end += each.data.length;
  }
  view.setUint8(at, OPCODE_MESSAGE);
  view.setUint32(at + LENGTH_AT, end - at - PREFIX_BYTES, true);
  view.setUint32(at + LENGTH_AT + 4, 0, true);
  view.setUint16(at + CHANNEL_AT, channelId, true);
  view.setUint32(at + SEQUENCE_AT, each.sequence >>> 0, true);
  view.setBigUint64(at + LOG_TIME_AT, each.logTimeNs, true);
  view.setBigUint64(at + PUBLISH_TIME_AT, each.publishTimeNs, true);
  return end;
}

/** One object for all messages that pass through a block, so that nothing is left to collect. */
export type NumberedMessage = { channelId: number; message: SourceMessage };

/** Where the record behind the one at `at` begins. */
export const recordEnd = (view: DataView, at: number): number =>
  at + PREFIX_BYTES + view.getUint32(at + LENGTH_AT, true);

export const recordChannelId = (view: DataView, at: number): number => view.getUint16(at + CHANNEL_AT, true);
export const recordSequence = (view: DataView, at: number): number => view.getUint32(at + SEQUENCE_AT, true);
export const recordTimeNs = (view: DataView, at: number): bigint => view.getBigUint64(at + LOG_TIME_AT, true);

export const recordPublishTimeNs = (view: DataView, at: number): bigint =>
  view.getBigUint64(at + PUBLISH_TIME_AT, true);

/** The record's logTime without a bigint. */
export function recordOffset(view: DataView, at: number, base: TimeBase): number {
  const high = view.getUint32(at + LOG_TIME_AT + 4, true) - base.high;
  return high * HIGH_WORD + (view.getUint32(at + LOG_TIME_AT, true) - base.low);
}

/** Moves a copied record to another logTime; its own goes into publishTime. */
export function moveRecordTo(view: DataView, at: number, logTimeNs: bigint): void {
  view.setBigUint64(at + PUBLISH_TIME_AT, recordTimeNs(view, at), true);
  view.setBigUint64(at + LOG_TIME_AT, logTimeNs, true);
}

/** Whether `bytes` is a run of whole records; what comes from a disk is looked at before it is trusted. */
export function areWholeRecords(bytes: Uint8Array, view: DataView): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < RECORD_HEADER_BYTES || bytes[at] !== OPCODE_MESSAGE) return false;
    if (view.getUint32(at + LENGTH_AT + 4, true) !== 0) return false;
    const end = recordEnd(view, at);
    if (end < at + RECORD_HEADER_BYTES) return false;
    at = end;
  }
  return at === bytes.length;
}
