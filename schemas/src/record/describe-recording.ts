/** What is in a recording: from its summary when that is sound, which reads next to nothing, or else by reading all of it. */
import { FieldReader, OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import {
  type McapAttachmentHead,
  type McapChannelRecord,
  type McapSchemaRecord,
  readAttachmentHead,
  readChannel,
  readChunkHead,
  readHeader,
  readSchema,
} from './mcap-fields.ts';
import type { McapBytes } from './mcap-memory.ts';
import { unpackChunk } from './mcap-unpack.ts';
import { McapWalk } from './mcap-walk.ts';
import { METADATA_RECORDS_MAX } from './recording-scanner.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';
import { readRecordingSummary, type RecordingSummary } from './recording-summary.ts';
import { spansOf } from './salvage-chunk.ts';

/** Attachments that are named. */
const ATTACHMENTS_MAX = 1_000;
/** Longest metadata record that is read, bytes. */
const METADATA_BYTES_MAX = 4 * 1024 * 1024;
const ATTACHMENT_HEAD_BYTES = 4_096;
const HEADER_BYTES = 4_096;

export type DescribedChannel = {
  readonly topic: string;
  readonly messageEncoding: string;
  readonly schemaName: string;
  readonly schemaEncoding: string;
  readonly messages: number;
};
export type DescribedCompression = {
  /** `none`, `zstd`, `lz4`. */
  readonly name: string;
  readonly chunks: number;
  readonly packedBytes: number;
  readonly uncompressedBytes: number;
};
export type RecordingDescription = {
  readonly sizeBytes: number;
  readonly library: string;
  readonly profile: string;
  /** Whether it ends as a writer ends a file. */
  readonly isComplete: boolean;
  /** Whether its summary has the places of chunks or messages, so that a reader need not read all. */
  readonly isIndexed: boolean;
  /** The first damage that was met, for a file that had to be read. */
  readonly damage: { readonly byte: number; readonly message: string } | undefined;
  readonly messages: number;
  readonly startNs: bigint | undefined;
  readonly endNs: bigint | undefined;
  readonly channels: readonly DescribedChannel[];
  readonly compressions: readonly DescribedCompression[];
  readonly attachments: readonly McapAttachmentHead[];
  readonly metadata: readonly McapMetadataRecord[];
};

/** @throws FleetError SOURCE_FORMAT when the bytes are no MCAP at all */
export async function describeRecording(bytes: McapBytes, signal?: AbortSignal): Promise<RecordingDescription> {
  const summary = await readRecordingSummary(bytes);
  if (summary !== undefined && tellsAll(summary)) return describeBySummary(bytes, summary);
  return new Census(bytes, summary !== undefined).run(signal);
}

/** A writer may leave out any part of a summary; its statistics say what is missing. */
function tellsAll({ statistics, schemas, channels, chunks, attachments, metadata }: RecordingSummary): boolean {
  return (
    statistics !== undefined &&
    schemas.size >= statistics.schemas &&
    channels.size >= statistics.channels &&
    chunks.length === statistics.chunks &&
    attachments.length === statistics.attachments &&
    metadata.length === statistics.metadata
  );
}

async function describeBySummary(bytes: McapBytes, summary: RecordingSummary): Promise<RecordingDescription> {
  const { statistics } = summary;
  const start = await bytes.read(8, HEADER_BYTES);
  const header =
    start[0] === OPCODE.header ? readHeader(new FieldReader(start.subarray(RECORD_HEADER_BYTES))) : NO_HEADER;
  const metadata: McapMetadataRecord[] = [];
  for (const { offset, recordBytes } of summary.metadata.slice(0, METADATA_RECORDS_MAX)) {
    if (recordBytes > BigInt(METADATA_BYTES_MAX)) continue;
    const record = await bytes.read(Number(offset), Number(recordBytes));
    if (record[0] === OPCODE.metadata) metadata.push(readMetadata(record.subarray(RECORD_HEADER_BYTES)));
  }
  const compressions = new Compressions();
  for (const chunk of summary.chunks) compressions.add(chunk);
  const hasMessages = statistics !== undefined && statistics.messages > 0n;
  return {
    sizeBytes: bytes.sizeBytes,
    ...header,
    isComplete: true,
    isIndexed: summary.chunks.length > 0,
    damage: undefined,
    messages: Number(statistics?.messages ?? 0n),
    startNs: hasMessages ? statistics.startNs : undefined,
    endNs: hasMessages ? statistics.endNs : undefined,
    channels: describeChannels(summary.channels, summary.schemas, (id) =>
      Number(statistics?.channelMessages.get(id) ?? 0n),
    ),
    compressions: compressions.list(),
    attachments: summary.attachments.slice(0, ATTACHMENTS_MAX),
    metadata,
  };
}

const NO_HEADER = { library: '', profile: '' };

function readMetadata(content: Uint8Array): McapMetadataRecord {
  const fields = new FieldReader(content);
  return { name: fields.text(), metadata: fields.textMap() };
}

function describeChannels(
  channels: ReadonlyMap<number, McapChannelRecord>,
  schemas: ReadonlyMap<number, McapSchemaRecord>,
  messagesOf: (id: number) => number,
): readonly DescribedChannel[] {
  return [...channels.values()]
    .map(({ id, schemaId, topic, messageEncoding }) => {
      const schema = schemas.get(schemaId);
      const names = { schemaName: schema?.name ?? '', schemaEncoding: schema?.encoding ?? '' };
      return { topic, messageEncoding, ...names, messages: messagesOf(id) };
    })
    .toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
}

class Compressions {
  readonly #byName = new Map<string, { chunks: number; packedBytes: number; uncompressedBytes: number }>();

  add(chunk: { readonly compression: string; readonly packedBytes: bigint; readonly uncompressedBytes: bigint }): void {
    const name = chunk.compression === '' ? 'none' : chunk.compression;
    const sum = this.#byName.get(name) ?? { chunks: 0, packedBytes: 0, uncompressedBytes: 0 };
    sum.chunks += 1;
    sum.packedBytes += Number(chunk.packedBytes);
    sum.uncompressedBytes += Number(chunk.uncompressedBytes);
    this.#byName.set(name, sum);
  }

  list(): readonly DescribedCompression[] {
    return [...this.#byName].map(([name, sum]) => ({ name, ...sum }));
  }
}

/** Reads the whole of a file that has no usable summary. Damage is noted, and what follows it is counted all the same. */
class Census {
  readonly #bytes: McapBytes;
  readonly #hasSummary: boolean;
  readonly #schemas = new Map<number, McapSchemaRecord>();
  readonly #channels = new Map<number, McapChannelRecord>();
  readonly #counts = new Map<number, number>();
  readonly #compressions = new Compressions();
  readonly #attachments: McapAttachmentHead[] = [];
  readonly #metadata: McapMetadataRecord[] = [];
  #header = NO_HEADER;
  #damage: RecordingDescription['damage'];
  #messages = 0;
  #startNs: bigint | undefined;
  #endNs: bigint | undefined;
  #isComplete = false;

  constructor(bytes: McapBytes, hasSummary: boolean) {
    this.#bytes = bytes;
    this.#hasSummary = hasSummary;
  }

  async run(signal: AbortSignal | undefined): Promise<RecordingDescription> {
    const walk = new McapWalk(this.#bytes, { signal });
    for await (const item of walk.items()) {
      if (item.kind === 'damage') this.#damage ??= { byte: item.fromByte, message: item.why };
      else if (item.kind === 'end') this.#isComplete = item.hasMagic && item.bytesBehind === 0;
      else if (item.opcode === OPCODE.attachment) {
        const head = await this.#bytes.read(item.offset + RECORD_HEADER_BYTES, ATTACHMENT_HEAD_BYTES);
        if (this.#attachments.length < ATTACHMENTS_MAX)
          this.#attachments.push(readAttachmentHead(new FieldReader(head)));
      } else this.#take(item.opcode, await walk.content(item), item.offset);
    }
    return {
      sizeBytes: this.#bytes.sizeBytes,
      ...this.#header,
      isComplete: this.#isComplete,
      isIndexed: this.#hasSummary && this.#compressions.list().length > 0,
      damage: this.#damage,
      messages: this.#messages,
      startNs: this.#startNs,
      endNs: this.#endNs,
      channels: describeChannels(this.#channels, this.#schemas, (id) => this.#counts.get(id) ?? 0),
      compressions: this.#compressions.list(),
      attachments: this.#attachments,
      metadata: this.#metadata,
    };
  }

  #take(opcode: number, content: Uint8Array, byte: number): void {
    try {
      if (opcode === OPCODE.header) this.#header = readHeader(new FieldReader(content));
      else if (opcode === OPCODE.metadata && this.#metadata.length < METADATA_RECORDS_MAX)
        this.#metadata.push(readMetadata(content));
      else if (opcode === OPCODE.chunk) this.#takeChunk(content);
      else this.#takeInner(opcode, content);
    } catch (cause) {
      this.#damage ??= { byte, message: cause instanceof Error ? cause.message : String(cause) };
    }
  }

  #takeChunk(content: Uint8Array): void {
    const fields = new FieldReader(content);
    const head = readChunkHead(fields);
    this.#compressions.add(head);
    const records = unpackChunk({ ...head, packed: fields.bytes(Number(head.packedBytes)) });
    for (const { opcode, start, end } of spansOf(records) ?? []) this.#takeInner(opcode, records.subarray(start, end));
  }

  #takeInner(opcode: number, content: Uint8Array): void {
    if (opcode === OPCODE.schema) {
      const schema = readSchema(new FieldReader(Uint8Array.from(content)));
      this.#schemas.set(schema.id, schema);
    } else if (opcode === OPCODE.channel) {
      const channel = readChannel(new FieldReader(content));
      this.#channels.set(channel.id, channel);
    } else if (opcode === OPCODE.message) {
      const view = viewOf(content);
      const id = view.getUint16(0, true);
      const logTimeNs = view.getBigUint64(6, true);
      this.#messages += 1;
      this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
      if (this.#startNs === undefined || logTimeNs < this.#startNs) this.#startNs = logTimeNs;
      if (this.#endNs === undefined || logTimeNs > this.#endNs) this.#endNs = logTimeNs;
    }
  }
}
