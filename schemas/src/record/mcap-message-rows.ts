/**
 * The messages of a chunk that was made elsewhere, as columns: what its message indexes are made of when it goes into a file. Encoded
 * by typed arrays in the machine's byte order, which is that of MCAP on every machine that this runs on: a DataView costs ten times as much.
 */
import { OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import type { MessageIndexPlace } from './mcap-message-index.ts';

/** Opcode, length, channel and length of the entries. */
const INDEX_HEADER_BYTES = 15;
/** Log time and offset, 64 bits each. */
const INDEX_ENTRY_BYTES = 16;
const ENTRY_WORDS = INDEX_ENTRY_BYTES / 4;
const WORD = 2 ** 32;

/** One row for each message, in the order of the chunk. */
export type MessageRows = {
  readonly count: number;
  readonly channelIds: Uint16Array;
  /** Log time as a distance from `baseNs`, ns. */
  readonly times: Float64Array;
  readonly baseNs: bigint;
  /** Where the record begins in the uncompressed chunk. */
  readonly offsets: Uint32Array;
};

/** What is known of the rows after one look at each. */
export type RowSummary = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Messages per channel, in the order of their first message. */
  readonly counts: ReadonlyMap<number, number>;
  /** Bytes that their index records take. */
  readonly indexBytes: number;
};

/** Looks at all rows; there is at least one. */
export function summarizeRows({ count, channelIds, times, baseNs }: MessageRows): RowSummary {
  const seen: number[] = [];
  const order: number[] = [];
  let earliest = times[0] as number;
  let latest = earliest;
  for (let row = 0; row < count; row += 1) {
    const channelId = channelIds[row] as number;
    const messages = seen[channelId];
    if (messages === undefined) order.push(channelId);
    seen[channelId] = (messages ?? 0) + 1;
    const time = times[row] as number;
    if (time < earliest) earliest = time;
    else if (time > latest) latest = time;
  }
  return {
    startNs: baseNs + BigInt(earliest),
    endNs: baseNs + BigInt(latest),
    counts: new Map(order.map((channelId) => [channelId, seen[channelId] ?? 0])),
    indexBytes: order.length * INDEX_HEADER_BYTES + count * INDEX_ENTRY_BYTES,
  };
}

/** Writes a MessageIndex record for each channel at `start` of `target`, where there is room for `indexBytes`. */
export function encodeRows(
  rows: MessageRows,
  counts: ReadonlyMap<number, number>,
  target: Uint8Array,
  start: number,
): readonly MessageIndexPlace[] {
  const entries = new Uint8Array(sortedEntries(rows, counts).buffer);
  const view = viewOf(target);
  const places: MessageIndexPlace[] = [];
  let offset = start;
  let taken = 0;
  for (const [channelId, messages] of counts) {
    const size = messages * INDEX_ENTRY_BYTES;
    places.push({ channelId, messages, offset: offset - start });
    writeHeader(view, offset, channelId, size);
    target.set(entries.subarray(taken, taken + size), offset + INDEX_HEADER_BYTES);
    taken += size;
    offset += INDEX_HEADER_BYTES + size;
  }
  return places;
}

// oxlint-disable-next-line eslint/max-params -- once per channel of each chunk: an object would be garbage
function writeHeader(view: DataView, offset: number, channelId: number, size: number): void {
  view.setUint8(offset, OPCODE.messageIndex);
  view.setUint32(offset + 1, INDEX_HEADER_BYTES - RECORD_HEADER_BYTES + size, true);
  view.setUint32(offset + 5, 0, true);
  view.setUint16(offset + 9, channelId, true);
  view.setUint32(offset + 11, size, true);
}

/** The entries of one channel behind those of another, each channel's in the order of the rows. */
function sortedEntries(rows: MessageRows, counts: ReadonlyMap<number, number>): Uint32Array<ArrayBuffer> {
  const { count, channelIds, times, offsets, baseNs } = rows;
  const baseHigh = Number(baseNs >> 32n);
  const baseLow = Number(baseNs & 0xffff_ffffn);
  const entries = new Uint32Array(count * ENTRY_WORDS);
  const cursors: number[] = [];
  let next = 0;
  for (const [channelId, messages] of counts) {
    cursors[channelId] = next;
    next += messages * ENTRY_WORDS;
  }
  for (let row = 0; row < count; row += 1) {
    const channelId = channelIds[row] as number;
    const cursor = cursors[channelId] as number;
    cursors[channelId] = cursor + ENTRY_WORDS;
    const low = baseLow + (times[row] as number);
    const carry = Math.floor(low / WORD);
    entries[cursor] = low - carry * WORD;
    entries[cursor + 1] = baseHigh + carry;
    entries[cursor + 2] = offsets[row] as number;
  }
  return entries;
}
