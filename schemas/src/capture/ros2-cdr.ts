/** The bytes of a ROS 2 message (CDR, OMG DDS-XTypes 1.3, 7.4) read in order; no read leaves the message and no count is believed before its bytes are there. */

/** Bytes of the encapsulation header, from whose end everything is aligned. */
const HEADER_BYTES = 4;
const ENCODINGS: Readonly<Record<number, { readonly isLittle: boolean; readonly alignMax: number }>> = {
  0x00: { isLittle: false, alignMax: 8 },
  0x01: { isLittle: true, alignMax: 8 },
  0x06: { isLittle: false, alignMax: 4 },
  0x07: { isLittle: true, alignMax: 4 },
};
const TEXT = new TextDecoder();

export class CdrCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #isLittle: boolean;
  readonly #alignMax: number;
  #offset = HEADER_BYTES;

  /** Throws a plain error for another encapsulation than plain CDR 1 or 2. */
  constructor(bytes: Uint8Array) {
    const encoding = bytes.length < HEADER_BYTES || bytes[0] !== 0 ? undefined : ENCODINGS[bytes[1] ?? -1];
    if (encoding === undefined) throw new Error('the message does not begin with the header of plain CDR');
    // Not a Buffer, whose views are Buffers, which print themselves as objects.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#isLittle = encoding.isLittle;
    this.#alignMax = encoding.alignMax;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  /** One number of a primitive type; 64-bit integers as bigint. */
  number(type: NumberType): number | bigint {
    const start = this.#take(NUMBER_BYTES[type]);
    const [view, isLittle] = [this.#view, this.#isLittle];
    switch (type) {
      case 'int8':
        return view.getInt8(start);
      case 'uint8':
        return view.getUint8(start);
      case 'int16':
        return view.getInt16(start, isLittle);
      case 'uint16':
        return view.getUint16(start, isLittle);
      case 'int32':
        return view.getInt32(start, isLittle);
      case 'uint32':
        return view.getUint32(start, isLittle);
      case 'int64':
        return view.getBigInt64(start, isLittle);
      case 'uint64':
        return view.getBigUint64(start, isLittle);
      case 'float32':
        return view.getFloat32(start, isLittle);
      default:
        return view.getFloat64(start, isLittle);
    }
  }

  /** Bytes as they stand, without a copy. */
  bytes(length: number): Uint8Array {
    if (length > this.left) throw new Error('an array goes on behind the message');
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, start + length);
  }

  /** A text; its length counts the zero at its end. */
  text(): string {
    const bytes = this.bytes(this.count());
    return TEXT.decode(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
  }

  /** How many elements a sequence has. */
  count(): number {
    return Number(this.number('uint32'));
  }

  #take(size: number): number {
    const alignment = Math.min(size, this.#alignMax);
    const behind = (this.#offset - HEADER_BYTES) % alignment;
    const start = this.#offset + (behind === 0 ? 0 : alignment - behind);
    if (start + size > this.#bytes.length) throw new Error('the message ends in the middle of a field');
    this.#offset = start + size;
    return start;
  }
}

export type NumberType = keyof typeof NUMBER_BYTES;
export const NUMBER_BYTES = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
} as const;
