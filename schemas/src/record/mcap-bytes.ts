/** The byte layout of MCAP that reading and writing share: opcodes, record framing, and the fields of the few records that are not messages. */
import { FleetError } from '../errors/fleet-error.ts';

/** Opcodes of the MCAP specification. */
export const OPCODE = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  attachment: 0x09,
  attachmentIndex: 0x0a,
  statistics: 0x0b,
  metadata: 0x0c,
  metadataIndex: 0x0d,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;
/** First and last bytes of a file. */
export const MAGIC: Uint8Array = Uint8Array.of(0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a);
/** Opcode and length in front of each record. */
export const RECORD_HEADER_BYTES = 9;

export function malformed(why: string): FleetError {
  return new FleetError('INGEST_MCAP_INVALID', `the recording is not well-formed MCAP: ${why}`);
}

export function isMagic(bytes: Uint8Array): boolean {
  return bytes.length === MAGIC.length && MAGIC.every((byte, index) => bytes[index] === byte);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Eight bytes as a number: exact up to 2^53, and what is above is over every limit anyway. */
export function uint64At(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let index = offset + 7; index >= offset; index -= 1) value = value * 256 + (bytes[index] as number);
  return value;
}

const TEXT = new TextDecoder('utf-8', { fatal: true });

/** Reads the fields of one record in order. @throws FleetError INGEST_MCAP_INVALID where it ends too early */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    const bytes = this.bytes(this.uint32());
    try {
      return TEXT.decode(bytes);
    } catch {
      throw malformed('a text is not UTF-8');
    }
  }

  textMap(): Map<string, string> {
    const fields = new FieldReader(this.bytes(this.uint32()));
    const map = new Map<string, string>();
    while (!fields.isAtEnd()) {
      const key = fields.text();
      if (map.has(key)) throw malformed(`the key ${JSON.stringify(key)} occurs twice in one map`);
      map.set(key, fields.text());
    }
    return map;
  }

  isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw malformed('a record ends in the middle of a field');
    this.#offset = start + length;
    return start;
  }
}
