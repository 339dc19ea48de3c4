/**
 * Walks over the records of a file, or of an unpacked chunk, whatever state they are in: where no record can stand it says which bytes are
 * damaged and goes on at the next place from which records follow one another again. Holds one window of the file.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, uint64At } from './mcap-bytes.ts';
import {
  Anchors,
  frameByFields,
  type McapFrame,
  MCAP_RECORD_HELD_BYTES_MAX,
  type McapRegion,
  type NoFrame,
} from './mcap-frames.ts';
import { type McapBytes, McapWindow } from './mcap-memory.ts';
import { isCertain, isStructured, type McapEnd, McapResync } from './mcap-resync.ts';

/** Bytes in which no record stands. */
export type McapDamage = {
  readonly kind: 'damage';
  readonly fromByte: number;
  readonly toByte: number;
  readonly why: string;
  /** Whether a chunk begins there that is not what it claims to be: some of it may be left. */
  readonly isChunk: boolean;
};
export type McapWalked = McapFrame | McapDamage | McapEnd;

/** Magic bytes that may be damaged: with this many right it is still an MCAP file. */
const MAGIC_BYTES_ALIKE_MIN = 5;
/** Bytes of a file that may be read a second time beyond its own size, where damaged records reach into those that follow. */
const TWICE_BYTES_FREE = 4 * 1024 * 1024;

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
  readonly #resync: McapResync;
  readonly #isFamiliar: (opcode: number, head: Uint8Array) => boolean;
  readonly #signal: AbortSignal | undefined;
  /** Bytes that damaged records claim and that are read again as what they are. */
  #twiceBytes = 0;
  /** Where to go on instead of behind the last item. */
  #resumeAt: number | undefined;

  constructor(bytes: McapBytes, options: McapWalkOptions = {}) {
    this.#window = new McapWindow(bytes);
    this.#region = options.region ?? 'file';
    this.#anchors = new Anchors(options.anchors ?? []);
    this.#isFamiliar = options.isFamiliar ?? (() => false);
    this.#signal = options.signal;
    this.#resync = new McapResync(this.#window, {
      region: this.#region,
      anchors: this.#anchors,
      isFamiliar: this.#isFamiliar,
      signal: options.signal,
    });
  }

  /** The bytes between a record's length and its end; valid until the next call. */
  async content({ offset, recordBytes }: Pick<McapFrame, 'offset' | 'recordBytes'>): Promise<Uint8Array> {
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
      if (start > MAGIC.length || !(await this.#hasMagic()))
        yield damage(0, start, { why: 'it does not begin with the magic bytes' });
      offset = start;
    }
    while (offset < this.#window.sizeBytes) {
      this.#signal?.throwIfAborted();
      const end = await this.#resync.endAt(offset);
      if (end !== undefined) return yield end;
      const item = await this.#itemAt(offset);
      yield item;
      offset = this.#resumeAt ?? (item.kind === 'damage' ? item.toByte : item.offset + item.recordBytes);
      this.#resumeAt = undefined;
    }
    if (this.#region === 'file') yield { kind: 'end', hasMagic: false, bytesBehind: 0 };
  }

  /**
   * Where a chunk or attachment ends that was found to be damaged, and the walk goes on. To be asked while it is the last item. Only a chunk
   * whose records stand in the file as they are is ever longer than it claims.
   */
  async endOf(
    { offset, recordBytes }: Pick<McapFrame, 'offset' | 'recordBytes'>,
    { isPlainChunk }: { readonly isPlainChunk: boolean },
  ): Promise<number> {
    const claimed = offset + recordBytes;
    if (this.#anchors.has(claimed) || this.#twiceBytes > TWICE_BYTES_FREE + this.#window.sizeBytes) return claimed;
    const found = await this.#resync.endOf({ offset, recordBytes });
    if (found > claimed && (!isPlainChunk || found - offset > MCAP_RECORD_HELD_BYTES_MAX)) return claimed;
    this.#twiceBytes += Math.max(0, claimed - found);
    this.#resumeAt = found;
    return found;
  }

  /**
   * The walk goes on inside a record whose content is known to be wrong: bytes missing in it let it reach over others. Gives where, if anything
   * stands there. To be asked while it is the last item.
   */
  async enter({ offset, recordBytes }: Pick<McapFrame, 'offset' | 'recordBytes'>): Promise<number | undefined> {
    if (this.#twiceBytes > TWICE_BYTES_FREE + this.#window.sizeBytes) return undefined;
    const inside = await this.#resync.next(offset + RECORD_HEADER_BYTES);
    if (inside === undefined || inside >= offset + recordBytes) return undefined;
    this.#twiceBytes += offset + recordBytes - inside;
    this.#resumeAt = inside;
    return inside;
  }

  /** Where the first record stands. */
  async #start(): Promise<number> {
    if (await this.#hasMagic()) return MAGIC.length;
    const begin = await this.#window.view(0, MAGIC.length);
    const alike = MAGIC.filter((byte, index) => begin[index] === byte).length;
    const isAlike = alike >= MAGIC_BYTES_ALIKE_MIN;
    if (isAlike && (await this.#resync.isPlausible(MAGIC.length))) return MAGIC.length;
    const first = await this.#resync.next(0);
    if (first !== undefined) return first;
    if (isAlike) return MAGIC.length;
    throw new FleetError('SOURCE_FORMAT', 'this is no MCAP file: neither its first bytes nor any record in it say so');
  }

  async #hasMagic(): Promise<boolean> {
    return isMagic((await this.#window.view(0, MAGIC.length)).subarray(0, MAGIC.length));
  }

  async #itemAt(offset: number): Promise<McapFrame | McapDamage> {
    const found = await this.#resync.judge(offset);
    if (found.kind === 'record' && isStructured(found)) return found;
    const mended = await this.#mend(offset, found);
    if (mended !== undefined) return mended;
    if (found.kind === 'record') return this.#judgeNeighbour(found);
    if (found.chunkBytes !== undefined) {
      const chunkEnd = await this.#resync.endOf({ offset, recordBytes: found.chunkBytes });
      return damage(offset, chunkEnd, { why: found.why, isChunk: true });
    }
    const next = await this.#resync.next(offset + 1);
    return damage(offset, next ?? this.#window.sizeBytes, found);
  }

  /** Either a record's length is wrong or what follows is damaged: records inside of it tell, and what is left behind it. */
  async #judgeNeighbour(found: McapFrame): Promise<McapFrame | McapDamage> {
    const end = found.offset + found.recordBytes;
    if (await this.#resync.isPlausible(end)) return found;
    const next = (await this.#resync.next(found.offset + RECORD_HEADER_BYTES)) ?? this.#window.sizeBytes;
    if (next >= end && (isCertain(found) || (await this.#isSpoilt(found, next)))) return found;
    return damage(found.offset, next, { why: 'the length of a record is wrong' });
  }

  /**
   * Whether a damaged record begins behind a message, and not the damaged rest of the message itself: its opcode is known, its length leads to
   * the next record, or its content is familiar.
   */
  async #isSpoilt(message: McapFrame, next: number): Promise<boolean> {
    const offset = message.offset + message.recordBytes;
    if (next === offset) return true;
    const header = await this.#window.view(offset, RECORD_HEADER_BYTES);
    if (header.length < RECORD_HEADER_BYTES) return true;
    // Bytes that were never written may have begun in front of the end of a message that ends with zeros as well.
    if (header.every((byte) => byte === 0)) return (await this.#window.view(offset - 1, 1))[0] !== 0;
    const opcode = header[0] as number;
    const isKnown = opcode >= OPCODE.schema && opcode <= OPCODE.dataEnd;
    const claimed = offset + RECORD_HEADER_BYTES + uint64At(header, 1);
    const isCut = next === this.#window.sizeBytes && claimed > next && claimed - offset <= MCAP_RECORD_HELD_BYTES_MAX;
    if (isKnown || isCut || claimed === next) return true;
    return this.#isFamiliar(OPCODE.message, await this.#window.view(offset + RECORD_HEADER_BYTES, FAMILIAR_BYTES));
  }

  /** A record that says itself how long it is, if the length in front of it leads nowhere and its own does. */
  async #mend(offset: number, found: McapFrame | NoFrame): Promise<McapFrame | undefined> {
    if (found.kind === 'record' && (await this.#resync.isPlausible(offset + found.recordBytes))) return undefined;
    const byFields = await frameByFields(this.#window, offset);
    if (byFields === undefined || !(await this.#resync.isPlausible(offset + byFields.recordBytes))) return undefined;
    return byFields;
  }
}

/** What is shown of a record whose header is spoilt. */
const FAMILIAR_BYTES = 64;

function damage(
  fromByte: number,
  toByte: number,
  { why, isChunk = false }: { readonly why: string; readonly isChunk?: boolean },
): McapDamage {
  return { kind: 'damage', fromByte, toByte, why, isChunk };
}
