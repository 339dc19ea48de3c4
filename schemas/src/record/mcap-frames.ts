/** Whether a record can stand at a place: its length and its fields must fit. The one judgement that walking and resynchronising share. */
import { OPCODE, RECORD_HEADER_BYTES, uint64At } from './mcap-bytes.ts';
import { fieldBytes } from './mcap-fields.ts';
import type { McapWindow } from './mcap-memory.ts';
import { MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX } from './mcap-unpack.ts';

/** One record; its content is read by whoever wants it. */
export type McapFrame = {
  readonly kind: 'record';
  readonly opcode: number;
  readonly offset: number;
  /** Opcode, length and content. */
  readonly recordBytes: number;
  /** Bytes of the content that its fields take; a record may be longer. */
  readonly fieldBytes: number;
  /** What its length field should say and does not: the record was read by its fields instead. */
  readonly mended?: string;
};
/** Why no record stands at a place. */
export type NoFrame = {
  readonly kind: 'none';
  readonly why: string;
  /** Whether the file ends in front of its end. */
  readonly isCut: boolean;
  /** What a chunk claims that would stand there, but for its end: the rest of it may be there. */
  readonly chunkBytes?: number;
};

/** Largest record that is held in memory, bytes; a chunk is the largest kind. Attachments are read piece by piece. */
export const MCAP_RECORD_HELD_BYTES_MAX = MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX + 64 * 1024;
/** What is looked at of a record whose data is long. */
export const HEAD_BYTES = 4_096;
/** With so many bytes, the fields of a record that the end cuts off show whether they are some. */
const FIELDS_BYTES_MIN = 64;
const LAST_KNOWN_OPCODE = OPCODE.dataEnd;
/** Opcodes from here on are those of applications. */
const PRIVATE_OPCODE = 0x80;
const IN_CHUNK: ReadonlySet<number> = new Set([OPCODE.schema, OPCODE.channel, OPCODE.message]);
/** Records with long data, of which the head tells enough. */
export const LONG: ReadonlySet<number> = new Set([OPCODE.chunk, OPCODE.message, OPCODE.attachment]);

export type McapRegion = 'file' | 'chunk';

/** Judges what stands at an offset. */
export async function frameAt(window: McapWindow, offset: number, region: McapRegion): Promise<McapFrame | NoFrame> {
  const left = window.sizeBytes - offset;
  if (left < RECORD_HEADER_BYTES) return none('the file ends in the middle of a record', true);
  const header = window.peek(offset, RECORD_HEADER_BYTES) ?? (await window.view(offset, RECORD_HEADER_BYTES));
  const opcode = header[0] ?? 0;
  const contentBytes = uint64At(header, 1);
  const problem = headerProblem(opcode, contentBytes, region);
  if (problem !== undefined) return none(problem, false);
  const isLong = LONG.has(opcode);
  const headBytes = Math.min(
    contentBytes,
    left - RECORD_HEADER_BYTES,
    isLong ? HEAD_BYTES : MCAP_RECORD_HELD_BYTES_MAX,
  );
  const start = offset + RECORD_HEADER_BYTES;
  const isCut = contentBytes > left - RECORD_HEADER_BYTES;
  // Nearly any bytes are the begin of a long record of an application.
  if (isCut && !isLong) return none(cutText(contentBytes, left), opcode <= LAST_KNOWN_OPCODE);
  const head = window.peek(start, headBytes) ?? (await window.view(start, headBytes));
  const taken = opcode > LAST_KNOWN_OPCODE ? contentBytes : fieldBytes(opcode, head, contentBytes);
  if (taken === undefined) return none('its fields do not fit into the record', isCut && headBytes < FIELDS_BYTES_MIN);
  if (isCut) {
    const cut = none(cutText(contentBytes, left), true);
    const isChunk = opcode === OPCODE.chunk && taken === contentBytes;
    return isChunk ? { ...cut, chunkBytes: RECORD_HEADER_BYTES + contentBytes } : cut;
  }
  return { kind: 'record', opcode, offset, recordBytes: RECORD_HEADER_BYTES + contentBytes, fieldBytes: taken };
}

/** The same record with the length that its own fields ask for, whatever its length field says. Chunks and attachments know theirs. */
export async function frameByFields(window: McapWindow, offset: number): Promise<McapFrame | undefined> {
  const left = window.sizeBytes - offset - RECORD_HEADER_BYTES;
  if (left <= 0) return undefined;
  const bytes = await window.view(offset, RECORD_HEADER_BYTES + Math.min(left, HEAD_BYTES));
  const opcode = bytes[0] ?? 0;
  if (opcode !== OPCODE.chunk && opcode !== OPCODE.attachment) return undefined;
  const taken = fieldBytes(opcode, bytes.subarray(RECORD_HEADER_BYTES), left);
  if (taken === undefined) return undefined;
  const mended = `its length says ${uint64At(bytes, 1)} bytes, its fields take ${taken}`;
  return { kind: 'record', opcode, offset, recordBytes: RECORD_HEADER_BYTES + taken, fieldBytes: taken, mended };
}

function headerProblem(opcode: number, contentBytes: number, region: McapRegion): string | undefined {
  if (opcode === 0) return 'a record has the opcode 0, which no record has';
  if (region === 'chunk' && !IN_CHUNK.has(opcode)) return `a chunk holds a record with the opcode ${opcode}`;
  if (opcode > LAST_KNOWN_OPCODE && opcode < PRIVATE_OPCODE) return `the opcode ${opcode} is not known`;
  if (opcode !== OPCODE.attachment && contentBytes > MCAP_RECORD_HELD_BYTES_MAX)
    return `a record claims ${contentBytes} bytes, more than ${MCAP_RECORD_HELD_BYTES_MAX}`;
  return undefined;
}

export const none = (why: string, isCut: boolean): NoFrame => ({ kind: 'none', why, isCut });
const cutText = (contentBytes: number, left: number): string =>
  `the file is cut off: a record of ${contentBytes + RECORD_HEADER_BYTES} bytes has ${left}`;

/** Places where a record begins for certain, ascending. */
export class Anchors {
  readonly #places: readonly number[];
  #next = 0;

  constructor(places: Iterable<number>) {
    this.#places = [...new Set(places)].toSorted((a, b) => a - b);
  }

  has(offset: number): boolean {
    return this.#places[this.#indexAfter(offset - 1)] === offset;
  }

  /** The first place behind an offset. */
  after(offset: number): number | undefined {
    return this.#places[this.#indexAfter(offset)];
  }

  /** Offsets are asked for in about ascending order: the place of the last answer is the place to begin. */
  #indexAfter(offset: number): number {
    while (this.#next > 0 && (this.#places[this.#next - 1] as number) > offset) this.#next -= 1;
    while (this.#next < this.#places.length && (this.#places[this.#next] as number) <= offset) this.#next += 1;
    return this.#next;
  }
}
