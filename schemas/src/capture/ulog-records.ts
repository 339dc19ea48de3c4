/** Takes a PX4 ULog file apart into its messages while it streams in (docs.px4.io, "ULog File Format"). */
import { FleetError } from '../errors/fleet-error.ts';
import { viewOf } from '../record/mcap-bytes.ts';
import { ByteReader } from './byte-reader.ts';

const MAGIC = [0x55, 0x4c, 0x6f, 0x67, 0x01, 0x12, 0x35];
const HEADER_BYTES = 16;
const MESSAGE_HEADER_BYTES = 3;
/** Type of the first record, which is the header of the file: magic, version, and the time since boot at which logging began (µs). */
export const ULOG_HEADER = 'header';
/** Where that time stands in the header. */
export const ULOG_HEADER_TIME_OFFSET = 8;
/** Compatible and incompatible flags, then the offsets of appended data. */
const FLAG_BITS_BYTES = 40;
const APPENDED_OFFSETS_MAX = 3;
/** The one incompatible flag that this reader knows. */
const DATA_APPENDED_BIT = 1;

/** One message of the file; `byte` is where it starts. */
export type UlogRecord = { readonly type: string; readonly content: Uint8Array; readonly byte: number };

/** What is wrong with a file, and where. */
export function ulogDamage(fileName: string, byte: number, what: string): FleetError {
  return new FleetError('SOURCE_FORMAT', `${fileName}, byte ${byte}: ${what}`, { details: { file: fileName, byte } });
}

/**
 * Gives the messages in the order of the file. Data that was appended after a crash is found by its offset; the message that the crash cut off
 * before it is left out.
 * @throws FleetError `SOURCE_FORMAT` with `byte` in its details, after everything before that byte
 */
export async function* readUlogRecords(
  pieces: AsyncIterable<Uint8Array>,
  fileName: string,
): AsyncGenerator<UlogRecord, void, undefined> {
  const reader = new ByteReader(pieces);
  let appended: readonly number[] = [];
  try {
    const header = await reader.take(HEADER_BYTES);
    if (header === undefined || MAGIC.some((byte, index) => header[index] !== byte))
      throw ulogDamage(fileName, 0, 'the file is no ULog');
    yield { type: ULOG_HEADER, content: header, byte: 0 };
    while (!(await reader.isAtEnd())) {
      const byte = reader.offset;
      const record = await nextRecord(
        reader,
        fileName,
        appended.find((offset) => offset > byte),
      );
      if (record === undefined) continue;
      if (record.type === 'B') appended = appendedOffsets(record, fileName);
      else yield record;
    }
  } finally {
    await reader.close();
  }
}

/** The next message, or undefined when it is cut off by the start of appended data, which is where the reader stands then. */
async function nextRecord(
  reader: ByteReader,
  fileName: string,
  appendedAt: number | undefined,
): Promise<UlogRecord | undefined> {
  const byte = reader.offset;
  const cut = (): FleetError => ulogDamage(fileName, byte, 'the file is cut off inside a message');
  const room = appendedAt === undefined ? Number.POSITIVE_INFINITY : appendedAt - byte;
  if (room < MESSAGE_HEADER_BYTES) {
    if (!(await reader.skip(room))) throw cut();
    return undefined;
  }
  const header = await reader.take(MESSAGE_HEADER_BYTES);
  if (header === undefined) throw cut();
  const sizeBytes = viewOf(header).getUint16(0, true);
  const type = String.fromCharCode(header[2] ?? 0);
  if (MESSAGE_HEADER_BYTES + sizeBytes > room) {
    if (!(await reader.skip(room - MESSAGE_HEADER_BYTES))) throw cut();
    return undefined;
  }
  if (!/[A-Z]/.test(type))
    throw ulogDamage(fileName, byte, 'no message of the format starts here; the file is damaged');
  const content = await reader.take(sizeBytes);
  if (content === undefined) throw cut();
  return { type, content, byte };
}

function appendedOffsets({ content, byte }: UlogRecord, fileName: string): readonly number[] {
  if (content.length < FLAG_BITS_BYTES) throw ulogDamage(fileName, byte, 'the flag bits are cut off');
  const incompatible = content.subarray(8, 16);
  const unknown = incompatible.some((bits, index) => (index === 0 ? bits & ~DATA_APPENDED_BIT : bits) !== 0);
  if (unknown)
    throw ulogDamage(fileName, byte, 'the file uses a newer form of the format, which this version cannot read');
  const view = viewOf(content);
  const offsets = Array.from({ length: APPENDED_OFFSETS_MAX }, (_, index) =>
    Number(view.getBigUint64(16 + index * 8, true)),
  );
  return offsets.filter((offset) => offset > 0).toSorted((a, b) => a - b);
}
