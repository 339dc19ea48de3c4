/**
 * Why: a camera that hangs sends its last frame again, with new stamps, and one that is starved sends frames without an end. Both are seen
 * without decoding: no two frames of a real scene share their bytes, and a JPEG has marks at both ends. Hot path: only a few bytes are read.
 */
import { crc32 } from 'node:zlib';
import type { OpaqueChannel } from '@fleetloop/schemas';
import type { Place } from './topic-timing.ts';

const IMAGE_TYPE = /image/i;
/** Pixels may look like marks of a JPEG. */
const COMPRESSED_TYPE = /compressed/i;
/** Messages below this are settings of a camera, not frames. */
const FRAME_BYTES_MIN = 1_024;
/** Bytes in the middle that are compared: headers with stamps lie at the ends. */
const COMPARED_BYTES_MAX = 65_536;
/** Fields before a picture, and behind it. */
const HEAD_BYTES = 512;
const TAIL_BYTES = 256;
const JPEG_START = Buffer.from([0xff, 0xd8, 0xff]);
const JPEG_END = Buffer.from([0xff, 0xd9]);
const JPEG_BASE64 = Buffer.from('"/9j/');
/** As many bytes as TAIL_BYTES, as text. */
const TAIL_CHARACTERS = 344;
const QUOTE = 0x22;

export class ImageWatch {
  /** Frames that are no whole picture, of a topic that sends JPEG. */
  broken = 0;
  firstBrokenNs = Number.NaN;
  lastBrokenNs = Number.NaN;
  /** The most frames in a row with the same bytes. */
  longest: (Place & { readonly frames: number }) | undefined;
  /** Frames that are whole. */
  whole = 0;
  readonly #wholeOf: (bytes: Buffer) => boolean | undefined;
  #run = 1;
  #runFromNs = 0;
  /** Of the middle of the last frame, counted from its beginning and from its end: stamps as text have changing lengths. */
  #sums: readonly [number, number] | undefined;

  private constructor(wholeOf: (bytes: Buffer) => boolean | undefined) {
    this.#wholeOf = wholeOf;
  }

  /** Undefined for a channel that holds no pictures. */
  static of({ schemaName, encoding }: OpaqueChannel): ImageWatch | undefined {
    if (!IMAGE_TYPE.test(schemaName)) return undefined;
    if (!COMPRESSED_TYPE.test(schemaName)) return new ImageWatch(() => undefined);
    return new ImageWatch(encoding?.messageEncoding === 'json' ? wholeOfText : wholeOfBytes);
  }

  push(data: Uint8Array, nowNs: number): void {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const isWhole = this.#wholeOf(bytes);
    if (isWhole === true) this.whole += 1;
    // A topic is one of JPEG when it began so; what is none after that is broken.
    else if (isWhole === false || this.whole > 0) this.#countBroken(nowNs);
    this.#compare(bytes, nowNs);
  }

  #compare(bytes: Buffer, nowNs: number): void {
    if (bytes.length < FRAME_BYTES_MIN) {
      this.#sums = undefined;
      return;
    }
    // A power of two: a stamp with a digit more does not move it.
    const from = 2 ** Math.floor(Math.log2(bytes.length / 4));
    const length = Math.min(COMPARED_BYTES_MAX, from);
    const sums = [
      crc32(bytes.subarray(from, from + length)),
      crc32(bytes.subarray(bytes.length - from - length, bytes.length - from)),
    ] as const;
    const isSame = this.#sums !== undefined && (sums[0] === this.#sums[0] || sums[1] === this.#sums[1]);
    this.#sums = sums;
    this.#run = isSame ? this.#run + 1 : 1;
    if (!isSame) this.#runFromNs = nowNs;
    else if (this.#run > (this.longest?.frames ?? 0))
      this.longest = { fromNs: this.#runFromNs, toNs: nowNs, frames: this.#run };
  }

  #countBroken(nowNs: number): void {
    this.broken += 1;
    if (this.broken === 1) this.firstBrokenNs = nowNs;
    this.lastBrokenNs = nowNs;
  }
}

/** Whether a picture that begins in the message ends in it; undefined where none begins. */
function wholeOfBytes(bytes: Buffer): boolean | undefined {
  if (bytes.subarray(0, HEAD_BYTES).indexOf(JPEG_START) === -1) return undefined;
  return bytes.subarray(-TAIL_BYTES).lastIndexOf(JPEG_END) !== -1;
}

function wholeOfText(bytes: Buffer): boolean | undefined {
  const quote = bytes.subarray(0, HEAD_BYTES).indexOf(JPEG_BASE64);
  if (quote === -1) return undefined;
  const first = quote + 1;
  const end = bytes.indexOf(QUOTE, first);
  if (end === -1) return false;
  const from = first + Math.max(0, Math.floor((end - first) / 4) * 4 - TAIL_CHARACTERS);
  return Buffer.from(bytes.toString('latin1', from, end), 'base64').lastIndexOf(JPEG_END) !== -1;
}
