/**
 * Checks a whole recording without making an object of each message: structure, chunk CRCs, the coding of each message, and
 * the statistics. Ingest does this for every recording, so it must keep up with the link; memory is bounded by one chunk.
 */
import type { Channel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { FleetError } from '../errors/fleet-error.ts';
import { FieldReader, isMagic, MAGIC, malformed, OPCODE, RECORD_HEADER_BYTES, uint64At, viewOf } from './mcap-bytes.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';
import { MESSAGE_FIELD_BYTES, readAttachmentHead, readChannel, readChunkHead, readStatistics } from './mcap-fields.ts';
import { MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX, releaseChunk, unpackChunk } from './mcap-unpack.ts';
import { type McapSchema, parseChannelRecord } from './recording-reader.ts';
import { checkSignalValues, decodeSignalValuesInto } from './signal-codec.ts';

/** Largest record accepted, bytes; a chunk is the largest kind. */
export const MCAP_RECORD_BYTES_MAX = MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX + 1024;
export const METADATA_RECORDS_MAX = 64;
export const TOPICS_MAX = 4_096;
/** A log time and an offset. */
const INDEX_ENTRY_BYTES = 16;
const ATTACHMENT_CRC_BYTES = 4;
/** All schemas of a recording together, bytes. */
const SCHEMA_BYTES_MAX = 16 * 1024 * 1024;

export type RecordingScan = {
  readonly metadata: readonly McapMetadataRecord[];
  /** All that are declared, one for each topic, also those without a message; by topic, in whatever order they were declared. */
  readonly channels: readonly Channel[];
  readonly messages: number;
  /** Undefined when there is no message. */
  readonly startNs: bigint | undefined;
  readonly endNs: bigint;
  /** Messages per topic. */
  readonly topics: Readonly<Record<string, number>>;
};

/** Told of each message in file order. Its data or values are only good until the call returns. */
export type MessageVisitor = (message: SourceMessage) => void;

/**
 * `visit` costs an object and its values per message; without it nothing is made of them.
 * @throws FleetError INGEST_MCAP_INVALID, INGEST_LIMIT
 */
export async function scanRecording(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  visit?: MessageVisitor,
): Promise<RecordingScan> {
  const scanner = new Scanner(visit);
  for await (const part of bytes) scanner.append(part);
  return scanner.finish();
}

type ScannedChannel = {
  readonly channel: Channel;
  readonly topic: string;
  readonly signals: number | undefined;
  /** Filled anew for each message. */
  readonly values: Float64Array;
  count: number;
};

class Scanner {
  readonly #visit: MessageVisitor | undefined;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Where in the buffer the bytes that wait begin and end. */
  #begin = 0;
  #end = 0;
  #pending: Uint8Array = this.#buffer;
  #state: 'magic' | 'records' | 'footer' | 'done' = 'magic';
  readonly #schemas = new Map<number, McapSchema>();
  readonly #channels = new Map<number, ScannedChannel>();
  readonly #metadata: McapMetadataRecord[] = [];
  #statistics: bigint | undefined;
  #messages = 0;
  // Stamps as two halves, the higher one first: a bigint per message would be most of the garbage of a scan.
  readonly #earliest = Uint32Array.of(0xffff_ffff, 0xffff_ffff);
  readonly #latest = new Uint32Array(2);
  #schemaBytes = 0;
  /** Of the last chunk, unpacked. */
  #chunkBytes = 0;

  constructor(visit?: MessageVisitor) {
    this.#visit = visit;
  }

  /** Copies the part, so that the caller may use its buffer again. */
  append(part: Uint8Array): void {
    this.#makeRoom(part.length);
    this.#buffer.set(part, this.#end);
    this.#end += part.length;
    this.#pending = this.#buffer.subarray(this.#begin, this.#end);
    while (this.#step());
    this.#begin = this.#end - this.#pending.length;
  }

  /** One buffer that grows to the largest record and is used again: new ones for each part would be garbage at link speed. */
  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const kept = this.#end - this.#begin;
    if (kept + bytes > this.#buffer.length) {
      const grown = new Uint8Array(2 * (kept + bytes));
      grown.set(this.#buffer.subarray(this.#begin, this.#end));
      this.#buffer = grown;
    } else {
      this.#buffer.copyWithin(0, this.#begin, this.#end);
    }
    this.#begin = 0;
    this.#end = kept;
  }

  finish(): RecordingScan {
    if (this.#state !== 'done')
      throw new FleetError('INGEST_MCAP_INVALID', 'the recording is truncated: it has no footer');
    if (this.#statistics !== undefined && this.#statistics !== BigInt(this.#messages)) {
      throw new FleetError(
        'INGEST_MCAP_INVALID',
        `the recording's statistics name ${this.#statistics} messages but it holds ${this.#messages}`,
      );
    }
    const counts = new Map<string, number>();
    for (const { topic, count } of this.#channels.values())
      if (count > 0) counts.set(topic, (counts.get(topic) ?? 0) + count);
    const declared = new Map([...this.#channels.values()].map(({ channel }) => [channel.topic, channel]));
    return {
      metadata: this.#metadata,
      channels: [...declared.values()].sort((left, right) => (left.topic < right.topic ? -1 : 1)),
      messages: this.#messages,
      startNs: this.#messages === 0 ? undefined : joined(this.#earliest),
      endNs: joined(this.#latest),
      topics: Object.fromEntries(counts),
    };
  }

  /** Consumes what is next; false when more bytes are needed. */
  #step(): boolean {
    if (this.#state === 'done') {
      if (this.#pending.length > 0) throw malformed('bytes follow the end');
      return false;
    }
    if (this.#state !== 'records') return this.#stepMagic();
    if (this.#pending.length < RECORD_HEADER_BYTES) return false;
    const length = viewOf(this.#pending).getBigUint64(1, true);
    if (length > BigInt(MCAP_RECORD_BYTES_MAX))
      throw malformed(`a record claims ${length} bytes, more than ${MCAP_RECORD_BYTES_MAX}`);
    const end = RECORD_HEADER_BYTES + Number(length);
    if (this.#pending.length < end) return false;
    const opcode = this.#pending[0] ?? 0;
    const content = this.#pending.subarray(RECORD_HEADER_BYTES, end);
    this.#pending = this.#pending.subarray(end);
    if (opcode === OPCODE.chunk) this.#readChunk(content);
    else this.#readRecord(opcode, content);
    return true;
  }

  #stepMagic(): boolean {
    if (this.#pending.length < MAGIC.length) return false;
    if (!isMagic(this.#pending.subarray(0, MAGIC.length)))
      throw malformed(
        this.#state === 'magic' ? 'it does not begin with the magic bytes' : 'it does not end with the magic bytes',
      );
    this.#pending = this.#pending.subarray(MAGIC.length);
    this.#state = this.#state === 'magic' ? 'records' : 'done';
    return true;
  }

  #readRecord(opcode: number, content: Uint8Array): void {
    if (opcode === OPCODE.message) return this.#readMessage(content, viewOf(content), 0, content.length);
    const fields = new FieldReader(content);
    if (opcode === OPCODE.footer) this.#state = 'footer';
    else if (opcode === OPCODE.schema) this.#readSchema(fields);
    else if (opcode === OPCODE.channel) this.#readChannel(fields);
    else if (opcode === OPCODE.statistics) this.#statistics = readStatistics(fields).messages;
    else if (opcode === OPCODE.metadata) this.#readMetadata(fields);
    else if (opcode === OPCODE.messageIndex) this.#checkMessageIndex(fields);
    else if (opcode === OPCODE.attachment) checkAttachment(fields, content.length);
    else if (opcode === 0) throw malformed('a record has the opcode 0');
  }

  /** A scan decodes no message by its schema; whoever visits the messages may. */
  #readSchema(fields: FieldReader): void {
    const id = fields.uint16();
    const named = { name: fields.text(), encoding: fields.text() };
    // Schemas stand in the summary again.
    if (this.#schemas.has(id)) return;
    const data = this.#visit === undefined ? new Uint8Array(0) : Uint8Array.from(fields.bytes(fields.uint32()));
    this.#schemaBytes += data.length;
    if (this.#schemas.size >= TOPICS_MAX || this.#schemaBytes > SCHEMA_BYTES_MAX)
      throw new FleetError(
        'INGEST_LIMIT',
        `the recording has more than ${TOPICS_MAX} schemas, or more than ${SCHEMA_BYTES_MAX} bytes of them`,
      );
    this.#schemas.set(id, { ...named, data });
  }

  #readMetadata(fields: FieldReader): void {
    if (this.#metadata.length >= METADATA_RECORDS_MAX)
      throw new FleetError('INGEST_LIMIT', `the recording has more than ${METADATA_RECORDS_MAX} metadata records`);
    this.#metadata.push({ name: fields.text(), metadata: fields.textMap() });
  }

  /** Whoever looks a message up by it must end inside of the chunk that it follows. */
  #checkMessageIndex(fields: FieldReader): void {
    fields.uint16();
    const entries = fields.bytes(fields.uint32());
    for (let offset = INDEX_ENTRY_BYTES / 2; offset < entries.length; offset += INDEX_ENTRY_BYTES)
      if (offset + INDEX_ENTRY_BYTES / 2 > entries.length || uint64At(entries, offset) >= this.#chunkBytes)
        throw malformed('a message index points out of the chunk that it follows');
  }

  #readChannel(fields: FieldReader): void {
    const record = readChannel(fields);
    // Channels stand in the summary again.
    if (this.#channels.has(record.id)) return;
    if (record.schemaId !== 0 && !this.#schemas.has(record.schemaId))
      throw malformed(`channel ${record.id} names schema ${record.schemaId}, which the recording does not declare`);
    if (this.#channels.size >= TOPICS_MAX)
      throw new FleetError('INGEST_LIMIT', `the recording has more than ${TOPICS_MAX} channels`);
    const channel: Channel = parseChannelRecord(record, this.#schemas);
    this.#channels.set(record.id, {
      channel,
      topic: channel.topic,
      signals: channel.kind === 'signal' ? channel.signals.length : undefined,
      values: new Float64Array(this.#visit !== undefined && channel.kind === 'signal' ? channel.signals.length : 0),
      count: 0,
    });
  }

  #readChunk(content: Uint8Array): void {
    const fields = new FieldReader(content);
    const { packedBytes, ...head } = readChunkHead(fields);
    const records = unpackChunk({ ...head, packed: fields.bytes(Number(packedBytes)) });
    this.#readChunkRecords(records);
    this.#chunkBytes = records.length;
    releaseChunk(records, head.compression);
  }

  #readChunkRecords(records: Uint8Array): void {
    const view = viewOf(records);
    for (let offset = 0; offset < records.length; ) {
      if (records.length - offset < RECORD_HEADER_BYTES) throw malformed('a chunk ends in the middle of a record');
      const start = offset + RECORD_HEADER_BYTES;
      // Both halves as numbers: exact up to 2^53, and anything near that is far over the size of the chunk.
      const end = start + view.getUint32(offset + 1, true) + view.getUint32(offset + 5, true) * 2 ** 32;
      if (end > records.length) throw malformed('a chunk ends in the middle of a record');
      const opcode = records[offset] ?? 0;
      if (opcode === OPCODE.message) this.#readMessage(records, view, start, end);
      else if (opcode === OPCODE.schema || opcode === OPCODE.channel)
        this.#readRecord(opcode, records.subarray(start, end));
      else throw malformed(`a chunk holds a record with the opcode ${opcode}`);
      offset = end;
    }
  }

  #readMessage(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (end - start < MESSAGE_FIELD_BYTES) throw malformed('a message ends in the middle of its header');
    const id = view.getUint16(start, true);
    const channel = this.#channels.get(id);
    if (channel === undefined) throw malformed(`a message names channel ${id}, which the recording does not declare`);
    const low = view.getUint32(start + 6, true);
    const high = view.getUint32(start + 10, true);
    if (isBefore(high, low, this.#earliest)) setStamp(this.#earliest, high, low);
    if (!isBefore(high, low, this.#latest)) setStamp(this.#latest, high, low);
    if (this.#visit !== undefined) this.#visit(toMessage(channel, bytes, view, { start, end }));
    else if (channel.signals !== undefined) checkSignalValues(bytes, start + MESSAGE_FIELD_BYTES, end, channel.signals);
    channel.count += 1;
    this.#messages += 1;
  }
}

function toMessage(
  { channel, values }: ScannedChannel,
  bytes: Uint8Array,
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
): SourceMessage {
  const sequence = view.getUint32(start + 2, true);
  const logTimeNs = view.getBigUint64(start + 6, true);
  // Most writers set both stamps to the same.
  const isSame =
    view.getUint32(start + 14, true) === view.getUint32(start + 6, true) &&
    view.getUint32(start + 18, true) === view.getUint32(start + 10, true);
  const publishTimeNs = isSame ? logTimeNs : view.getBigUint64(start + 14, true);
  const dataStart = start + MESSAGE_FIELD_BYTES;
  if (channel.kind === 'opaque')
    return { kind: 'opaque', channel, sequence, logTimeNs, publishTimeNs, data: bytes.subarray(dataStart, end) };
  decodeSignalValuesInto(values, bytes, view, { start: dataStart, end });
  return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs, values };
}

function checkAttachment(fields: FieldReader, contentBytes: number): void {
  const { dataBytes } = readAttachmentHead(fields);
  if (dataBytes !== BigInt(contentBytes - fields.offset - ATTACHMENT_CRC_BYTES))
    throw malformed(`an attachment claims ${dataBytes} bytes, and its record holds others`);
}

function isBefore(high: number, low: number, stamp: Uint32Array): boolean {
  const other = stamp[0] as number;
  return high < other || (high === other && low < (stamp[1] as number));
}

function setStamp(stamp: Uint32Array, high: number, low: number): void {
  stamp[0] = high;
  stamp[1] = low;
}

function joined([high = 0, low = 0]: Uint32Array): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
