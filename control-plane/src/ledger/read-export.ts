/** Why: an export comes from somebody who may not be honest, and may be larger than memory: it is read in pieces, with a limit to every line, and nothing in it is believed before verifyLedger has seen it. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { FleetError, LEDGER_ENTRY_BYTES_MAX } from '@fleetloop/schemas';
import { EXPORT_END, EXPORT_LINE_BREAK, ExportHeader, LEAF_LINE_BYTES } from './ledger-export.ts';
import { TREE_HASH_BYTES, type TreeHash } from './merkle-tree.ts';

const READ_BYTES = 1024 * 1024;
/** A signed note as a JSON string: its limit, twice for escapes. */
const NOTE_LINE_BYTES_MAX = 128 * 1024;
/** Leaf hashes that are looked at in one go. */
const LEAVES_PER_BLOCK = 1_024;

export type LedgerExport = {
  readonly header: ExportHeader;
  readonly checkpoints: readonly string[];
  readonly leaves: () => AsyncIterable<TreeHash>;
  /** In the order of the file, numbered from 1. @throws FleetError LEDGER_EXPORT_INVALID when the file is cut off */
  readonly entries: () => AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }>;
};

/** Reads the head of the file. @throws FleetError LEDGER_EXPORT_INVALID; SOURCE_NOT_FOUND */
export async function openExport(path: string): Promise<LedgerExport> {
  const sizeBytes = await fileSize(path);
  await using lines = new LineReader(path, { from: 0, lineBytesMax: NOTE_LINE_BYTES_MAX });
  let offset = 0;
  const nextLine = async (): Promise<string> => {
    let line = lines.take();
    while (line === undefined) {
      if (!(await lines.fill())) throw invalid(path, 'it ends before its checkpoints do');
      line = lines.take();
    }
    offset += line.length + 1;
    return line.toString('utf8');
  };
  const header = parseHeader(path, await nextLine());
  const checkpoints: string[] = [];
  while (checkpoints.length < header.checkpoints) checkpoints.push(parseNote(path, await nextLine()));
  const entriesOffset = offset + header.entries * LEAF_LINE_BYTES;
  if (entriesOffset > sizeBytes) throw invalid(path, `it ends before its ${header.entries} leaf hashes do`);
  const leavesRange = { from: offset, count: header.entries };
  return {
    header,
    checkpoints,
    leaves: () => readLeaves(path, leavesRange),
    entries: () => readEntries(path, entriesOffset),
  };
}

async function* readLeaves(
  path: string,
  range: { readonly from: number; readonly count: number },
): AsyncIterable<TreeHash> {
  let count = 0;
  await using lines = new LineReader(path, { from: range.from, lineBytesMax: LEAF_LINE_BYTES });
  while (count < range.count) {
    const block = lines.takeBlock(Math.min(LEAVES_PER_BLOCK, range.count - count) * LEAF_LINE_BYTES);
    const hashes = hashesOf(block);
    if (hashes === undefined) throw invalid(path, `its leaf hash ${count + firstBadLine(block)} is not 64 hex digits`);
    for (let start = 0; start < hashes.length; start += TREE_HASH_BYTES)
      yield hashes.subarray(start, start + TREE_HASH_BYTES);
    count += hashes.length / TREE_HASH_BYTES;
    if (block.length === 0 && !(await lines.fill())) throw invalid(path, `it ends after ${count} leaf hashes`);
  }
}

/** The hashes of whole lines, one after another; undefined when a line is other than 64 small hex digits. */
function hashesOf(lines: Buffer): Buffer | undefined {
  const hex = lines.toString('latin1').replaceAll('\n', '');
  for (let end = LEAF_LINE_BYTES - 1; end < lines.length; end += LEAF_LINE_BYTES)
    if (lines[end] !== EXPORT_LINE_BREAK) return undefined;
  const hashes = Buffer.from(hex, 'hex');
  const isWhole = hashes.length * LEAF_LINE_BYTES === lines.length * TREE_HASH_BYTES;
  return isWhole && hashes.toString('hex') === hex ? hashes : undefined;
}

/** Counted from 1. */
function firstBadLine(lines: Buffer): number {
  let line = 0;
  while (hashesOf(lines.subarray(line * LEAF_LINE_BYTES, (line + 1) * LEAF_LINE_BYTES)) !== undefined) line += 1;
  return line + 1;
}

async function* readEntries(
  path: string,
  from: number,
): AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }> {
  let sequence = 0;
  // The end is told by its bytes, which no entry has: the first member of an entry is its actor.
  const end = Buffer.from(EXPORT_END);
  await using lines = new LineReader(path, { from, lineBytesMax: LEDGER_ENTRY_BYTES_MAX });
  do {
    for (let line = lines.take(); line !== undefined; line = lines.take()) {
      if (line.length === end.length && line.equals(end)) return;
      sequence += 1;
      yield { sequence, bytes: line };
    }
  } while (await lines.fill());
  throw invalid(path, `it is cut off after ${sequence} entries`);
}

/**
 * The lines from an offset on, without their breaks; they share memory, and are good until the next piece is read. Taking
 * one waits for nothing: a file has millions of them, and few pieces.
 */
class LineReader implements AsyncDisposable {
  readonly #path: string;
  readonly #lineBytesMax: number;
  readonly #pieces: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(path: string, { from, lineBytesMax }: { readonly from: number; readonly lineBytesMax: number }) {
    this.#path = path;
    this.#lineBytesMax = lineBytesMax;
    const stream = createReadStream(path, { start: from, highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** The next line of what has been read; undefined when more has to be. */
  take(): Buffer | undefined {
    const end = this.#bytes.indexOf(EXPORT_LINE_BREAK, this.#start);
    if (end < 0) return undefined;
    if (end - this.#start > this.#lineBytesMax) throw tooLong(this.#path, this.#lineBytesMax);
    const line = this.#bytes.subarray(this.#start, end);
    this.#start = end + 1;
    return line;
  }

  /** As much of what has been read as is whole lines of the longest kind, with their breaks; empty when more has to be read. */
  takeBlock(sizeBytesMax: number): Buffer {
    const sizeBytes = Math.min(sizeBytesMax, this.#bytes.length - this.#start);
    const block = this.#bytes.subarray(this.#start, this.#start + sizeBytes - (sizeBytes % this.#lineBytesMax));
    this.#start += block.length;
    return block;
  }

  /** Reads on; false at the end of the file. */
  async fill(): Promise<boolean> {
    const rest = this.#bytes.subarray(this.#start);
    if (rest.length > this.#lineBytesMax) throw tooLong(this.#path, this.#lineBytesMax);
    const { value, done } = await this.#pieces.next();
    if (done === true) {
      if (rest.length > 0) throw invalid(this.#path, 'it ends in the middle of a line');
      return false;
    }
    this.#bytes = rest.length === 0 ? value : Buffer.concat([rest, value]);
    this.#start = 0;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces.return?.();
  }
}

async function fileSize(path: string): Promise<number> {
  try {
    await using file = await open(path, 'r');
    return (await file.stat()).size;
  } catch (cause) {
    throw new FleetError('SOURCE_NOT_FOUND', `the export ${path} cannot be read`, { cause });
  }
}

function parseHeader(path: string, line: string): ExportHeader {
  const parsed = ExportHeader.safeParse(parseJson(line));
  if (parsed.success) return parsed.data;
  throw invalid(path, 'its first line is not the header of an export that this release reads');
}

function parseNote(path: string, line: string): string {
  const note = parseJson(line);
  if (typeof note === 'string') return note;
  throw invalid(path, 'one of its checkpoints is not a JSON string');
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function tooLong(path: string, bytesMax: number): FleetError {
  return invalid(path, `a line has over ${bytesMax} bytes`);
}

function invalid(path: string, what: string): FleetError {
  return new FleetError('LEDGER_EXPORT_INVALID', `${path} is not a whole export of a ledger: ${what}; export it again`);
}
