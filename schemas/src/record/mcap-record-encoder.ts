/** Encodes the MCAP records that are few (all but messages) one behind the other into one buffer that grows. */
import { type OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';

const CAPACITY_BYTES = 1024;
const UINT32_RANGE = 2 ** 32;
/** Of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3;
const TEXT = new TextEncoder();

export class RecordEncoder {
  #bytes: Uint8Array = new Uint8Array(CAPACITY_BYTES);
  #view: DataView = viewOf(this.#bytes);
  #size = 0;
  #recordStart = 0;

  get sizeBytes(): number {
    return this.#size;
  }

  /** What was encoded so far; valid until the next call of anything that adds. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Starts a record; its length is filled in by `end`. */
  begin(opcode: (typeof OPCODE)[keyof typeof OPCODE]): this {
    this.#recordStart = this.#size;
    this.uint8(opcode);
    return this.uint64(0);
  }

  /** Ends the record and returns its size with opcode and length. */
  end(): number {
    const size = this.#size - this.#recordStart;
    this.#setUint64(this.#recordStart + 1, size - RECORD_HEADER_BYTES);
    return size;
  }

  uint8(value: number): this {
    const offset = this.#take(1);
    this.#view.setUint8(offset, value);
    return this;
  }

  uint16(value: number): this {
    const offset = this.#take(2);
    this.#view.setUint16(offset, value, true);
    return this;
  }

  uint32(value: number): this {
    const offset = this.#take(4);
    this.#view.setUint32(offset, value, true);
    return this;
  }

  /** Numbers (sizes, offsets, counts) are safe integers. */
  uint64(value: number | bigint): this {
    const offset = this.#take(8);
    if (typeof value === 'bigint') this.#view.setBigUint64(offset, value, true);
    else this.#setUint64(offset, value);
    return this;
  }

  /** Bytes without a length in front. */
  raw(bytes: Uint8Array): this {
    const offset = this.#take(bytes.length);
    this.#bytes.set(bytes, offset);
    return this;
  }

  text(value: string): this {
    const lengthAt = this.#take(4);
    // Straight into the buffer: an array of its own for each text would be garbage.
    const start = this.#take(value.length * UTF8_BYTES_MAX);
    const { written } = TEXT.encodeInto(value, this.#bytes.subarray(start));
    this.#size = start + written;
    this.#view.setUint32(lengthAt, written, true);
    return this;
  }

  /** A map of texts in the order of its entries. */
  textMap(map: ReadonlyMap<string, string>): this {
    const lengthAt = this.#take(4);
    for (const [key, value] of map) this.text(key).text(value);
    this.#view.setUint32(lengthAt, this.#size - lengthAt - 4, true);
    return this;
  }

  #setUint64(offset: number, value: number): void {
    this.#view.setUint32(offset, value % UINT32_RANGE, true);
    this.#view.setUint32(offset + 4, Math.floor(value / UINT32_RANGE), true);
  }

  /** Room for `length` more bytes. May replace the buffer: read `#bytes` and `#view` after it. */
  #take(length: number): number {
    const offset = this.#size;
    if (offset + length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (offset + length));
      grown.set(this.bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    this.#size = offset + length;
    return offset;
  }
}
