/**
 * Keeps every intact message of a damaged recording and says what was lost. One pass over the file (two when no intact summary tells its
 * channels), memory bounded by one chunk; equal files give equal bytes.
 */
import { crc32 } from 'node:zlib';
import { FieldReader, isMagic, MAGIC, OPCODE } from './mcap-bytes.ts';
import {
  type McapChunkIndex,
  type McapFooter,
  MESSAGE_FIELD_BYTES,
  readAttachmentHead,
  readFooter,
  readHeader,
} from './mcap-fields.ts';
import { type McapFrame, MCAP_RECORD_HELD_BYTES_MAX } from './mcap-frames.ts';
import type { McapBytes } from './mcap-memory.ts';
import type { McapSink } from './mcap-output.ts';
import { isCertain, type McapEnd } from './mcap-resync.ts';
import { type McapDamage, McapWalk } from './mcap-walk.ts';
import { METADATA_RECORDS_MAX } from './recording-scanner.ts';
import type { RecordingSummary } from './recording-summary.ts';
import { isProvenChunk } from './salvage-chunk-head.ts';
import { ChunkSalvage, endOf, type Place } from './salvage-chunks.ts';
import {
  anchorsOf,
  type ChunkExtent,
  crcOf,
  isDecodable,
  isFamiliarRecord,
  isIndexOf,
  spoiltOpcodeOf,
} from './salvage-hints.ts';
import { collectDefinitions, type Definitions } from './salvage-definitions.ts';
import { salvageMetadata } from './salvage-metadata.ts';
import { SalvageOutput } from './salvage-output.ts';
import { findSummary } from './salvage-summary.ts';
import { type SalvageReport, SalvageTally } from './salvage-tally.ts';
import { RECORD_NAMES } from './verify-faults.ts';

export type SalvageOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with how far the file was read. */
  readonly onProgress?: ((byte: number) => void) | undefined;
};

/**
 * Writes what is left of a file to a sink.
 * @throws FleetError SOURCE_FORMAT when the bytes are no MCAP at all, and whatever the sink throws
 */
export async function salvageRecording(
  bytes: McapBytes,
  sink: McapSink,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  const summary = await findSummary(bytes);
  const definitions = await collectDefinitions(bytes, summary, options.signal);
  return new Salvage({ bytes, sink, summary, definitions, options }).run();
}

type Parts = {
  readonly bytes: McapBytes;
  readonly sink: McapSink;
  readonly summary: RecordingSummary | undefined;
  readonly definitions: Definitions;
  readonly options: SalvageOptions;
};

class Salvage {
  readonly #parts: Parts;
  readonly #walk: McapWalk;
  readonly #chunks: ChunkSalvage;
  readonly #tally = new SalvageTally();
  /** Whether a record can be one of the file, by the times of all of it. */
  readonly #isFamiliar: (opcode: number, head: Uint8Array) => boolean;
  readonly #chunkIndexes: ReadonlyMap<number, McapChunkIndex>;
  readonly #chunkOffsets: readonly number[];
  #nextChunk = 0;
  #output: SalvageOutput | undefined;
  /** Where the data section has ended. */
  #summaryByte: number | undefined;
  /** Of the record directly in front; undefined at the begin of the file, 0 behind damage. */
  #opcodeBefore: number | undefined;
  /** Of the last chunk. */
  #extent: ChunkExtent | undefined;
  /** Messages outside chunks. */
  #bareMessages = 0;
  /** Records in front of this byte were taken from a chunk already. */
  #doneUntil = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { summary, bytes, options } = parts;
    this.#chunkIndexes = new Map(summary?.chunks.map((index) => [Number(index.chunkOffset), index]) ?? []);
    this.#chunkOffsets = [...this.#chunkIndexes.keys()].toSorted((a, b) => a - b);
    this.#isFamiliar = (opcode, head) =>
      isFamiliarRecord(parts.definitions, opcode, head, summary?.statistics ?? this.#tally.timesNear);
    const isFamiliar = this.#isFamiliar;
    this.#walk = new McapWalk(bytes, {
      anchors: anchorsOf(summary),
      isFamiliar,
      signal: options.signal,
    });
    this.#chunks = new ChunkSalvage({ ...parts, walk: this.#walk, tally: this.#tally, isFamiliar });
  }

  async run(): Promise<SalvageReport> {
    for await (const item of this.#walk.items()) {
      if (item.kind === 'damage') {
        await this.#takeDamage(item);
        this.#opcodeBefore = 0;
      }
      if (item.kind === 'end') await this.#takeEnd(item);
      if (item.kind === 'record' && item.offset >= this.#doneUntil) await this.#takeRecord(item);
      this.#parts.options.onProgress?.(item.kind === 'record' ? item.offset : this.#doneUntil);
    }
    const report = this.#tally.report(this.#parts.bytes.sizeBytes, this.#expected());
    const output = this.#open('');
    if (!report.isWhole) output.addMetadata(salvageMetadata(report));
    await output.close();
    return report;
  }

  /** The header of the file decides the profile, so the output begins with it, or with the first record of a file that lost it. */
  #open(profile: string): SalvageOutput {
    this.#output ??= new SalvageOutput(this.#parts.sink, this.#parts.definitions, profile);
    return this.#output;
  }

  async #takeRecord(frame: McapFrame): Promise<void> {
    if (frame.mended !== undefined) this.#lose(frame, frame.mended);
    if (frame.opcode !== OPCODE.chunk && (await this.#takeSpoilt(frame))) return;
    if (frame.opcode !== OPCODE.message) this.#opcodeBefore = frame.opcode;
    switch (frame.opcode) {
      case OPCODE.header:
        this.#open(readHeader(new FieldReader(await this.#walk.content(frame))).profile);
        return;
      case OPCODE.chunk:
        return this.#takeChunk(frame, this.#chunkIndexes.get(frame.offset));
      case OPCODE.message:
        return this.#takeBareMessage(frame, await this.#walk.content(frame));
      case OPCODE.metadata:
        return this.#takeMetadata(frame, await this.#walk.content(frame));
      case OPCODE.attachment:
        return this.#takeAttachment(frame);
      case OPCODE.dataEnd:
        this.#summaryByte = endOf(frame);
        return this.#takeDataEnd(frame, new FieldReader(await this.#walk.content(frame)).uint32());
      case OPCODE.footer:
        return this.#takeFooter(frame, readFooter(new FieldReader(await this.#walk.content(frame))));
      case OPCODE.messageIndex:
        if (this.#extent !== undefined && !isIndexOf(this.#extent, await this.#walk.content(frame)))
          await this.#isOverOthers(frame);
        return;
      case OPCODE.schema:
      case OPCODE.channel:
        if (this.#parts.definitions.isContradicted(frame.opcode, await this.#walk.content(frame)))
          await this.#isOverOthers(frame);
        return;
    }
  }

  /** A record that is not what it should be may have swallowed others: whether there are any. */
  async #isOverOthers(frame: McapFrame): Promise<boolean> {
    const next = await this.#walk.enter(frame);
    if (next === undefined) return false;
    const what = `a ${RECORD_NAMES[frame.opcode] ?? ''} record reaches over others`;
    this.#lose({ offset: frame.offset, recordBytes: next - frame.offset }, what);
    return true;
  }

  /** A message outside of chunks, unless it is another record of which the opcode alone is damaged. */
  async #takeBareMessage(frame: McapFrame, content: Uint8Array): Promise<void> {
    // No summary holds any; but what says that it begins may be damaged, or in the wrong place.
    const isMisplaced = this.#summaryByte !== undefined && !this.#isFamiliar(OPCODE.message, content);
    if (isMisplaced) return this.#lose(frame, 'a message stands in the summary');
    const opcode = spoiltOpcodeOf(content, this.#opcodeBefore);
    this.#opcodeBefore = opcode ?? OPCODE.message;
    if (opcode !== undefined)
      return this.#lose(frame, `a ${RECORD_NAMES[opcode] ?? ''} record has the opcode of a message`);
    const isSound = isDecodable(
      this.#parts.definitions,
      new FieldReader(content).uint16(),
      content.subarray(MESSAGE_FIELD_BYTES),
    );
    if (!isSound && (await this.#isOverOthers(frame))) return;
    this.#bareMessages += 1;
    return this.#takeMessages([isSound ? content : await this.#walk.content(frame)], frame, false);
  }

  /** A chunk that only lost its opcode: whether it was one. Records of an application are left out, and others are about as long as their fields. */
  async #takeSpoilt(frame: McapFrame): Promise<boolean> {
    const index = this.#chunkIndexes.get(frame.offset);
    const isOther = frame.opcode === OPCODE.message || isCertain(frame);
    if (frame.recordBytes > MCAP_RECORD_HELD_BYTES_MAX || (index === undefined && isOther)) return false;
    if (index === undefined && !isProvenChunk(await this.#walk.content(frame)))
      return frame.opcode <= OPCODE.dataEnd && this.#isOverOthers(frame);
    this.#lose(frame, `a chunk has the opcode ${frame.opcode}`);
    await this.#takeChunk(frame, index);
    return true;
  }

  async #takeChunk(place: Place, index: McapChunkIndex | undefined, isEndFound = false): Promise<void> {
    const { found, contents, isProven, head } = await this.#chunks.take(place, index, isEndFound);
    this.#extent = head;
    this.#doneUntil = Math.max(this.#doneUntil, endOf(found));
    return this.#takeMessages(contents, found, isProven);
  }

  async #takeMessages(contents: readonly Uint8Array[], frame: Place, isProven: boolean): Promise<void> {
    const output = this.#open('');
    const refusals = new Map<string, number>();
    for (const content of contents) {
      const taken = output.take(content);
      if ('refusal' in taken) refusals.set(taken.refusal, (refusals.get(taken.refusal) ?? 0) + 1);
      else this.#tally.message(taken.topic, taken.logTimeNs, isProven);
      if (output.isFull) await output.drain();
    }
    for (const { topic, schemaId } of output.withoutSchema.splice(0))
      this.#lose(frame, `schema ${schemaId} is declared nowhere in the file: ${topic} is kept without it`);
    for (const [refusal, count] of refusals) this.#lose(frame, `${refusal} (${count} messages)`);
  }

  /** The checksum of the whole data section. */
  async #takeDataEnd(frame: McapFrame, crc: number): Promise<void> {
    // What is damaged already needs no proof of it; messages outside chunks have no other one.
    if (crc === 0 || (this.#bareMessages === 0 && !this.#tally.isSpotless)) return;
    const { bytes, options } = this.#parts;
    if ((await crcOf(bytes, frame.offset, options.signal)) === crc) this.#tally.unproven -= this.#bareMessages;
    else if (this.#tally.isSpotless) this.#lose({ offset: 0, recordBytes: frame.offset }, DATA_CRC);
  }

  #takeFooter(frame: McapFrame, { summaryStart, summaryCrc }: McapFooter): void {
    const isAtEnd = endOf(frame) + MAGIC.length === this.#parts.bytes.sizeBytes;
    if (!isAtEnd || this.#parts.summary !== undefined || summaryStart === 0n || summaryCrc === 0) return;
    const offset = this.#summaryByte ?? frame.offset;
    this.#lose({ offset, recordBytes: endOf(frame) - offset }, 'the CRC of the summary differs: it was not used');
  }

  #takeMetadata(frame: McapFrame, content: Uint8Array): void {
    const fields = new FieldReader(content);
    const record = { name: fields.text(), metadata: fields.textMap() };
    // One place stays free for what the salvage itself has to say.
    if (this.#tally.metadata >= METADATA_RECORDS_MAX - 1) return this.#lose(frame, 'one metadata record too many');
    this.#open('').addMetadata(record);
    this.#tally.metadata += 1;
  }

  async #takeAttachment(frame: McapFrame): Promise<void> {
    if (frame.recordBytes > MCAP_RECORD_HELD_BYTES_MAX)
      return this.#lose(frame, `an attachment is longer than ${MCAP_RECORD_HELD_BYTES_MAX} bytes and was left out`);
    const content = await this.#walk.content(frame);
    const fields = new FieldReader(content);
    const { dataBytes, ...head } = readAttachmentHead(fields);
    const data = fields.bytes(Number(dataBytes));
    const summed = content.subarray(0, fields.offset);
    const crc = fields.uint32();
    if (crc !== 0 && crc32(summed) !== crc) {
      const end = await this.#walk.endOf(frame, { isPlainChunk: false });
      const place = { offset: frame.offset, recordBytes: end - frame.offset };
      return this.#lose(place, `the CRC of attachment ${head.name} differs`);
    }
    this.#open('').addAttachment({ ...head, data });
    this.#tally.attachments += 1;
    await this.#open('').drain();
  }

  /** Chunks that the index has inside damage are read by the index; what is left of one that is not what it claims is read as it is. */
  async #takeDamage({ fromByte, toByte, why, isChunk }: McapDamage): Promise<void> {
    let lostFrom = Math.max(fromByte, this.#doneUntil);
    for (const [offset, index] of this.#chunksIn(lostFrom, toByte)) {
      if (offset > lostFrom) this.#tally.loss({ fromByte: lostFrom, toByte: offset, what: why });
      const left = this.#parts.bytes.sizeBytes - offset;
      const recordBytes = Math.min(Number(index.chunkBytes), left, MCAP_RECORD_HELD_BYTES_MAX);
      await this.#takeChunk({ offset, recordBytes }, index);
      lostFrom = this.#doneUntil;
    }
    if (lostFrom >= toByte) return;
    const place = { offset: lostFrom, recordBytes: toByte - lostFrom };
    if (isChunk && lostFrom === fromByte && place.recordBytes <= MCAP_RECORD_HELD_BYTES_MAX)
      return this.#takeChunk(place, undefined, true);
    this.#tally.loss({ fromByte: lostFrom, toByte, what: why });
  }

  /** The chunks that the index has in a part of the file; parts are asked for in ascending order. */
  #chunksIn(fromByte: number, toByte: number): [number, McapChunkIndex][] {
    const found: [number, McapChunkIndex][] = [];
    for (; this.#nextChunk < this.#chunkOffsets.length; this.#nextChunk += 1) {
      const offset = this.#chunkOffsets[this.#nextChunk] as number;
      if (offset >= toByte) break;
      const index = this.#chunkIndexes.get(offset);
      if (offset >= fromByte && index !== undefined) found.push([offset, index]);
    }
    return found;
  }

  async #takeEnd({ hasMagic, bytesBehind }: McapEnd): Promise<void> {
    const { sizeBytes } = this.#parts.bytes;
    if (!hasMagic) this.#tally.loss({ fromByte: sizeBytes, toByte: sizeBytes, what: NO_END });
    else if (this.#summaryByte === undefined && this.#tally.isSpotless)
      this.#tally.loss({ fromByte: sizeBytes, toByte: sizeBytes, what: NO_DATA_END });
    if (bytesBehind > 0) {
      const behind = await this.#parts.bytes.read(sizeBytes - bytesBehind, MAGIC.length);
      const what = isMagic(behind) ? 'another recording follows the end: cut the file there' : 'bytes follow the end';
      this.#tally.loss({ fromByte: sizeBytes - bytesBehind, toByte: sizeBytes, what });
    }
  }

  #lose({ offset, recordBytes }: Place, what: string): void {
    this.#tally.loss({ fromByte: offset, toByte: offset + recordBytes, what });
  }

  /** Messages per topic by the statistics; those that a CRC does not vouch for are not believed. */
  #expected(): ReadonlyMap<string, number> | undefined {
    const { summary, definitions } = this.#parts;
    if (summary?.statistics === undefined) return undefined;
    const counts = new Map<string, number>();
    for (const [id, count] of summary.statistics.channelMessages) {
      const topic = definitions.channel(id)?.topic ?? `channel ${id}`;
      counts.set(topic, (counts.get(topic) ?? 0) + Number(count));
    }
    return counts;
  }
}

const DATA_CRC =
  'the CRC of the data section differs: some byte in it is not as it was written, and nothing tells which';
const NO_DATA_END =
  'no record says where the data end: whatever stood between the last message and the footer is missing';
const NO_END = 'the file is cut off: it has no footer and closing magic bytes';
