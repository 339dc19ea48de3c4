/**
 * Why: an id of the lineage is a text of some eighty bytes that a million edges name again and again. Here each is held
 * once, as bytes outside of the heap, and has a number; a hash table finds the number of a text. Mutates: a hot path.
 */
import { FleetError } from '@fleetloop/schemas';
import { GrowingColumn, NONE } from './growing-column.ts';

const CHUNK_BITS = 20;
const CHUNK_BYTES = 1 << CHUNK_BITS;
/** Chunks that a 32-bit offset can name. */
const CHUNKS_MAX = 2 ** (32 - CHUNK_BITS);
/** Each id is preceded by its length in two bytes. */
const LENGTH_BYTES = 2;
export const ID_BYTES_MAX = 4_096;
const SLOTS_AT_START = 4_096;
/** FNV-1a, 32 bits. */
const HASH_BASIS = 0x81_1c_9d_c5;
const HASH_PRIME = 0x01_00_01_93;

/** Part of a buffer. */
export type Span = { readonly bytes: Uint8Array; readonly from: number; readonly to: number };

export class IdTable {
  #chunks: Buffer[] = [];
  #used = CHUNK_BYTES;
  readonly #starts = new GrowingColumn();
  readonly #hashes = new GrowingColumn();
  /** Numbers of ids plus one, each in the first free place from that of its hash; never more than half are taken. */
  #slots = new Uint32Array(SLOTS_AT_START);

  get length(): number {
    return this.#starts.length;
  }

  get sizeBytes(): number {
    return this.#chunks.length * CHUNK_BYTES + this.#starts.sizeBytes + this.#hashes.sizeBytes + this.#slots.byteLength;
  }

  /** The number of an id; undefined when it is not here. */
  find(id: string): number | undefined {
    const bytes = Buffer.from(id, 'utf8');
    if (bytes.length > ID_BYTES_MAX) return undefined;
    const span = { bytes, from: 0, to: bytes.length };
    const found = this.#slots[this.#slotOf(span, hashOf(span))] ?? 0;
    return found === 0 ? undefined : found - 1;
  }

  /** The number of an id, which is given one when it is new. @throws FleetError INTERNAL_UNEXPECTED over ID_BYTES_MAX or when the table is full */
  add(id: Span): number {
    const hash = hashOf(id);
    const slot = this.#slotOf(id, hash);
    const found = this.#slots[slot] ?? 0;
    if (found !== 0) return found - 1;
    const number = this.#starts.push(this.#store(id));
    this.#hashes.push(hash);
    this.#slots[slot] = number + 1;
    if (this.length * 2 > this.#slots.length) this.#spread();
    return number;
  }

  text(number: number): string {
    const { bytes, from, to } = this.span(number);
    return bytes.toString('utf8', from, to);
  }

  span(number: number): Span & { readonly bytes: Buffer } {
    const start = this.#starts.at(number);
    const bytes = this.#chunks[start >>> CHUNK_BITS];
    if (start === NONE || bytes === undefined)
      throw new FleetError('INTERNAL_UNEXPECTED', `the lineage index has no id ${number}`);
    const at = start & (CHUNK_BYTES - 1);
    return { bytes, from: at + LENGTH_BYTES, to: at + LENGTH_BYTES + bytes.readUInt16LE(at) };
  }

  /** No id lies across two chunks. */
  #store({ bytes, from, to }: Span): number {
    const size = to - from;
    if (size > ID_BYTES_MAX)
      throw new FleetError('INTERNAL_UNEXPECTED', `an id of the lineage has ${size} bytes, over ${ID_BYTES_MAX}`);
    if (this.#used + LENGTH_BYTES + size > CHUNK_BYTES) {
      if (this.#chunks.length === CHUNKS_MAX)
        throw new FleetError('INTERNAL_UNEXPECTED', 'the lineage index can hold no more ids');
      this.#chunks.push(Buffer.alloc(CHUNK_BYTES));
      this.#used = 0;
    }
    const number = this.#chunks.length - 1;
    const chunk = this.#chunks[number];
    const at = this.#used;
    chunk?.writeUInt16LE(size, at);
    chunk?.set(bytes.subarray(from, to), at + LENGTH_BYTES);
    this.#used += LENGTH_BYTES + size;
    return number * CHUNK_BYTES + at;
  }

  /** The slot that holds the id, or the free one where it would be. */
  #slotOf(id: Span, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0 || (this.#hashes.at(found - 1) === hash && this.#is(found - 1, id))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #is(number: number, id: Span): boolean {
    const held = this.span(number);
    if (held.to - held.from !== id.to - id.from) return false;
    for (let index = 0; index < id.to - id.from; index += 1)
      if (held.bytes[held.from + index] !== id.bytes[id.from + index]) return false;
    return true;
  }

  #spread(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.length; number += 1) {
      let slot = this.#hashes.at(number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

function hashOf({ bytes, from, to }: Span): number {
  let hash = HASH_BASIS;
  for (let index = from; index < to; index += 1) hash = Math.imul(hash ^ (bytes[index] ?? 0), HASH_PRIME);
  return hash >>> 0;
}
