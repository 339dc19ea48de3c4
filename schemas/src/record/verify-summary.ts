/** Verifies what a file claims about itself: indexes, statistics, summary offsets. A kind of index may be absent; one that is there must be whole. */
import { FieldReader, OPCODE } from './mcap-bytes.ts';
import {
  type McapFooter,
  type McapSummaryOffset,
  readAttachmentIndex,
  readChannel,
  readChunkIndex,
  readMetadataIndex,
  readSchema,
  readStatistics,
  readSummaryOffset,
} from './mcap-fields.ts';
import type { McapFrame } from './mcap-frames.ts';
import { type FaultList, RECORD_NAMES } from './verify-faults.ts';
import { type ChunkTruth, formOfChannel, formOfSchema, type RecordingTruth } from './verify-truth.ts';

type Place = { readonly opcode: number; readonly byte: number };
type Group = { readonly opcode: number; readonly start: number; end: number };

export class SummaryVerifier {
  readonly #faults: FaultList;
  readonly #truth: RecordingTruth;
  readonly #groups: Group[] = [];
  readonly #offsets: { readonly place: Place; readonly offset: McapSummaryOffset }[] = [];
  readonly #indexed = { chunks: new Set<number>(), attachments: new Set<number>(), metadata: new Set<number>() };
  #start = 0;

  constructor(faults: FaultList, truth: RecordingTruth) {
    this.#faults = faults;
    this.#truth = truth;
  }

  /** The summary begins there. */
  begin(byte: number): void {
    this.#start = byte;
  }

  take(frame: McapFrame, content: Uint8Array): void {
    const { opcode, offset: byte, recordBytes } = frame;
    const place = { opcode, byte };
    const group = this.#groups.at(-1);
    if (group?.opcode === opcode) group.end = byte + recordBytes;
    else {
      if (this.#groups.some((former) => former.opcode === opcode))
        this.#faults.add(
          'summary-groups',
          place,
          `records of the kind ${RECORD_NAMES[opcode] ?? opcode} do not stand together`,
        );
      this.#groups.push({ opcode, start: byte, end: byte + recordBytes });
    }
    try {
      this.#takeFields(place, new FieldReader(content));
    } catch (cause) {
      this.#faults.add('structure', place, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #takeFields(place: Place, fields: FieldReader): void {
    const { opcode } = place;
    if (opcode === OPCODE.statistics) this.#checkStatistics(place, fields);
    else if (opcode === OPCODE.chunkIndex) this.#checkChunk(place, fields);
    else if (opcode === OPCODE.attachmentIndex) this.#checkAttachment(place, fields);
    else if (opcode === OPCODE.metadataIndex) this.#checkMetadata(place, fields);
    else if (opcode === OPCODE.summaryOffset) this.#offsets.push({ place, offset: readSummaryOffset(fields) });
    else if (opcode === OPCODE.schema) this.#checkSchema(place, fields);
    else if (opcode === OPCODE.channel) this.#checkChannel(place, fields);
  }

  /** What can be said only at the end: what is missing, and where the parts of the summary are. */
  finish(footer: McapFooter | undefined): void {
    if (footer === undefined) return;
    const place = { opcode: OPCODE.footer, byte: this.#start };
    const hasSummary = this.#groups.some(({ opcode }) => opcode !== OPCODE.summaryOffset);
    const summaryStart = hasSummary ? BigInt(this.#start) : 0n;
    if (
      footer.summaryStart !== summaryStart &&
      !(footer.summaryStart === BigInt(this.#start) && this.#groups.length > 0)
    )
      this.#faults.add(
        'footer',
        place,
        `the footer has the summary at byte ${footer.summaryStart}, it is at ${summaryStart}`,
      );
    const offsets = this.#groups.find(({ opcode }) => opcode === OPCODE.summaryOffset);
    if (
      footer.summaryOffsetStart !== 0n &&
      offsets !== undefined &&
      footer.summaryOffsetStart !== BigInt(offsets.start)
    )
      this.#faults.add(
        'footer',
        place,
        `the footer has the summary offsets at byte ${footer.summaryOffsetStart}, they are at ${offsets.start}`,
      );
    for (const { place: at, offset } of this.#offsets) this.#checkOffset(at, offset);
    this.#checkMissing();
  }

  #checkMissing(): void {
    const { chunks, attachments, metadata } = this.#truth;
    const kinds = [
      [this.#indexed.chunks, chunks, OPCODE.chunk],
      [this.#indexed.attachments, attachments, OPCODE.attachment],
      [this.#indexed.metadata, metadata, OPCODE.metadata],
    ] as const;
    for (const [indexed, present, opcode] of kinds) {
      if (indexed.size === 0) continue;
      for (const byte of present.keys())
        if (!indexed.has(byte))
          this.#faults.add('index-missing', { opcode, byte }, 'the summary has no index of this record');
    }
  }

  #checkOffset(place: Place, { groupOpcode, start, bytes }: McapSummaryOffset): void {
    const group = this.#groups.find(({ opcode }) => opcode === groupOpcode);
    if (group !== undefined && BigInt(group.start) === start && BigInt(group.end - group.start) === bytes) return;
    const name = RECORD_NAMES[groupOpcode] ?? groupOpcode;
    this.#faults.add('summary-offset', place, `the ${name} records are not at byte ${start} with ${bytes} bytes`);
  }

  #differ(place: Place, rule: string, fields: readonly (readonly [string, unknown, unknown])[]): void {
    for (const [name, claimed, real] of fields)
      if (claimed !== real) this.#faults.add(rule, place, `${name} is ${String(real)}, not ${String(claimed)}`);
  }

  #checkStatistics(place: Place, fields: FieldReader): void {
    const claimed = readStatistics(fields);
    const truth = this.#truth;
    this.#differ(place, 'statistics', [
      ['the number of messages', claimed.messages, BigInt(truth.messages)],
      ['the number of schemas', claimed.schemas, truth.schemas.size],
      ['the number of channels', claimed.channels, truth.channels.size],
      ['the number of attachments', claimed.attachments, truth.attachments.size],
      ['the number of metadata records', claimed.metadata, truth.metadata.size],
      ['the number of chunks', claimed.chunks, truth.chunks.size],
      ['the first log time', claimed.startNs, truth.startNs ?? 0n],
      ['the last log time', claimed.endNs, truth.endNs],
    ]);
    const ids = new Set([...claimed.channelMessages.keys(), ...truth.channelMessages.keys()]);
    this.#differ(
      place,
      'statistics',
      [...ids].map((id) => {
        const name = `the number of messages of channel ${id}`;
        return [name, Number(claimed.channelMessages.get(id) ?? 0n), truth.channelMessages.get(id) ?? 0];
      }),
    );
  }

  #checkChunk(place: Place, fields: FieldReader): void {
    const claimed = readChunkIndex(fields);
    const byte = Number(claimed.chunkOffset);
    const truth = this.#truth.chunks.get(byte);
    if (truth === undefined) return this.#faults.add('chunk-index', place, `no chunk is at byte ${byte}`);
    if (this.#indexed.chunks.has(byte))
      this.#faults.add('chunk-index', place, `the chunk at byte ${byte} is indexed twice`);
    this.#indexed.chunks.add(byte);
    this.#differ(place, 'chunk-index', [
      [`the length of the chunk at byte ${byte}`, claimed.chunkBytes, BigInt(truth.recordBytes)],
      [`the first log time of the chunk at byte ${byte}`, claimed.startNs, truth.startNs],
      [`the last log time of the chunk at byte ${byte}`, claimed.endNs, truth.endNs],
      [`the compression of the chunk at byte ${byte}`, claimed.compression, truth.compression],
      [`the compressed size of the chunk at byte ${byte}`, claimed.packedBytes, truth.packedBytes],
      [`the uncompressed size of the chunk at byte ${byte}`, claimed.uncompressedBytes, truth.uncompressedBytes],
      [
        `the length of the message indexes of the chunk at byte ${byte}`,
        claimed.messageIndexBytes,
        BigInt(truth.indexBytes),
      ],
    ]);
    this.#checkMessageIndexes(place, byte, { claimed: claimed.messageIndexOffsets, truth });
  }

  #checkMessageIndexes(
    place: Place,
    byte: number,
    { claimed, truth }: { readonly claimed: ReadonlyMap<number, bigint>; readonly truth: ChunkTruth },
  ): void {
    const ids = new Set([...claimed.keys(), ...truth.indexes.keys()]);
    this.#differ(
      place,
      'chunk-index',
      [...ids].map((id) => [
        `the place of the message index of channel ${id} of the chunk at byte ${byte}`,
        claimed.get(id)?.toString(),
        truth.indexes.get(id)?.toString(),
      ]),
    );
  }

  #checkAttachment(place: Place, fields: FieldReader): void {
    const claimed = readAttachmentIndex(fields);
    const byte = Number(claimed.offset);
    const truth = this.#truth.attachments.get(byte);
    if (truth === undefined) return this.#faults.add('attachment-index', place, `no attachment is at byte ${byte}`);
    this.#indexed.attachments.add(byte);
    this.#differ(place, 'attachment-index', [
      ['the length of the record', claimed.recordBytes, BigInt(truth.recordBytes)],
      ['the name', claimed.name, truth.name],
      ['the media type', claimed.mediaType, truth.mediaType],
      ['the size of the data', claimed.dataBytes, truth.dataBytes],
      ['the log time', claimed.logTimeNs, truth.logTimeNs],
      ['the creation time', claimed.createTimeNs, truth.createTimeNs],
    ]);
  }

  #checkMetadata(place: Place, fields: FieldReader): void {
    const claimed = readMetadataIndex(fields);
    const byte = Number(claimed.offset);
    const truth = this.#truth.metadata.get(byte);
    if (truth === undefined) return this.#faults.add('metadata-index', place, `no metadata record is at byte ${byte}`);
    this.#indexed.metadata.add(byte);
    this.#differ(place, 'metadata-index', [
      ['the length of the record', claimed.recordBytes, BigInt(truth.recordBytes)],
      ['the name', claimed.name, truth.name],
    ]);
  }

  #checkSchema(place: Place, fields: FieldReader): void {
    const schema = readSchema(fields);
    if (this.#truth.schemas.get(schema.id) !== formOfSchema(schema))
      this.#faults.add('summary-schema', place, `schema ${schema.id} (${schema.name}) is not that of the data section`);
  }

  #checkChannel(place: Place, fields: FieldReader): void {
    const channel = readChannel(fields);
    const { id, topic } = channel;
    if (this.#truth.channels.get(id) !== formOfChannel(channel))
      this.#faults.add('summary-channel', place, `channel ${id} (${topic}) is not that of the data section`);
  }
}
