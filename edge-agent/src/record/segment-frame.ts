/**
 * The frames of a segment file of the ring: a header with its own CRC, so that frames can be stepped over without reading them, and a
 * payload with another, so that what a power cut tore or a disk bent is seen before it is used.
 */
import { crc32 } from 'node:zlib';

export const FRAME_HEADER_BYTES = 56;
/** "FLRB" */
const MAGIC = 0x42524c46;
const HEADER_CRC_AT = 52;
/** Largest payload that is believed, bytes. */
export const FRAME_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

export const FRAME_KINDS = { session: 1, channels: 2, context: 3, block: 4, note: 5 } as const;
export type FrameKind = keyof typeof FRAME_KINDS;
const KINDS = new Map<number, FrameKind>([
  [FRAME_KINDS.session, 'session'],
  [FRAME_KINDS.channels, 'channels'],
  [FRAME_KINDS.context, 'context'],
  [FRAME_KINDS.block, 'block'],
  [FRAME_KINDS.note, 'note'],
]);

export type FrameHeader = {
  readonly kind: FrameKind;
  readonly isCompressed: boolean;
  /** Number of the session in this ring. */
  readonly session: number;
  readonly payloadBytes: number;
  /** Bytes of the payload before compression. */
  readonly rawBytes: number;
  /** CRC of a block before compression. */
  readonly rawCrc: number;
  /** Of a block. */
  readonly messages: number;
  /** Number of a block in its session, or of the block that a note is on: one that was written twice, as the first time was not certain, is known by it. */
  readonly block: number;
  readonly earliestNs: bigint;
  readonly latestNs: bigint;
  readonly payloadCrc: number;
};

export function encodeFrame(header: Omit<FrameHeader, 'payloadBytes' | 'payloadCrc'>, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, FRAME_KINDS[header.kind]);
  view.setUint8(5, header.isCompressed ? 1 : 0);
  view.setUint32(8, header.session, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, header.rawBytes, true);
  view.setUint32(20, header.messages, true);
  view.setBigUint64(24, header.earliestNs, true);
  view.setBigUint64(32, header.latestNs, true);
  view.setUint32(40, crc32(payload), true);
  view.setUint32(44, header.block, true);
  view.setUint32(48, header.rawCrc, true);
  view.setUint32(HEADER_CRC_AT, crc32(frame.subarray(0, HEADER_CRC_AT)), true);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Undefined for bytes that are no header, or not the header that was written. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = KINDS.get(view.getUint8(4));
  const isWhole = view.getUint32(HEADER_CRC_AT, true) === crc32(bytes.subarray(0, HEADER_CRC_AT));
  if (view.getUint32(0, true) !== MAGIC || kind === undefined || !isWhole) return undefined;
  const payloadBytes = view.getUint32(12, true);
  const rawBytes = view.getUint32(16, true);
  if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX || rawBytes > FRAME_PAYLOAD_BYTES_MAX) return undefined;
  return {
    kind,
    isCompressed: view.getUint8(5) === 1,
    session: view.getUint32(8, true),
    payloadBytes,
    rawBytes,
    messages: view.getUint32(20, true),
    block: view.getUint32(44, true),
    rawCrc: view.getUint32(48, true),
    earliestNs: view.getBigUint64(24, true),
    latestNs: view.getBigUint64(32, true),
    payloadCrc: view.getUint32(40, true),
  };
}

export const isPayloadOf = ({ payloadBytes, payloadCrc }: FrameHeader, payload: Uint8Array): boolean =>
  payload.length === payloadBytes && crc32(payload) === payloadCrc;
