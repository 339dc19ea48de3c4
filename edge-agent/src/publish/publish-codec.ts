/** Protobuf coding of `fleetloop.publish.PublishBatch`, hand-written because every live message passes through it on both sides. */
import { FleetError } from '@fleetloop/schemas';

/** Tag of `ToAgent.publish`, of `PublishBatch.entries` and of the fields of `Publish` (publish.proto). */
export const PUBLISH_TAG = (3 << 3) | 2;
const ENTRY_TAG = (1 << 3) | 2;
const CHANNEL_TAG = 1 << 3;
const SEQUENCE_TAG = 2 << 3;
const STAMP_TAG = (3 << 3) | 1;
const VALUES_TAG = (4 << 3) | 2;
const VALUE_TAG = (4 << 3) | 1;
const DATA_TAG = (5 << 3) | 2;
const VARINT_BYTES_MAX = 10;
/** More than any channel has; bounds the work that values in pieces can make. */
const VALUES_MAX = 2_000;
const TWO_POW_7 = 128;

/** One message as it is published: values for a signal channel, data for an opaque one. */
export type PublishEntry = {
  readonly channel: number;
  readonly sequence: number | undefined;
  readonly stampNs: bigint | undefined;
  readonly values: Float64Array | undefined;
  /** May lie in the frame that it was read from. */
  readonly data: Uint8Array | undefined;
  /** Of the encoded entry: what it costs of the credit. */
  readonly sizeBytes: number;
};

/** Bytes that `encodeEntry` needs at most, with tag and length of the entry. */
export function entryBytesMax(valueCount: number, dataBytes: number): number {
  return 64 + valueCount * 8 + dataBytes;
}

type NewEntry = Omit<PublishEntry, 'sizeBytes'>;

/** Writes one entry of a batch at `offset` of `target`; returns the offset behind it and the size without tag and length. */
export function encodeEntry(
  target: Uint8Array,
  offset: number,
  entry: NewEntry,
): { readonly end: number; readonly sizeBytes: number } {
  const sizeBytes = entrySize(entry);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  let at = writeVarint(target, writeVarint(target, offset, ENTRY_TAG), sizeBytes);
  at = writeVarint(target, writeVarint(target, at, CHANNEL_TAG), entry.channel);
  if (entry.sequence !== undefined) at = writeVarint(target, writeVarint(target, at, SEQUENCE_TAG), entry.sequence);
  if (entry.stampNs !== undefined) {
    at = writeVarint(target, at, STAMP_TAG);
    view.setBigInt64(at, entry.stampNs, true);
    at += 8;
  }
  if (entry.values !== undefined) {
    at = writeVarint(target, writeVarint(target, at, VALUES_TAG), entry.values.length * 8);
    for (const value of entry.values) {
      view.setFloat64(at, value, true);
      at += 8;
    }
  }
  if (entry.data !== undefined) {
    at = writeVarint(target, writeVarint(target, at, DATA_TAG), entry.data.length);
    target.set(entry.data, at);
    at += entry.data.length;
  }
  return { end: at, sizeBytes };
}

function entrySize({ channel, sequence, stampNs, values, data }: NewEntry): number {
  let size = 1 + varintSize(channel);
  if (sequence !== undefined) size += 1 + varintSize(sequence);
  if (stampNs !== undefined) size += 9;
  if (values !== undefined) size += 1 + varintSize(values.length * 8) + values.length * 8;
  if (data !== undefined) size += 1 + varintSize(data.length) + data.length;
  return size;
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= TWO_POW_7; rest = Math.floor(rest / TWO_POW_7)) size += 1;
  return size;
}

/** Writes a whole number up to 2^53; returns the offset behind it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= TWO_POW_7) {
    target[at] = (rest % TWO_POW_7) | 0x80;
    rest = Math.floor(rest / TWO_POW_7);
    at += 1;
  }
  target[at] = rest;
  return at + 1;
}

/**
 * Whether a `ToAgent` message is a batch and nothing else, and where the batch begins; 0 for a message of another kind or layout.
 */
export function batchStart(message: Uint8Array): number {
  if (message[0] !== PUBLISH_TAG) return 0;
  const reader = new Reader(message, 1, message.length);
  const length = reader.varint();
  return reader.offset + length === message.length ? reader.offset : 0;
}

/**
 * Reads the entries of a batch in [start, end) of `bytes` one by one.
 * @throws FleetError PUBLISH_MALFORMED naming the byte; entries before it were given
 */
export function decodeBatch(bytes: Uint8Array, start: number, onEntry: (entry: PublishEntry) => void): void {
  const reader = new Reader(bytes, start, bytes.length);
  while (reader.offset < reader.end) {
    const tag = reader.varint();
    if (tag === ENTRY_TAG) onEntry(decodeEntry(reader, reader.length()));
    else reader.skip(tag);
  }
}

/** Hot path: the reader of the batch reads its entries too, each within its own end. */
function decodeEntry(reader: Reader, sizeBytes: number): PublishEntry {
  const batchEnd = reader.end;
  const end = reader.offset + sizeBytes;
  reader.end = end;
  let channel = 0;
  let sequence: number | undefined;
  let stampNs: bigint | undefined;
  let values: Float64Array | undefined;
  let data: Uint8Array | undefined;
  while (reader.offset < end) {
    const tag = reader.varint();
    switch (tag) {
      case CHANNEL_TAG:
        channel = reader.varint();
        break;
      case SEQUENCE_TAG:
        sequence = reader.varint();
        break;
      case STAMP_TAG:
        stampNs = reader.fixed64();
        break;
      case VALUES_TAG:
        values = joined(values, reader.doubles(reader.length()));
        break;
      case VALUE_TAG:
        values = joined(values, reader.doubles(8));
        break;
      case DATA_TAG:
        data = reader.bytes(reader.length());
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.end = batchEnd;
  return { channel, sequence, stampNs, values, data, sizeBytes };
}

/** A repeated field may come in pieces (protobuf, "packed repeated fields"). */
function joined(before: Float64Array | undefined, next: Float64Array): Float64Array {
  if (before === undefined || before.length === 0) return next;
  if (next.length === 0 || before.length > VALUES_MAX) return before;
  const both = new Float64Array(before.length + next.length);
  both.set(before);
  both.set(next, before.length);
  return both;
}

class Reader {
  /** No field reaches beyond it. */
  end: number;
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
    this.end = end;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < VARINT_BYTES_MAX && this.offset < this.end; count += 1) {
      const byte = this.#bytes[this.offset] as number;
      this.offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.#refuse('a number over 2^53');
      factor *= TWO_POW_7;
    }
    return this.#refuse('a number without end');
  }

  /** The length of what follows, which is there. */
  length(): number {
    const length = this.varint();
    return length <= this.end - this.offset ? length : this.#refuse('a length over the end');
  }

  /** A view of the next bytes, which are there. */
  bytes(sizeBytes: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.offset, this.offset + sizeBytes);
    this.offset += sizeBytes;
    return bytes;
  }

  fixed64(): bigint {
    if (this.end - this.offset < 8) this.#refuse('8 bytes over the end');
    const value = this.#view.getBigInt64(this.offset, true);
    this.offset += 8;
    return value;
  }

  doubles(sizeBytes: number): Float64Array {
    if (sizeBytes % 8 !== 0 || sizeBytes > this.end - this.offset) this.#refuse('values of no whole number of doubles');
    const values = new Float64Array(sizeBytes / 8);
    for (let index = 0; index < values.length; index += 1) {
      values[index] = this.#view.getFloat64(this.offset + index * 8, true);
    }
    this.offset += sizeBytes;
    return values;
  }

  /** Passes over a field that a later version of the protocol may have added. */
  skip(tag: number): void {
    const step = this.#sizeOf(tag);
    if (step > this.end - this.offset) this.#refuse('a field over the end');
    this.offset += step;
  }

  #sizeOf(tag: number): number {
    switch (tag & 7) {
      case 0:
        this.varint();
        return 0;
      case 1:
        return 8;
      case 2:
        return this.length();
      case 5:
        return 4;
      default:
        return this.#refuse('an unknown wire type');
    }
  }

  #refuse(what: string): never {
    throw new FleetError(
      'PUBLISH_MALFORMED',
      `a batch holds ${what} at byte ${this.offset}: check the publisher's encoding`,
    );
  }
}
