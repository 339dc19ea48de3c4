/** Frames on the local socket: 4 bytes of length, little-endian, and as many bytes of message. */
import { FleetError } from '@fleetloop/schemas';

export const FRAME_HEADER_BYTES = 4;
/** A frame that comes in pieces gets this much memory at first and more as its bytes arrive: a length alone costs nothing. */
const FIRST_PIECE_BYTES = 64 * 1_024;

/** Puts the length in front of a message. */
export function toFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length, true);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

/** @param isOwned the bytes are nobody else's and may be kept; otherwise they are only valid during the call */
type FrameListener = (frame: Uint8Array, isOwned: boolean) => void;

/** Cuts a stream of bytes into frames, whatever the pieces that it comes in. */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  #frame: Uint8Array | undefined;
  #frameLength = 0;
  #frameFilled = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Whether a frame has begun and is not complete. */
  get isInside(): boolean {
    return this.#headerFilled > 0;
  }

  /** @throws FleetError PUBLISH_MALFORMED for a length over the maximum or of 0; the stream cannot be read on from there */
  push(chunk: Uint8Array, onFrame: FrameListener): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#headerFilled < FRAME_HEADER_BYTES) {
        this.#header[this.#headerFilled] = chunk[offset] as number;
        this.#headerFilled += 1;
        offset += 1;
        if (this.#headerFilled === FRAME_HEADER_BYTES) this.#begin();
        continue;
      }
      const missing = this.#frameLength - this.#frameFilled;
      if (this.#frameFilled === 0 && chunk.length - offset >= missing) {
        const frame = chunk.subarray(offset, offset + missing);
        offset += missing;
        this.#headerFilled = 0;
        onFrame(frame, false);
        continue;
      }
      offset += this.#fill(chunk.subarray(offset, offset + missing));
      if (this.#frameFilled === this.#frameLength) this.#finish(onFrame);
    }
  }

  #begin(): void {
    this.#frameLength = new DataView(this.#header.buffer).getUint32(0, true);
    this.#frameFilled = 0;
    if (this.#frameLength > 0 && this.#frameLength <= this.#frameBytesMax) return;
    throw new FleetError(
      'PUBLISH_MALFORMED',
      `a frame claims ${this.#frameLength} bytes, 1 to ${this.#frameBytesMax} are allowed: send smaller batches`,
    );
  }

  #fill(piece: Uint8Array): number {
    const needed = this.#frameFilled + piece.length;
    if (this.#frame === undefined || this.#frame.length < needed) {
      const size = Math.min(this.#frameLength, Math.max(FIRST_PIECE_BYTES, needed, this.#frameFilled * 2));
      const grown = new Uint8Array(size);
      if (this.#frame !== undefined) grown.set(this.#frame.subarray(0, this.#frameFilled));
      this.#frame = grown;
    }
    this.#frame.set(piece, this.#frameFilled);
    this.#frameFilled = needed;
    return piece.length;
  }

  #finish(onFrame: FrameListener): void {
    const frame = (this.#frame as Uint8Array).subarray(0, this.#frameLength);
    this.#frame = undefined;
    this.#headerFilled = 0;
    onFrame(frame, true);
  }
}
