/**
 * Where records go on behind damage. A place is believed when an index names it, when what stands there is familiar, or when records follow
 * one another from it on. What a search may look at grows with the bytes that it passed, so that no file makes it quadratic.
 */
import { isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, uint64At, viewOf } from './mcap-bytes.ts';
import {
  type Anchors,
  frameAt,
  HEAD_BYTES,
  LONG,
  type McapFrame,
  type McapRegion,
  none,
  type NoFrame,
} from './mcap-frames.ts';
import type { McapWindow } from './mcap-memory.ts';

/** The closing magic bytes, and how many bytes follow them. */
export type McapEnd = { readonly kind: 'end'; readonly hasMagic: boolean; readonly bytesBehind: number };

/** Records that must follow one another before a place inside damage is believed. */
const CHAIN_RECORDS = 3;
/** Bytes looked at together for the next record. */
const SEARCH_BYTES = 256 * 1024;
/** What is shown of a record that was found. */
const FAMILIAR_BYTES = 1_024;
/** Longest record, other than a chunk or attachment, that ends a search: a claim of more is more likely damage. */
const FOUND_RECORD_BYTES_MAX = 4 * 1024 * 1024;
/** What the judgements of searches may read: so many bytes, and so many more for each byte that was searched. Then only short claims are looked into. */
const JUDGED_BYTES_FREE = 64 * 1024 * 1024;
const JUDGED_BYTES_PER_BYTE = 8;
/** Bytes that a record may have behind the fields that are known. */
const ADDED_BYTES_MAX = 64;
/** Records inside one chunk that are tried as those of the file. */
const TRIED_RECORDS_MAX = 100_000;

export type ResyncOptions = {
  readonly region: McapRegion;
  readonly anchors: Anchors;
  /** Whether the first bytes of a record's content are beyond doubt; a record found inside damage then needs no others behind it. */
  readonly isFamiliar: (opcode: number, head: Uint8Array) => boolean;
  readonly signal: AbortSignal | undefined;
};

export class McapResync {
  readonly #window: McapWindow;
  readonly #options: ResyncOptions;
  /** Judged already, as what follows a record. */
  #judged: { readonly offset: number; readonly found: McapFrame | NoFrame } | undefined;
  /** The last search: from anywhere in between, the next place is the same. */
  #searched: { readonly from: number; readonly next: number | undefined } | undefined;
  #searchedBytes = 0;
  #judgedBytes = 0;

  constructor(window: McapWindow, options: ResyncOptions) {
    this.#window = window;
    this.#options = options;
  }

  async judge(offset: number): Promise<McapFrame | NoFrame> {
    if (this.#judged?.offset === offset) return this.#judged.found;
    const frame = await this.#frameAt(offset);
    const anchor = this.#options.anchors.after(offset);
    const isOver = frame.kind === 'record' && anchor !== undefined && anchor < offset + frame.recordBytes;
    const found = isOver ? await this.#overAnchor(frame, anchor) : frame;
    this.#judged = { offset, found };
    return found;
  }

  async #frameAt(offset: number): Promise<McapFrame | NoFrame> {
    return frameAt(this.#window, offset, this.#options.region);
  }

  /** No record reaches over the begin of another, unless that one is no longer there and one stands behind this: blocks may be in wrong places. */
  async #overAnchor(frame: McapFrame, anchor: number): Promise<McapFrame | NoFrame> {
    const isThere = (await this.#frameAt(anchor)).kind === 'record';
    if (!isThere && (await this.#frameAt(frame.offset + frame.recordBytes)).kind === 'record') return frame;
    return none(`it reaches over byte ${anchor}, where the index has another record`, false);
  }

  /** A file ends with the magic bytes; behind anything but a footer they are the end too if nothing follows. */
  async endAt(offset: number): Promise<McapEnd | undefined> {
    if (this.#options.region === 'chunk') return undefined;
    const first = this.#window.peek(offset, 1)?.[0] ?? MAGIC[0];
    if (first !== MAGIC[0]) return undefined;
    const left = this.#window.sizeBytes - offset;
    if (left < MAGIC.length || !isMagic(await this.#window.view(offset, MAGIC.length))) return undefined;
    return { kind: 'end', hasMagic: true, bytesBehind: left - MAGIC.length };
  }

  /** Whether a record, the end, or a record that the end cuts off can stand there. */
  async isPlausible(offset: number): Promise<boolean> {
    if (offset === this.#window.sizeBytes) return true;
    if (offset > this.#window.sizeBytes) return false;
    const found = await this.judge(offset);
    if (found.kind === 'none') return found.isCut || (await this.endAt(offset)) !== undefined;
    if (found.opcode <= OPCODE.dataEnd) return true;
    // Any byte above 0x7f in front of some zeros looks like a record of an application: the one behind it tells.
    const end = offset + found.recordBytes;
    const behind = await this.judge(end);
    return behind.kind === 'record' || end === this.#window.sizeBytes || (await this.endAt(end)) !== undefined;
  }

  /** The next place, from an offset on, where records begin again. */
  async next(from: number): Promise<number | undefined> {
    const known = this.#searched;
    if (known !== undefined && known.from <= from && from <= (known.next ?? from)) return known.next;
    const next = await this.#find(from, this.#window.sizeBytes, async (offset) => this.#isFound(offset));
    this.#searched = { from, next };
    return next;
  }

  /**
   * Where the file goes on behind a chunk or attachment that is damaged. Bytes that are missing in it let its length lead into what follows, bytes too many
   * let it end among its own: then it reaches up to where records begin that stand in no chunk.
   */
  async endOf({ offset, recordBytes }: Pick<McapFrame, 'offset' | 'recordBytes'>): Promise<number> {
    const end = offset + recordBytes;
    const tried = new Set<number>();
    const inside = await this.#find(offset + RECORD_HEADER_BYTES, Math.min(end, this.#window.sizeBytes), async (at) =>
      this.#leadsOver(at, end, tried),
    );
    if (inside !== undefined || (await this.#isContinued(end))) return inside ?? end;
    const behind = await this.#find(end, this.#window.sizeBytes, async (at) => this.#isFileRecord(at));
    return behind ?? this.#window.sizeBytes;
  }

  /** The first of the places where a record may begin that a test believes. */
  async #find(from: number, to: number, isFound: (offset: number) => Promise<boolean>): Promise<number | undefined> {
    for (let base = from; base < to; base += SEARCH_BYTES) {
      this.#options.signal?.throwIfAborted();
      const bytes = await this.#window.view(base, SEARCH_BYTES + RECORD_HEADER_BYTES);
      const last = Math.min(SEARCH_BYTES - 1, to - base - 1, bytes.length - RECORD_HEADER_BYTES);
      for (let index = 0; index <= last; index += 1) {
        if (!looksLikeRecord(bytes, index, this.#options.region) || !this.#isAffordable(bytes, index, base)) continue;
        const readBefore = this.#window.readBytes;
        const isHere = await isFound(base + index);
        this.#judgedBytes += this.#window.readBytes - readBefore;
        if (isHere) return base + index;
      }
      this.#searchedBytes += Math.max(0, last + 1);
    }
    return undefined;
  }

  /** Whether a look into what a record claims is within what the search has earned. */
  #isAffordable(bytes: Uint8Array, index: number, base: number): boolean {
    const claimedBytes = uint64At(bytes, index + 1);
    if (claimedBytes <= HEAD_BYTES) return true;
    if (!LONG.has(bytes[index] as number)) {
      if (claimedBytes > Math.min(FOUND_RECORD_BYTES_MAX, this.#window.sizeBytes - base - index)) return false;
      this.#judgedBytes += claimedBytes;
    }
    return this.#judgedBytes <= JUDGED_BYTES_FREE + JUDGED_BYTES_PER_BYTE * this.#searchedBytes;
  }

  async #isFound(offset: number): Promise<boolean> {
    const found = await this.judge(offset);
    if (found.kind === 'none') return false;
    if (this.#options.anchors.has(offset)) return true;
    if (found.recordBytes > FOUND_RECORD_BYTES_MAX && !isStructured(found)) return false;
    const headBytes = Math.min(found.recordBytes - RECORD_HEADER_BYTES, FAMILIAR_BYTES);
    const head = await this.#window.view(offset + RECORD_HEADER_BYTES, headBytes);
    return this.#options.isFamiliar(found.opcode, head) || isDeclaration(found, head) || this.#isChain(offset);
  }

  /** Whether records follow one another from there on. */
  async #isChain(start: number): Promise<boolean> {
    let offset = start;
    for (let count = 0; count < CHAIN_RECORDS; count += 1) {
      if (offset === this.#window.sizeBytes) return count > 0;
      const found = await this.judge(offset);
      if (found.kind === 'none' && count === 1 && !isStructured(await this.judge(start)))
        return (await this.endAt(offset)) !== undefined;
      if (found.kind === 'none') return count > 0 && (await this.isPlausible(offset));
      offset += found.recordBytes;
    }
    return true;
  }

  /** Whether the file goes on or ends there: more than one record that could stand there by chance. */
  async #isContinued(offset: number): Promise<boolean> {
    if (offset >= this.#window.sizeBytes) return offset === this.#window.sizeBytes;
    return isOfFile(await this.judge(offset)) || this.#isChain(offset);
  }

  /** Whether records begin there that stand in no chunk. */
  async #isFileRecord(offset: number): Promise<boolean> {
    return isOfFile(await this.judge(offset)) && this.#isChain(offset);
  }

  /**
   * Whether records of the file follow one another from there on and one of them reaches over the end of the chunk around them: those that a
   * message carries do not. For a chunk that claims more than the file has, they reach the end of the file.
   */
  async #leadsOver(start: number, end: number, tried: Set<number>): Promise<boolean> {
    let offset = start;
    while (offset < end && !tried.has(offset) && tried.size < TRIED_RECORDS_MAX) {
      const found = await this.judge(offset);
      if (found.kind === 'none') return offset > start && (await this.endAt(offset))?.bytesBehind === 0;
      const isFitting = found.opcode === OPCODE.message ? offset > start : isCertain(found);
      if (!isFitting || (offset === start && !isOfFile(found))) return false;
      tried.add(offset);
      offset += found.recordBytes;
      if (offset > end) return isStructured(found) || this.isPlausible(offset);
    }
    return false;
  }
}

/** A record other than a message whose fields fill it, or nearly, as writers may add to them: few bytes do by chance. */
export function isCertain({ opcode, recordBytes, fieldBytes }: McapFrame): boolean {
  const addedBytes = recordBytes - RECORD_HEADER_BYTES - fieldBytes;
  return opcode <= OPCODE.dataEnd && opcode !== OPCODE.message && addedBytes <= ADDED_BYTES_MAX;
}

function isFull(recordBytes: number, fieldBytes: number): boolean {
  return recordBytes === RECORD_HEADER_BYTES + fieldBytes;
}

/** Chunks and attachments hold lengths that must agree with each other: chance makes none. */
export function isStructured(found: McapFrame | NoFrame): boolean {
  if (found.kind === 'none' || !isFull(found.recordBytes, found.fieldBytes)) return false;
  return found.opcode === OPCODE.chunk || found.opcode === OPCODE.attachment;
}

/** A schema or channel with a name: its three lengths agree with each other. */
function isDeclaration({ opcode, recordBytes, fieldBytes }: McapFrame, head: Uint8Array): boolean {
  if (opcode !== OPCODE.schema && opcode !== OPCODE.channel) return false;
  const nameAt = opcode === OPCODE.schema ? 2 : 4;
  return isFull(recordBytes, fieldBytes) && viewOf(head).getUint32(nameAt, true) > 0;
}

/** A record that stands in no chunk. */
function isOfFile(found: McapFrame | NoFrame): boolean {
  return found.kind === 'record' && found.opcode >= OPCODE.chunk && isCertain(found);
}

/** The cheap part of the judgement: a known opcode, and a length below 2^40. Hot path of a search. */
function looksLikeRecord(bytes: Uint8Array, index: number, region: McapRegion): boolean {
  const opcode = bytes[index] as number;
  if (opcode < OPCODE.footer || opcode > OPCODE.dataEnd) return false;
  if (region === 'chunk' && (opcode < OPCODE.schema || opcode > OPCODE.message)) return false;
  return bytes[index + 8] === 0 && bytes[index + 7] === 0 && bytes[index + 6] === 0;
}
