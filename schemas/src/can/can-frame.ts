/** The protobuf bytes of `fleetloop.capture.CanFrame`, written by hand because a bus carries thousands of frames a second. */

/** One frame as it was on the bus. */
export type CanFrame = {
  /** Bus number of the source; 128 and above are frames that the recording device sent itself. */
  readonly bus: number;
  /** 11 or 29 bits. */
  readonly id: number;
  /** As on the bus, as far as the source tells; a source that loses the length says so in its mapping. */
  readonly data: Uint8Array;
};

/** Full name of the protobuf message. */
export const CAN_FRAME_SCHEMA_NAME = 'fleetloop.capture.CanFrame';
/** Longest payload: CAN FD. */
export const CAN_FRAME_DATA_BYTES_MAX = 64;

const TAG_BUS = 0x08;
const TAG_ID = 0x10;
const TAG_DATA = 0x1a;
const VARINT_BYTES_MAX = 5;

/** Encodes `message CanFrame { uint32 bus = 1; uint32 id = 2; bytes data = 3; }`. */
export function encodeCanFrame(frame: CanFrame): Uint8Array {
  const bytes = new Uint8Array(3 + 2 * VARINT_BYTES_MAX + 1 + frame.data.length);
  let end = 0;
  if (frame.bus !== 0) {
    bytes[end] = TAG_BUS;
    end = writeVarint(bytes, end + 1, frame.bus);
  }
  if (frame.id !== 0) {
    bytes[end] = TAG_ID;
    end = writeVarint(bytes, end + 1, frame.id);
  }
  if (frame.data.length > 0) {
    bytes[end] = TAG_DATA;
    bytes[end + 1] = frame.data.length;
    bytes.set(frame.data, end + 2);
    end += 2 + frame.data.length;
  }
  return bytes.subarray(0, end);
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let rest = value >>> 0;
  let end = start;
  while (rest > 0x7f) {
    bytes[end] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    end += 1;
  }
  bytes[end] = rest;
  return end + 1;
}
