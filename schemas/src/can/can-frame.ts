/** The protobuf bytes of `fleetloop.capture.CanFrame`, written by hand because a bus carries thousands of frames a second. */

/** One frame as it was on the bus. */
export type CanFrame = {
  /** Bus number of the source; 128 and above are frames that the recording device sent itself. */
  readonly bus: number;
  /** 11 or 29 bits. */
  readonly id: number;
  /** Sum of `CAN_FLAG`; an id over 11 bits is extended with or without its flag. */
  readonly flags?: number;
  /** Length that a remote frame asks for. */
  readonly remoteSizeBytes?: number;
  /** As on the bus, as far as the source tells; a source that loses the length says so in its mapping. */
  readonly data: Uint8Array;
};

/** Full name of the protobuf message. */
export const CAN_FRAME_SCHEMA_NAME = 'fleetloop.capture.CanFrame';
/** Longest payload: CAN FD. */
export const CAN_FRAME_DATA_BYTES_MAX = 64;

/** What `flags` adds up: kinds of frames, and the bits of CAN FD. */
export const CAN_FLAG = { extended: 1, remote: 2, error: 4, fd: 8, bitRateSwitch: 16, errorState: 32 } as const;
/** Largest id that fits in a standard frame. */
export const CAN_STANDARD_ID_MAX = 0x7ff;

const TAG_BUS = 0x08;
const TAG_ID = 0x10;
const TAG_DATA = 0x1a;
const TAG_FLAGS = 0x20;
const TAG_REMOTE_SIZE = 0x28;
const VARINT_BYTES_MAX = 5;

/** Encodes `message CanFrame { uint32 bus = 1; uint32 id = 2; bytes data = 3; uint32 flags = 4; uint32 remote_size_bytes = 5; }`. */
export function encodeCanFrame(frame: CanFrame): Uint8Array {
  const bytes = new Uint8Array(5 + 4 * VARINT_BYTES_MAX + 1 + frame.data.length);
  let end = writeField(bytes, 0, TAG_BUS, frame.bus);
  end = writeField(bytes, end, TAG_ID, frame.id);
  if (frame.data.length > 0) {
    bytes[end] = TAG_DATA;
    bytes[end + 1] = frame.data.length;
    bytes.set(frame.data, end + 2);
    end += 2 + frame.data.length;
  }
  end = writeField(bytes, end, TAG_FLAGS, frame.flags ?? 0);
  end = writeField(bytes, end, TAG_REMOTE_SIZE, frame.remoteSizeBytes ?? 0);
  return bytes.subarray(0, end);
}

/** Proto3 leaves zeros out. */
function writeField(bytes: Uint8Array, start: number, tag: number, value: number): number {
  if (value === 0) return start;
  bytes[start] = tag;
  return writeVarint(bytes, start + 1, value);
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
