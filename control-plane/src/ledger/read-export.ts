/** Why: an export comes from somebody who may not be honest, and may be larger than memory: it is read in pieces, with a limit to every line, and nothing in it is believed before verifyLedger has seen it. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { FleetError, LEDGER_ENTRY_BYTES_MAX } from '@fleetloop/schemas';
import { EXPORT_END, EXPORT_LINE_BREAK, ExportHeader, LEAF_LINE_BYTES } from './ledger-export.ts';
import type { TreeHash } from './merkle-tree.ts';

const READ_BYTES = 1024 * 1024;
/** A signed note as a JSON string: its limit, twice for escapes. */
const NOTE_LINE_BYTES_MAX = 128 * 1024;

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
  const lines = readLines(path, { from: 0, lineBytesMax: NOTE_LINE_BYTES_MAX })[Symbol.asyncIterator]();
  let offset = 0;
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw invalid(path, 'it ends before its checkpoints do');
    offset += value.length + 1;
    return value.toString('utf8');
  };
  try {
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
  } finally {
    await lines.return?.(undefined);
  }
}

async function* readLeaves(
  path: string,
  range: { readonly from: number; readonly count: number },
): AsyncIterable<TreeHash> {
  if (range.count === 0) return;
  let count = 0;
  for await (const line of readLines(path, { from: range.from, lineBytesMax: LEAF_LINE_BYTES })) {
    const text = line.toString('latin1');
    if (!/^[0-9a-f]{64}$/.test(text)) throw invalid(path, `its leaf hash ${count + 1} is not 64 hex digits`);
    yield Buffer.from(text, 'hex');
    count += 1;
    if (count === range.count) return;
  }
}

async function* readEntries(
  path: string,
  from: number,
): AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }> {
  let sequence = 0;
  // The end is told by its bytes, which no entry has: the first member of an entry is its actor.
  const end = Buffer.from(EXPORT_END);
  for await (const line of readLines(path, { from, lineBytesMax: LEDGER_ENTRY_BYTES_MAX })) {
    if (line.length === end.length && line.equals(end)) return;
    sequence += 1;
    yield { sequence, bytes: line };
  }
  throw invalid(path, `it is cut off after ${sequence} entries`);
}

/** The lines from an offset on, without their breaks; they share memory, and are good until the next one is asked for. */
async function* readLines(
  path: string,
  { from, lineBytesMax }: { readonly from: number; readonly lineBytesMax: number },
): AsyncIterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, {
    start: from,
    highWaterMark: READ_BYTES,
  }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(EXPORT_LINE_BREAK); end >= 0; end = bytes.indexOf(EXPORT_LINE_BREAK, start)) {
      if (end - start > lineBytesMax) throw tooLong(path, lineBytesMax);
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > lineBytesMax) throw tooLong(path, lineBytesMax);
  }
  if (rest.length > 0) throw invalid(path, 'it ends in the middle of a line');
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
