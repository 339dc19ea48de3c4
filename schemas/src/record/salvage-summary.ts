/** The summary of a damaged file. Where bytes are missing or too many in front of it, it stands elsewhere than the footer says, and is whole. */
import { isMagic, MAGIC, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import type { McapBytes } from './mcap-memory.ts';
import {
  readFooterAtEnd,
  readRecordingSummary,
  readSummaryRecords,
  type RecordingSummary,
  SUMMARY_BYTES_MAX,
  summaryCrc,
} from './recording-summary.ts';

/** A data end record stands in front of each summary: opcode and length, then a CRC. */
const DATA_END_HEADER = Uint8Array.of(OPCODE.dataEnd, 4, 0, 0, 0, 0, 0, 0, 0);
const DATA_END_BYTES = RECORD_HEADER_BYTES + 4;
/** Places that are tried; a schema may hold such bytes by chance. */
const PLACES_MAX = 8;

/** Only what a CRC vouches for can tell damage from what is intact. A summary that has moved tells no places. */
export async function findSummary(bytes: McapBytes): Promise<RecordingSummary | undefined> {
  const found = await readRecordingSummary(bytes);
  return found === undefined ? findMoved(bytes) : found.hasCrc ? found : undefined;
}

async function findMoved(bytes: McapBytes): Promise<RecordingSummary | undefined> {
  const end = await readFooterAtEnd(bytes);
  if (end === undefined || end.footer.summaryCrc === 0) return undefined;
  const { footer, footerByte, record } = end;
  const from = Math.max(0, footerByte - SUMMARY_BYTES_MAX);
  const tail = Buffer.from(await bytes.read(from, footerByte - from));
  let place = tail.length;
  for (let count = 0; count < PLACES_MAX && place > 0; count += 1) {
    place = tail.lastIndexOf(DATA_END_HEADER, place - 1);
    if (place < 0) return undefined;
    const summary = tail.subarray(place + DATA_END_BYTES);
    if (summary.length > 0 && summaryCrc(summary, record) === footer.summaryCrc) {
      const start = from + place + DATA_END_BYTES;
      if (await isOfAnother(bytes, start - Number(footer.summaryStart))) return undefined;
      const moved = { ...footer, summaryStart: BigInt(start) };
      const places = { chunks: [], attachments: [], metadata: [] };
      return { ...readSummaryRecords(summary), footer: moved, footerByte, hasCrc: true, ...places };
    }
  }
  return undefined;
}

/** Whether a whole recording begins where the one of the summary would: it was written behind another. */
async function isOfAnother(bytes: McapBytes, shift: number): Promise<boolean> {
  return shift > 0 && isMagic(await bytes.read(shift, MAGIC.length));
}
