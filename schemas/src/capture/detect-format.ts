/** Tells the format of a file by its content; names lie. */
import { isMagic, MAGIC } from '../record/mcap-bytes.ts';
import type { Mapping } from './mapping-formats.ts';
import type { SourceFiles } from './source-files.ts';

export type SourceFormat = Mapping['format'];

/** Bytes at the start of a file that are looked at. */
const START_BYTES = 4_096;
const ULOG_MAGIC = [0x55, 0x4c, 0x6f, 0x67, 0x01, 0x12, 0x35];
const PARQUET_MAGIC = [0x50, 0x41, 0x52, 0x31];
const NPY_MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const CANDUMP_LINE =
  /^\s*\(\d+\.\d+\)\s+\S+\s+(?:[0-9A-Fa-f]{3,8}#|[0-9A-Fa-f]{3,8}\s+\[)|^\s*[a-z]+\d+\s+[0-9A-F]{3,8}\s+\[\d+\]/;

/** The format that the first bytes of a file show, or undefined when they show none that describes itself. */
export function detectFormat(start: Uint8Array): SourceFormat | undefined {
  if (isMagic(start.subarray(0, MAGIC.length))) return 'mcap';
  if (startsWith(start, ULOG_MAGIC)) return 'ulog';
  if (startsWith(start, PARQUET_MAGIC)) return 'parquet';
  if (startsWith(start, NPY_MAGIC)) return 'npy';
  const line =
    new TextDecoder('latin1')
      .decode(start)
      .split('\n')
      .find((text) => text.trim() !== '') ?? '';
  return CANDUMP_LINE.test(line) ? 'candump' : undefined;
}

/** The first bytes of a file, unpacked if it is compressed. @throws FleetError SOURCE_NOT_FOUND, SOURCE_FORMAT */
export async function readStart(files: SourceFiles, path: string): Promise<Uint8Array> {
  const start = new Uint8Array(START_BYTES);
  let filled = 0;
  for await (const piece of files.read(path)) {
    const part = piece.subarray(0, START_BYTES - filled);
    start.set(part, filled);
    filled += part.length;
    if (filled === START_BYTES) break;
  }
  return start.subarray(0, filled);
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
