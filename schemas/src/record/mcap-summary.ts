/** What stands behind the messages of a file: statistics and the indexes by which a reader finds everything without reading all. */
import { crc32 } from 'node:zlib';
import { MAGIC, OPCODE, viewOf } from './mcap-bytes.ts';
import type { PackedChunk } from './mcap-chunk-header.ts';
import type { McapDefinitions } from './mcap-definitions.ts';
import { RecordEncoder } from './mcap-record-encoder.ts';
import type { McapAttachment } from './mcap-records.ts';

/** The parts of the format that may be left out. A recording has all of them. */
export const MCAP_PARTS = [
  'messageIndex',
  'schemas',
  'channels',
  'statistics',
  'metadataIndex',
  'attachmentIndex',
  'chunkIndex',
  'summaryOffsets',
] as const;
export type McapPart = (typeof MCAP_PARTS)[number];

/** Where a record outside the chunks stands, counted from the start of the file. */
export type RecordPlace = { readonly offset: number; readonly sizeBytes: number };

const FOOTER_CRC_BYTES = 4;

export class McapSummary {
  readonly #chunks = new RecordEncoder();
  readonly #metadata = new RecordEncoder();
  readonly #attachments = new RecordEncoder();
  readonly #messagesOf = new Map<number, number>();
  #chunkCount = 0;
  #metadataCount = 0;
  #attachmentCount = 0;
  #messages = 0;
  #startNs: bigint | undefined;
  #endNs = 0n;

  get messages(): number {
    return this.#messages;
  }

  /** Messages per channel id. */
  get messagesOf(): ReadonlyMap<number, number> {
    return this.#messagesOf;
  }

  /** `counts` are the messages of the chunk per channel. */
  addChunk(offset: number, chunk: PackedChunk, counts: ReadonlyMap<number, number>): void {
    this.#chunkCount += 1;
    for (const [channelId, count] of counts) {
      this.#messages += count;
      this.#messagesOf.set(channelId, (this.#messagesOf.get(channelId) ?? 0) + count);
    }
    this.#startNs = this.#startNs === undefined || chunk.startNs < this.#startNs ? chunk.startNs : this.#startNs;
    this.#endNs = chunk.endNs > this.#endNs ? chunk.endNs : this.#endNs;
    const encoder = this.#chunks.begin(OPCODE.chunkIndex).uint64(chunk.startNs).uint64(chunk.endNs);
    encoder.uint64(offset).uint64(chunk.chunkBytes);
    encoder.uint32(chunk.indexes.length * 10);
    for (const place of chunk.indexes) encoder.uint16(place.channelId).uint64(offset + chunk.chunkBytes + place.offset);
    encoder.uint64(chunk.indexBytes).text(chunk.compression);
    encoder.uint64(chunk.compressedBytes).uint64(chunk.uncompressedBytes).end();
  }

  addMetadata(place: RecordPlace, name: string): void {
    this.#metadataCount += 1;
    this.#metadata.begin(OPCODE.metadataIndex).uint64(place.offset).uint64(place.sizeBytes).text(name).end();
  }

  addAttachment(place: RecordPlace, attachment: Omit<McapAttachment, 'data'>, dataBytes: number): void {
    this.#attachmentCount += 1;
    const encoder = this.#attachments.begin(OPCODE.attachmentIndex).uint64(place.offset).uint64(place.sizeBytes);
    encoder.uint64(attachment.logTimeNs).uint64(attachment.createTimeNs).uint64(dataBytes);
    encoder.text(attachment.name).text(attachment.mediaType).end();
  }

  /** Everything from the summary's first record to the last byte of the file, whose data section ends at `start`. */
  encode(start: number, definitions: McapDefinitions, parts: ReadonlySet<McapPart>): Uint8Array {
    const out = new RecordEncoder();
    const offsets = new RecordEncoder();
    const group = (
      part: McapPart,
      opcode: (typeof OPCODE)[keyof typeof OPCODE],
      records: readonly Uint8Array[],
    ): void => {
      const groupStart = out.sizeBytes;
      if (parts.has(part)) for (const record of records) out.raw(record);
      const sizeBytes = out.sizeBytes - groupStart;
      if (sizeBytes === 0) return;
      offsets
        .begin(OPCODE.summaryOffset)
        .uint8(opcode)
        .uint64(start + groupStart)
        .uint64(sizeBytes)
        .end();
    };
    group('schemas', OPCODE.schema, definitions.schemaRecords());
    group('channels', OPCODE.channel, definitions.channelRecords());
    group('statistics', OPCODE.statistics, [this.#statistics(definitions)]);
    group('metadataIndex', OPCODE.metadataIndex, [this.#metadata.bytes]);
    group('attachmentIndex', OPCODE.attachmentIndex, [this.#attachments.bytes]);
    group('chunkIndex', OPCODE.chunkIndex, [this.#chunks.bytes]);
    const summaryStart = out.sizeBytes === 0 ? 0 : start;
    const hasOffsets = parts.has('summaryOffsets');
    const offsetsStart = hasOffsets ? start + out.sizeBytes : 0;
    if (hasOffsets) out.raw(offsets.bytes);
    out.begin(OPCODE.footer).uint64(summaryStart).uint64(offsetsStart).uint32(0).end();
    // The CRC covers the summary and the footer up to the CRC itself.
    const crc = crc32(out.bytes.subarray(0, -FOOTER_CRC_BYTES));
    viewOf(out.bytes).setUint32(out.sizeBytes - FOOTER_CRC_BYTES, crc, true);
    return out.raw(MAGIC).bytes;
  }

  #statistics(definitions: McapDefinitions): Uint8Array {
    const encoder = new RecordEncoder().begin(OPCODE.statistics).uint64(this.#messages);
    encoder.uint16(definitions.schemaCount).uint32(definitions.channelCount).uint32(this.#attachmentCount);
    encoder
      .uint32(this.#metadataCount)
      .uint32(this.#chunkCount)
      .uint64(this.#startNs ?? 0n)
      .uint64(this.#endNs);
    encoder.uint32(this.#messagesOf.size * 10);
    for (const [channelId, count] of this.#messagesOf) encoder.uint16(channelId).uint64(count);
    encoder.end();
    return encoder.bytes;
  }
}
