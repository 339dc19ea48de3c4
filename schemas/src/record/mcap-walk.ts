/**
 * Walks over the records of a file, or of an unpacked chunk, whatever state they are in: where no record can stand it says which bytes are
 * damaged and goes on at the next place from which records follow one another again. Holds one window of the file.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, uint64At } from './mcap-bytes.ts';
import { Anchors, frameAt, frameByFields, type McapFrame, type McapRegion, type NoFrame } from './mcap-frames.ts';
import { type McapBytes, McapWindow } from './mcap-memory.ts';

/** Bytes in which no record stands. */
export type McapDamage = {
  readonly kind: 'damage';
  readonly fromByte: number;
  readonly toByte: number;
  readonly why: string;
};
/** The closing magic bytes, and how many bytes follow them. */
export type McapEnd = { readonly kind: 'end'; readonly hasMagic: boolean; readonly bytesBehind: number };
export type McapWalked = McapFrame | McapDamage | McapEnd;

/** Records that must follow one another before a place inside damage is believed. */
const CHAIN_RECORDS = 3;
/** Magic bytes that may be damaged: with this many right it is still an MCAP file. */
const MAGIC_BYTES_ALIKE_MIN = 5;
/** Bytes looked at together for the next record. */
const SEARCH_BYTES = 256 * 1024;
/** What is shown of a record that was found. */
const FAMILIAR_BYTES = 1_024;
/** Longest record, other than a chunk or attachment, that ends a search: a claim of more is more likely damage. */
const FOUND_RECORD_BYTES_MAX = 4 * 1024 * 1024;

export type McapWalkOptions = {
  readonly region?: McapRegion;
  /** Where records begin for certain, e.g. by an intact summary. */
  readonly anchors?: Iterable<number>;
  /** Whether the first bytes of a record's content are beyond doubt; a record found inside damage then needs no others behind it. */
  readonly isFamiliar?: (opcode: number, head: Uint8Array) => boolean;
  readonly signal?: AbortSignal | undefined;
};

export class McapWalk {
  readonly #window: McapWindow;
  readonly #region: McapRegion;
  readonly #anchors: Anchors;
  readonly #isFamiliar: (opcode: number, head: Uint8Array) => boolean;
  readonly #signal: AbortSignal | undefined;
  /** Where to go on instead of behind the last item. */
  #resumeAt: number | undefined;
  /** Judged already, as what follows a record. */
  #judged: { readonly offset: number; readonly found: McapFrame | NoFrame } | undefined;

  constructor(bytes: McapBytes, options: McapWalkOptions = {}) {
    this.#window = new McapWindow(bytes);
    this.#region = options.region ?? 'file';
    this.#anchors = new Anchors(options.anchors ?? []);
    this.#isFamiliar = options.isFamiliar ?? (() => false);
    this.#signal = options.signal;
  }

  /** The bytes between a record's length and its end; valid until the next call. */
  async content({ offset, recordBytes }: McapFrame): Promise<Uint8Array> {
    const start = offset + RECORD_HEADER_BYTES;
    const length = recordBytes - RECORD_HEADER_BYTES;
    return this.#window.peek(start, length) ?? this.#window.view(start, length);
  }

  /**
   * All records and all damage in the order of the file; together they cover it without a gap.
   * @throws FleetError SOURCE_FORMAT when the file is no MCAP at all
   */
  async *items(): AsyncGenerator<McapWalked, void, undefined> {
    let offset = 0;
    if (this.#region === 'file') {
      const start = await this.#start();
      if (start > MAGIC.length || !(await this.#hasMagic(0)))
        yield { kind: 'damage', fromByte: 0, toByte: start, why: 'it does not begin with the magic bytes' };
      offset = start;
    }
    while (offset < this.#window.sizeBytes) {
      this.#signal?.throwIfAborted();
      const end = await this.#endAt(offset);
      if (end !== undefined) return yield end;
      const item = await this.#itemAt(offset);
      yield item;
      offset = this.#resumeAt ?? (item.kind === 'damage' ? item.toByte : item.offset + item.recordBytes);
      this.#resumeAt = undefined;
    }
    if (this.#region === 'file') yield { kind: 'end', hasMagic: false, bytesBehind: 0 };
  }

  /** Where the first record stands. */
  async #start(): Promise<number> {
    if (await this.#hasMagic(0)) return MAGIC.length;
    const begin = await this.#window.view(0, MAGIC.length);
    const alike = MAGIC.filter((byte, index) => begin[index] === byte).length;
    if (alike >= MAGIC_BYTES_ALIKE_MIN) return MAGIC.length;
    const first = await this.#search(0);
    if (first !== undefined) return first;
    throw new FleetError('SOURCE_FORMAT', 'this is no MCAP file: neither its first bytes nor any record in it say so');
  }

  /**
   * To be asked while the last item is a chunk that is damaged: bytes may be missing in it, so that its length leads into the next one.
   * Goes on at a chunk that begins inside and ends behind it. One that lies in it whole may be what a message carries.
   */
  async resumeInside({ offset, recordBytes }: Pick<McapFrame, 'offset' | 'recordBytes'>): Promise<boolean> {
    const end = offset + recordBytes;
    for (let base = offset + RECORD_HEADER_BYTES; base < end; base += SEARCH_BYTES) {
      this.#signal?.throwIfAborted();
      const bytes = await this.#window.view(base, SEARCH_BYTES + RECORD_HEADER_BYTES);
      const last = Math.min(SEARCH_BYTES, end - base, bytes.length - RECORD_HEADER_BYTES);
      for (let index = 0; index < last; index += 1) {
        if (bytes[index] !== OPCODE.chunk || !looksLikeRecord(bytes, index, this.#region)) continue;
        const found = await this.#judge(base + index);
        if (!isStructured(found) || found.kind === 'none' || base + index + found.recordBytes <= end) continue;
        this.#resumeAt = base + index;
        return true;
      }
    }
    return false;
  }

  async #hasMagic(offset: number): Promise<boolean> {
    return isMagic((await this.#window.view(offset, MAGIC.length)).subarray(0, MAGIC.length));
  }

  /** A file ends with the magic bytes; behind anything but a footer they are the end too if nothing follows. */
  async #endAt(offset: number): Promise<McapEnd | undefined> {
    if (this.#region === 'chunk') return undefined;
    const first = this.#window.peek(offset, 1)?.[0] ?? MAGIC[0];
    if (first !== MAGIC[0]) return undefined;
    const left = this.#window.sizeBytes - offset;
    if (left < MAGIC.length || !(await this.#hasMagic(offset))) return undefined;
    return { kind: 'end', hasMagic: true, bytesBehind: left - MAGIC.length };
  }

  async #itemAt(offset: number): Promise<McapFrame | McapDamage> {
    const found = await this.#judge(offset);
    if (found.kind === 'record' && isCertain(found)) return found;
    const mended = await this.#mend(offset, found);
    if (mended !== undefined) return mended;
    if (found.kind === 'record') {
      const end = offset + found.recordBytes;
      if (await this.#isPlausible(end)) return found;
      // Either this record's length is wrong or what follows is damaged: records inside of it tell.
      const next = await this.#search(offset + RECORD_HEADER_BYTES);
      if (next === undefined || (next >= end && (await this.#isRecordSpoilt(end, next)))) return found;
      return damage(offset, next, 'the length of a record is wrong');
    }
    const next = await this.#search(offset + 1);
    return damage(offset, next ?? this.#window.sizeBytes, found.why);
  }

  /** Whether a damaged record, and not the rest of the one before, stands between: its opcode is known, or its length leads to the next. */
  async #isRecordSpoilt(offset: number, next: number): Promise<boolean> {
    if (next === offset) return true;
    const header = await this.#window.view(offset, RECORD_HEADER_BYTES);
    if (header.length < RECORD_HEADER_BYTES) return true;
    // Bytes that were never written begin where a record ends, not in the middle of one.
    if (header.every((byte) => byte === 0)) return true;
    const opcode = header[0] as number;
    const isKnown = opcode >= OPCODE.schema && opcode <= OPCODE.dataEnd;
    return isKnown || offset + RECORD_HEADER_BYTES + uint64At(header, 1) === next;
  }

  /** A record that says itself how long it is, if the length in front of it leads nowhere and its own does. */
  async #mend(offset: number, found: McapFrame | NoFrame): Promise<McapFrame | undefined> {
    if (found.kind === 'record' && (await this.#isPlausible(offset + found.recordBytes))) return undefined;
    const byFields = await frameByFields(this.#window, offset);
    if (byFields === undefined || !(await this.#isPlausible(offset + byFields.recordBytes))) return undefined;
    return byFields;
  }

  async #judge(offset: number): Promise<McapFrame | NoFrame> {
    if (this.#judged?.offset === offset) return this.#judged.found;
    const found = await frameAt(this.#window, offset, { region: this.#region, anchors: this.#anchors });
    this.#judged = { offset, found };
    return found;
  }

  /** Whether a record, the end, or a record that the end cuts off can stand there. */
  async #isPlausible(offset: number): Promise<boolean> {
    if (offset === this.#window.sizeBytes) return true;
    if (offset > this.#window.sizeBytes) return false;
    const found = await this.#judge(offset);
    if (found.kind === 'record' || found.isCut) return true;
    return (await this.#endAt(offset)) !== undefined;
  }

  /** Whether records follow one another from there on. */
  async #isChain(start: number): Promise<boolean> {
    let offset = start;
    for (let count = 0; count < CHAIN_RECORDS; count += 1) {
      if (offset === this.#window.sizeBytes) return count > 0;
      const found = await this.#judge(offset);
      if (found.kind === 'none')
        return count > 0 && (count > 1 || isStructured(await this.#judge(start))) && (await this.#isPlausible(offset));
      offset += found.recordBytes;
    }
    return true;
  }

  /** The next place, from an offset on, where records begin again. */
  async #search(from: number): Promise<number | undefined> {
    for (let base = from; base < this.#window.sizeBytes; base += SEARCH_BYTES) {
      this.#signal?.throwIfAborted();
      const bytes = await this.#window.view(base, SEARCH_BYTES + RECORD_HEADER_BYTES);
      const last = Math.min(SEARCH_BYTES, bytes.length - RECORD_HEADER_BYTES);
      for (let index = 0; index <= last; index += 1) {
        if (!looksLikeRecord(bytes, index, this.#region)) continue;
        const offset = base + index;
        if (await this.#isFound(offset)) return offset;
      }
    }
    return undefined;
  }

  async #isFound(offset: number): Promise<boolean> {
    const found = await this.#judge(offset);
    if (found.kind === 'none') return false;
    if (this.#anchors.has(offset)) return true;
    if (found.recordBytes > FOUND_RECORD_BYTES_MAX && !isStructured(found)) return false;
    const headBytes = Math.min(found.recordBytes - RECORD_HEADER_BYTES, FAMILIAR_BYTES);
    if (this.#isFamiliar(found.opcode, await this.#window.view(offset + RECORD_HEADER_BYTES, headBytes))) return true;
    return this.#isChain(offset);
  }
}

/** A record other than a message whose fields fill it exactly needs no neighbour as witness. */
function isCertain({ opcode, recordBytes, fieldBytes, kind }: McapFrame): boolean {
  return kind === 'record' && opcode <= OPCODE.dataEnd && opcode !== OPCODE.message && isFull(recordBytes, fieldBytes);
}

function isFull(recordBytes: number, fieldBytes: number): boolean {
  return recordBytes === RECORD_HEADER_BYTES + fieldBytes;
}

/** Chunks and attachments hold lengths that must agree with each other: chance makes none. */
function isStructured(found: McapFrame | NoFrame): boolean {
  if (found.kind === 'none' || !isFull(found.recordBytes, found.fieldBytes)) return false;
  return found.opcode === OPCODE.chunk || found.opcode === OPCODE.attachment;
}

/** The cheap part of the judgement: a known opcode, and a length below 2^40. Hot path of a search. */
function looksLikeRecord(bytes: Uint8Array, index: number, region: McapRegion): boolean {
  const opcode = bytes[index] as number;
  if (opcode < OPCODE.footer || opcode > OPCODE.dataEnd) return false;
  if (region === 'chunk' && (opcode < OPCODE.schema || opcode > OPCODE.message)) return false;
  return bytes[index + 8] === 0 && bytes[index + 7] === 0 && bytes[index + 6] === 0;
}

function damage(fromByte: number, toByte: number, why: string): McapDamage {
  return { kind: 'damage', fromByte, toByte, why };
}
