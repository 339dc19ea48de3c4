/**
 * Where the messages of one chunk stand, per channel. Filled once per message on the hot path, so it is one typed array that is
 * used again for each chunk and whose stamps are two halves: no object and no bigint is made per message.
 */
import { OPCODE } from './mcap-bytes.ts';
import { uint32At } from './mcap-message-record.ts';

/** Channel slot, low and high half of the log time, offset in the chunk. */
const ENTRY_FIELDS = 4;
const ENTRIES_INITIAL = 1_024;
const CHANNELS_INITIAL = 64;
const NO_SLOT = -1;
/** Opcode, length, channel and length of the entries. */
const INDEX_HEADER_BYTES = 15;
/** Log time and offset. */
const INDEX_ENTRY_BYTES = 16;

/** One MessageIndex record, as the chunk's own index names it. */
export type MessageIndexPlace = { readonly channelId: number; readonly messages: number; readonly offset: number };

export class MessageIndex {
  #entries = new Uint32Array(ENTRIES_INITIAL * ENTRY_FIELDS);
  #end = 0;
  #slots = new Int32Array(CHANNELS_INITIAL).fill(NO_SLOT);
  /** Channel ids in the order of their first message. */
  readonly #channelIds: number[] = [];

  get messages(): number {
    return this.#end / ENTRY_FIELDS;
  }

  has(channelId: number): boolean {
    return channelId < this.#slots.length && this.#slots[channelId] !== NO_SLOT;
  }

  /** Makes room for a channel; before its first `add`. */
  declare(channelId: number): void {
    if (channelId >= this.#slots.length) {
      const grown = new Int32Array(2 * channelId).fill(NO_SLOT);
      grown.set(this.#slots);
      this.#slots = grown;
    }
    this.#slots[channelId] = this.#channelIds.length;
    this.#channelIds.push(channelId);
  }

  /** The message whose log time stands at `logTimeAt` of `bytes` is at `offset` of the chunk. */
  // oxlint-disable-next-line eslint/max-params -- once per message: an object would be garbage
  add(channelId: number, bytes: Uint8Array, logTimeAt: number, offset: number): void {
    const end = this.#end;
    if (end === this.#entries.length) this.#grow();
    const entries = this.#entries;
    entries[end] = this.#slots[channelId] as number;
    entries[end + 1] = uint32At(bytes, logTimeAt);
    entries[end + 2] = uint32At(bytes, logTimeAt + 4);
    entries[end + 3] = offset;
    this.#end = end + ENTRY_FIELDS;
  }

  /** Earliest and latest log time; both 0 when there is no message. */
  range(): { readonly startNs: bigint; readonly endNs: bigint } {
    if (this.#end === 0) return { startNs: 0n, endNs: 0n };
    const entries = this.#entries;
    let first = 0;
    let last = 0;
    for (let at = ENTRY_FIELDS; at < this.#end; at += ENTRY_FIELDS) {
      if (isEarlier(entries, at, first)) first = at;
      if (isEarlier(entries, last, at)) last = at;
    }
    return { startNs: stampAt(entries, first), endNs: stampAt(entries, last) };
  }

  /** Bytes that `encode` writes. */
  get sizeBytes(): number {
    return this.#channelIds.length * INDEX_HEADER_BYTES + this.messages * INDEX_ENTRY_BYTES;
  }

  /** Messages per channel, in the order of their first message. */
  counts(): ReadonlyMap<number, number> {
    const counts = this.#countSlots();
    return new Map(this.#channelIds.map((id, slot) => [id, counts[slot] ?? 0]));
  }

  /** Writes a MessageIndex record for each channel, in the order of their first message and of the messages. */
  encode(view: DataView, start: number): readonly MessageIndexPlace[] {
    const counts = this.#countSlots();
    const cursors = new Uint32Array(counts.length);
    const places: MessageIndexPlace[] = [];
    let offset = start;
    for (const [slot, channelId] of this.#channelIds.entries()) {
      const messages = counts[slot] ?? 0;
      places.push({ channelId, messages, offset: offset - start });
      const size = messages * INDEX_ENTRY_BYTES;
      view.setUint8(offset, OPCODE.messageIndex);
      view.setUint32(offset + 1, 6 + size, true);
      view.setUint32(offset + 5, 0, true);
      view.setUint16(offset + 9, channelId, true);
      view.setUint32(offset + 11, size, true);
      cursors[slot] = offset + INDEX_HEADER_BYTES;
      offset += INDEX_HEADER_BYTES + size;
    }
    this.#encodeEntries(view, cursors);
    return places;
  }

  clear(): void {
    for (const channelId of this.#channelIds) this.#slots[channelId] = NO_SLOT;
    this.#channelIds.length = 0;
    this.#end = 0;
  }

  #encodeEntries(view: DataView, cursors: Uint32Array): void {
    const entries = this.#entries;
    for (let at = 0; at < this.#end; at += ENTRY_FIELDS) {
      const slot = entries[at] as number;
      const cursor = cursors[slot] as number;
      view.setUint32(cursor, entries[at + 1] as number, true);
      view.setUint32(cursor + 4, entries[at + 2] as number, true);
      view.setUint32(cursor + 8, entries[at + 3] as number, true);
      view.setUint32(cursor + 12, 0, true);
      cursors[slot] = cursor + INDEX_ENTRY_BYTES;
    }
  }

  #countSlots(): Uint32Array {
    const counts = new Uint32Array(this.#channelIds.length);
    for (let at = 0; at < this.#end; at += ENTRY_FIELDS) {
      const slot = this.#entries[at] as number;
      counts[slot] = (counts[slot] as number) + 1;
    }
    return counts;
  }

  #grow(): void {
    const grown = new Uint32Array(2 * this.#entries.length);
    grown.set(this.#entries);
    this.#entries = grown;
  }
}

function isEarlier(entries: Uint32Array, left: number, right: number): boolean {
  const leftHigh = entries[left + 2] as number;
  const rightHigh = entries[right + 2] as number;
  return leftHigh === rightHigh ? (entries[left + 1] as number) < (entries[right + 1] as number) : leftHigh < rightHigh;
}

function stampAt(entries: Uint32Array, at: number): bigint {
  return (BigInt(entries[at + 2] as number) << 32n) | BigInt(entries[at + 1] as number);
}
