/** Takes an MCAP file apart into records while it streams in: the file's own records, and those inside its chunks. */
import { FleetError } from '../errors/fleet-error.ts';
import { FieldReader, isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES, viewOf } from '../record/mcap-bytes.ts';
import { readChunkHead } from '../record/mcap-fields.ts';
import { MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX, unpackChunk } from '../record/mcap-unpack.ts';
import { ByteReader } from './byte-reader.ts';

/** Largest record that is held, bytes; a chunk is the largest kind. Attachments are passed over, whatever their size. */
const RECORD_BYTES_MAX = MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX + 64 * 1024;
const ATTACHMENT_OPCODE = 0x09;

/** One record; `byte` is where it, or the chunk that holds it, starts in the file. */
export type McapRecord = { readonly opcode: number; readonly content: Uint8Array; readonly byte: number };

/** What is wrong with a file, and where. */
export function mcapDamage(fileName: string, byte: number, what: string, cause?: unknown): FleetError {
  return new FleetError('SOURCE_FORMAT', `${fileName}, byte ${byte}: ${what}`, {
    cause,
    details: { file: fileName, byte },
  });
}

/**
 * Gives all records up to the footer in the order of the file, those of chunks in place of their chunk. A chunk comes whole or not at all:
 * it is unpacked and its CRC compared before its first record is given.
 * @throws FleetError `SOURCE_FORMAT` with `byte` in its details, after everything that was intact before that byte
 */
export async function* readMcapRecords(
  pieces: AsyncIterable<Uint8Array>,
  fileName: string,
): AsyncGenerator<McapRecord, void, undefined> {
  const reader = new ByteReader(pieces);
  try {
    await readMagic(reader, fileName, 'is no MCAP file');
    while (true) {
      const record = await nextRecord(reader, fileName);
      if (record.opcode === OPCODE.footer) break;
      if (record.opcode === OPCODE.chunk) yield* chunkRecords(record, fileName);
      else yield record;
    }
    await readMagic(reader, fileName, 'does not end with the magic bytes after its footer');
  } finally {
    await reader.close();
  }
}

async function readMagic(reader: ByteReader, fileName: string, what: string): Promise<void> {
  const byte = reader.offset;
  const bytes = await reader.take(MAGIC.length);
  if (bytes === undefined || !isMagic(bytes)) throw mcapDamage(fileName, byte, `the file ${what}`);
}

async function nextRecord(reader: ByteReader, fileName: string): Promise<McapRecord> {
  const byte = reader.offset;
  const truncated = (): FleetError =>
    mcapDamage(fileName, byte, 'the file is cut off: it ends here without a footer; what came before is whole');
  const header = await reader.take(RECORD_HEADER_BYTES);
  if (header === undefined) throw truncated();
  const opcode = header[0] ?? 0;
  const length = Number(viewOf(header).getBigUint64(1, true));
  if (opcode === 0) throw mcapDamage(fileName, byte, 'a record has the opcode 0, which no record has');
  if (opcode === ATTACHMENT_OPCODE) {
    if (!(await reader.skip(length))) throw truncated();
    return { opcode, content: new Uint8Array(0), byte };
  }
  if (length > RECORD_BYTES_MAX)
    throw mcapDamage(fileName, byte, `a record claims ${length} bytes, more than ${RECORD_BYTES_MAX}`);
  const content = await reader.take(length);
  if (content === undefined) throw truncated();
  return { opcode, content, byte };
}

/** Runs a parser over a record; what it refuses becomes damage at that byte. */
export function parseAt<T>(fileName: string, byte: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof FleetError && cause.code === 'SOURCE_FORMAT') throw cause;
    throw mcapDamage(fileName, byte, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function* chunkRecords(chunk: McapRecord, fileName: string): Generator<McapRecord, void, undefined> {
  const { byte } = chunk;
  const records = parseAt(fileName, byte, () => {
    const fields = new FieldReader(chunk.content);
    const { packedBytes, ...head } = readChunkHead(fields);
    return unpackChunk({ ...head, packed: fields.bytes(Number(packedBytes)) });
  });
  const view = viewOf(records);
  for (let offset = 0; offset < records.length; ) {
    const start = offset + RECORD_HEADER_BYTES;
    const length = start > records.length ? 0 : Number(view.getBigUint64(offset + 1, true));
    if (start + length > records.length) throw mcapDamage(fileName, byte, 'a chunk ends in the middle of a record');
    yield { opcode: records[offset] ?? 0, content: records.subarray(start, start + length), byte };
    offset = start + length;
  }
}
