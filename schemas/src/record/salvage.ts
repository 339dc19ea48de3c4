/**
 * Keeps every intact message of a damaged recording and says what was lost. One pass over the file (two when no intact summary tells its
 * channels), memory bounded by one chunk; equal files give equal bytes.
 */
import { crc32 } from 'node:zlib';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import { type McapChunkIndex, type McapMessageIndex, readAttachmentHead, readHeader } from './mcap-fields.ts';
import { type McapFrame, MCAP_RECORD_HELD_BYTES_MAX } from './mcap-frames.ts';
import type { McapBytes } from './mcap-memory.ts';
import type { McapSink } from './mcap-output.ts';
import { type McapDamage, type McapEnd, McapWalk } from './mcap-walk.ts';
import { METADATA_RECORDS_MAX } from './recording-scanner.ts';
import { readRecordingSummary, type RecordingSummary } from './recording-summary.ts';
import { type ChunkHints, isProvenChunk, salvageChunk, type SalvagedChunk } from './salvage-chunk.ts';
import { anchorsOf, crcOf, isDecodable, isFamiliar, lostTopics, readMessageIndexes } from './salvage-hints.ts';
import { collectDefinitions, type Definitions } from './salvage-definitions.ts';
import { SalvageOutput } from './salvage-output.ts';
import { type SalvageReport, SalvageTally } from './salvage-tally.ts';

/** Losses that the salvaged file carries itself; its report has more. */
const LOSSES_CARRIED_MAX = 64;
/** Name of the metadata record in which a salvaged file says what was lost. */
export const SALVAGE_METADATA = 'fleet.salvage';

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
  const found = await readRecordingSummary(bytes);
  // What no CRC vouches for cannot tell damage from what is intact.
  const summary = found?.hasCrc === true ? found : undefined;
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
  readonly #tally = new SalvageTally();
  readonly #chunkIndexes: ReadonlyMap<number, McapChunkIndex>;
  readonly #chunkOffsets: readonly number[];
  #nextChunk = 0;
  #output: SalvageOutput | undefined;
  /** Messages outside chunks. */
  #bareMessages = 0;
  /** Records in front of this byte were taken from a chunk already. */
  #doneUntil = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { summary, bytes, options } = parts;
    this.#chunkIndexes = new Map(summary?.chunks.map((index) => [Number(index.chunkOffset), index]) ?? []);
    this.#chunkOffsets = [...this.#chunkIndexes.keys()].toSorted((a, b) => a - b);
    this.#walk = new McapWalk(bytes, {
      anchors: anchorsOf(summary),
      isFamiliar: (opcode, head) =>
        isFamiliar(parts.definitions, opcode, head, summary?.statistics ?? this.#tally.timesNear),
      signal: options.signal,
    });
  }

  async run(): Promise<SalvageReport> {
    for await (const item of this.#walk.items()) {
      if (item.kind === 'damage') await this.#takeDamage(item);
      else if (item.kind === 'end') this.#takeEnd(item);
      else if (item.offset >= this.#doneUntil) await this.#takeRecord(item);
      this.#parts.options.onProgress?.(item.kind === 'record' ? item.offset : this.#doneUntil);
    }
    const report = this.#tally.report(this.#parts.bytes.sizeBytes, this.#expected());
    const output = this.#open('');
    if (!report.isWhole) output.addMetadata({ name: SALVAGE_METADATA, metadata: describe(report) });
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
    switch (frame.opcode) {
      case OPCODE.header:
        this.#open(readHeader(new FieldReader(await this.#walk.content(frame))).profile);
        return;
      case OPCODE.chunk:
        return this.#takeChunk(frame, await this.#walk.content(frame), this.#chunkIndexes.get(frame.offset));
      case OPCODE.message:
        this.#bareMessages += 1;
        return this.#takeMessages([await this.#walk.content(frame)], frame, false);
      case OPCODE.metadata:
        return this.#takeMetadata(frame, await this.#walk.content(frame));
      case OPCODE.attachment:
        return this.#takeAttachment(frame);
      case OPCODE.dataEnd:
        return this.#takeDataEnd(frame, new FieldReader(await this.#walk.content(frame)).uint32());
      default:
        return this.#takeUnknown(frame);
    }
  }

  /** Records of an application are left out; a chunk that only lost its opcode is none of them. */
  async #takeUnknown(frame: McapFrame): Promise<void> {
    if (frame.opcode < OPCODE.dataEnd || frame.recordBytes > MCAP_RECORD_HELD_BYTES_MAX) return;
    const index = this.#chunkIndexes.get(frame.offset);
    const content = await this.#walk.content(frame);
    if (index === undefined && !isProvenChunk(content)) return;
    this.#lose(frame, `a chunk has the opcode ${frame.opcode}`);
    return this.#takeChunk(frame, content, index);
  }

  async #takeChunk(frame: Place, content: Uint8Array, index: McapChunkIndex | undefined): Promise<void> {
    const end = frame.offset + frame.recordBytes;
    const { bytes, summary, definitions } = this.#parts;
    let messages: readonly McapMessageIndex[] | undefined;
    const hints: ChunkHints = {
      index,
      messages: async () => (messages ??= await readMessageIndexes(bytes, end, summary?.footerByte)),
      isFamiliar: (opcode, head, times) => isFamiliar(definitions, opcode, head, times),
      isDecodable: (id, data) => isDecodable(definitions, id, data),
    };
    const chunk = await salvageChunk(content, hints);
    // A place that the index vouches for is no cut one.
    const isCut = chunk.damage !== undefined && index === undefined && (await this.#walk.resumeInside(frame));
    if (!isCut) this.#doneUntil = Math.max(this.#doneUntil, end);
    for (const { opcode, start, end: spanEnd } of chunk.spans)
      if (opcode !== OPCODE.message)
        definitions.add(opcode, chunk.records.subarray(start, spanEnd), chunk.proof !== 'none');
    const contents = chunk.spans
      .filter(({ opcode }) => opcode === OPCODE.message)
      .map(({ start, end: spanEnd }) => chunk.records.subarray(start, spanEnd));
    const isProven = chunk.proof !== 'none';
    if (chunk.damage === undefined) return this.#takeMessages(contents, frame, isProven);
    if (chunk.repaired !== undefined) {
      this.#tally.repaired(frame.offset, chunk.repaired);
      return this.#takeMessages(contents, frame, true);
    }
    this.#loseOfChunk(frame, { chunk, contents, messages: await hints.messages(), index });
    return this.#takeMessages(contents, frame, isProven);
  }

  #loseOfChunk(frame: Place, { chunk, contents, messages, index }: DamagedChunk): void {
    const times = index ?? chunk.head;
    const hasTimes = times !== undefined && times.endNs > 0n && times.startNs <= times.endNs;
    // Every channel of the chunk has its index only when the summary says so; else the counts are those that are known.
    const isCounted =
      chunk.proof === 'crc' || (index !== undefined && index.messageIndexOffsets.size === messages.length);
    const topics = isCounted ? lostTopics(messages, contents, this.#parts.definitions) : undefined;
    this.#tally.loss({
      fromByte: frame.offset,
      toByte: frame.offset + frame.recordBytes,
      what: chunk.damage ?? '',
      ...(hasTimes ? { startNs: String(times.startNs), endNs: String(times.endNs) } : {}),
      ...(topics === undefined ? {} : { topics: chunk.proof === 'crc' ? {} : topics }),
      ...(chunk.proof === 'none' && contents.length > 0 ? { keptUnproven: contents.length } : {}),
    });
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
    if (crc !== 0 && crc32(summed) !== crc) return this.#lose(frame, `the CRC of attachment ${head.name} differs`);
    this.#open('').addAttachment({ ...head, data });
    this.#tally.attachments += 1;
    await this.#open('').drain();
  }

  /** Chunks that the index has inside damage are read by the index; the start of one that the end cuts off is read as it is. */
  async #takeDamage({ fromByte, toByte, why }: McapDamage): Promise<void> {
    const { bytes } = this.#parts;
    let lostFrom = Math.max(fromByte, this.#doneUntil);
    for (const [offset, index] of this.#chunksIn(lostFrom, toByte)) {
      if (offset > lostFrom) this.#tally.loss({ fromByte: lostFrom, toByte: offset, what: why });
      await this.#takeChunkOfIndex(offset, index);
      lostFrom = this.#doneUntil;
    }
    if (lostFrom >= toByte) return;
    const isToEnd = toByte === bytes.sizeBytes && toByte - lostFrom <= MCAP_RECORD_HELD_BYTES_MAX;
    const rest = isToEnd ? await bytes.read(lostFrom, toByte - lostFrom) : new Uint8Array(0);
    if (rest[0] !== OPCODE.chunk || rest.length <= RECORD_HEADER_BYTES)
      return this.#tally.loss({ fromByte: lostFrom, toByte, what: why });
    await this.#takeChunk(
      { offset: lostFrom, recordBytes: toByte - lostFrom },
      rest.subarray(RECORD_HEADER_BYTES),
      undefined,
    );
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

  async #takeChunkOfIndex(offset: number, index: McapChunkIndex): Promise<void> {
    const { bytes } = this.#parts;
    const recordBytes = Math.min(Number(index.chunkBytes), bytes.sizeBytes - offset, MCAP_RECORD_HELD_BYTES_MAX);
    const record = await bytes.read(offset, recordBytes);
    await this.#takeChunk({ offset, recordBytes }, record.subarray(RECORD_HEADER_BYTES), index);
  }

  #takeEnd({ hasMagic, bytesBehind }: McapEnd): void {
    const { sizeBytes } = this.#parts.bytes;
    if (!hasMagic) this.#tally.loss({ fromByte: sizeBytes, toByte: sizeBytes, what: NO_END });
    if (bytesBehind > 0) {
      const what = 'bytes follow the end';
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
const NO_END = 'the file is cut off: it has no footer and closing magic bytes';

type Place = { readonly offset: number; readonly recordBytes: number };
type DamagedChunk = {
  readonly chunk: SalvagedChunk;
  readonly contents: readonly Uint8Array[];
  readonly messages: readonly McapMessageIndex[];
  readonly index: McapChunkIndex | undefined;
};

function describe(report: SalvageReport): Map<string, string> {
  const { kept, lost, losses, lossCount, unproven, repaired, sizeBytes } = report;
  return new Map([
    ['sourceBytes', String(sizeBytes)],
    ['keptMessages', String(kept.messages)],
    ['unprovenMessages', String(unproven)],
    ['lostMessages', lost.messages === null ? '' : String(lost.messages)],
    ['repairedBits', String(repaired.length)],
    ['lossCount', String(lossCount)],
    ['losses', JSON.stringify(losses.slice(0, LOSSES_CARRIED_MAX))],
  ]);
}
