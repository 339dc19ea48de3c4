/** Verifies the data section: chunks with their CRC, the records in them, and the message indexes behind them entry by entry. */
import { crc32 } from 'node:zlib';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import {
  MESSAGE_FIELD_BYTES,
  type McapChunkRecord,
  readChannel,
  readChunkHead,
  readMessageIndex,
  readSchema,
} from './mcap-fields.ts';
import type { McapFrame } from './mcap-frames.ts';
import { unpackBytes } from './mcap-unpack.ts';
import { spansOf } from './salvage-chunk.ts';
import type { FaultList } from './verify-faults.ts';
import { type ChunkTruth, formOfChannel, formOfSchema, type RecordingTruth } from './verify-truth.ts';

type Place = {
  readonly opcode: number;
  readonly byte: number;
  /** Whether the CRC of its chunk vouches for it. */
  readonly isProven?: boolean;
};
/** The messages of the last chunk, as its message indexes must have them. */
type OpenChunk = {
  readonly place: Place;
  readonly truth: ChunkTruth;
  readonly entries: Map<number, Map<number, bigint>>;
};

export class ChunkVerifier {
  readonly #faults: FaultList;
  readonly #truth: RecordingTruth;
  #open: OpenChunk | undefined;

  constructor(faults: FaultList, truth: RecordingTruth) {
    this.#faults = faults;
    this.#truth = truth;
  }

  /** A record of the data section. */
  take(frame: McapFrame, content: Uint8Array): void {
    const place = { opcode: frame.opcode, byte: frame.offset };
    if (frame.opcode === OPCODE.messageIndex) return this.#takeIndex(frame, content);
    this.#open = undefined;
    if (frame.opcode === OPCODE.chunk) return this.#takeChunk(frame, content);
    if (frame.opcode === OPCODE.metadata) {
      const fields = new FieldReader(content);
      const name = fields.text();
      this.#truth.metadata.set(frame.offset, { name, recordBytes: frame.recordBytes });
    } else this.#takeInner(place, frame.opcode, content);
  }

  #takeChunk(frame: McapFrame, content: Uint8Array): void {
    const place = { opcode: frame.opcode, byte: frame.offset };
    const fields = new FieldReader(content);
    const head = readChunkHead(fields);
    const packed = fields.bytes(Number(head.packedBytes));
    const truth: ChunkTruth = { recordBytes: frame.recordBytes, ...head, indexes: new Map(), indexBytes: 0 };
    this.#truth.addChunk(frame.offset, truth);
    this.#open = { place, truth, entries: new Map() };
    const records = this.#unpack(place, head, packed);
    if (records === undefined) return;
    const spans = spansOf(records);
    if (spans === undefined)
      return this.#faults.add('chunk-structure', place, 'the records of the chunk do not fill it from end to end');
    let [startNs, endNs]: [bigint | undefined, bigint] = [undefined, 0n];
    for (const { opcode, start, end } of spans) {
      const inner = records.subarray(start, end);
      this.#takeInner({ opcode, byte: frame.offset, isProven: head.crc !== 0 }, opcode, inner);
      if (opcode !== OPCODE.message || inner.length < MESSAGE_FIELD_BYTES) continue;
      const view = viewOf(inner);
      const logTimeNs = view.getBigUint64(6, true);
      this.#expect(view.getUint16(0, true), start - RECORD_HEADER_BYTES, logTimeNs);
      if (startNs === undefined || logTimeNs < startNs) startNs = logTimeNs;
      if (logTimeNs > endNs) endNs = logTimeNs;
    }
    if ((startNs ?? 0n) !== head.startNs || endNs !== head.endNs) {
      const claim = `${head.startNs} to ${head.endNs}`;
      this.#faults.add(
        'chunk-times',
        place,
        `the chunk names the times ${claim}, its messages have ${startNs ?? 0n} to ${endNs}`,
      );
    }
  }

  #unpack(place: Place, head: McapChunkRecord, packed: Uint8Array): Uint8Array | undefined {
    let records: Uint8Array;
    try {
      records = unpackBytes(packed, head.compression, head.uncompressedBytes);
    } catch (cause) {
      this.#faults.add('chunk-compression', place, cause instanceof Error ? cause.message : String(cause));
      return undefined;
    }
    if (BigInt(records.length) !== head.uncompressedBytes)
      this.#faults.add(
        'chunk-size',
        place,
        `the chunk names ${head.uncompressedBytes} bytes but unpacks to ${records.length}`,
      );
    if (head.crc === 0) return records;
    this.#truth.checksums += 1;
    if (crc32(records) === head.crc) return records;
    this.#faults.add('chunk-crc', place, 'the CRC of the chunk differs: its messages cannot be trusted');
    return undefined;
  }

  #expect(channelId: number, offset: number, logTimeNs: bigint): void {
    const entries = this.#open?.entries.get(channelId);
    if (entries !== undefined) entries.set(offset, logTimeNs);
    else this.#open?.entries.set(channelId, new Map([[offset, logTimeNs]]));
  }

  /** A schema, channel or message, in a chunk or outside. */
  #takeInner(place: Place, opcode: number, content: Uint8Array): void {
    try {
      if (opcode === OPCODE.message) this.#takeMessage(place, content);
      else if (opcode === OPCODE.schema) this.#takeSchema(place, content);
      else if (opcode === OPCODE.channel) this.#takeChannel(place, content);
    } catch (cause) {
      this.#faults.add('structure', place, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #takeMessage(place: Place, content: Uint8Array): void {
    if (content.length < MESSAGE_FIELD_BYTES)
      return this.#faults.add('structure', place, 'a message ends in the middle of its header');
    const view = viewOf(content);
    const channelId = view.getUint16(0, true);
    if (!this.#truth.channels.has(channelId))
      this.#faults.add(
        'channel-missing',
        place,
        `a message names channel ${channelId}, which is not declared before it`,
      );
    this.#truth.message(channelId, view.getBigUint64(6, true), place.isProven === true);
  }

  #takeSchema(place: Place, content: Uint8Array): void {
    const schema = readSchema(new FieldReader(content));
    if (schema.id === 0) this.#faults.add('schema-id', place, 'a schema has the id 0, which stands for "no schema"');
    const form = formOfSchema(schema);
    const known = this.#truth.schemas.get(schema.id);
    if (known === undefined) this.#truth.schemas.set(schema.id, form);
    else if (known !== form)
      this.#faults.add('schema-id', place, `schema ${schema.id} is declared again with other content`);
  }

  #takeChannel(place: Place, content: Uint8Array): void {
    const channel = readChannel(new FieldReader(content));
    const { id, schemaId, topic } = channel;
    const form = formOfChannel(channel);
    if (schemaId !== 0 && !this.#truth.schemas.has(schemaId))
      this.#faults.add(
        'schema-missing',
        place,
        `channel ${topic} names schema ${schemaId}, which is not declared before it`,
      );
    const known = this.#truth.channels.get(id);
    if (known === undefined) this.#truth.channels.set(id, form);
    else if (known !== form)
      this.#faults.add('channel-id', place, `channel ${id} is declared again with other content`);
  }

  #takeIndex(frame: McapFrame, content: Uint8Array): void {
    const place = { opcode: frame.opcode, byte: frame.offset };
    if (this.#open === undefined)
      return this.#faults.add('message-index', place, 'a message index does not follow a chunk');
    const { channelId, entries } = readMessageIndex(new FieldReader(content));
    const { truth, entries: expected } = this.#open;
    truth.indexBytes += frame.recordBytes;
    if (truth.indexes.has(channelId))
      this.#faults.add('message-index', place, `the chunk has a second message index of channel ${channelId}`);
    truth.indexes.set(channelId, frame.offset);
    const messages = expected.get(channelId);
    const wrong = entries.find(({ offset, logTimeNs }) => messages?.get(Number(offset)) !== logTimeNs);
    if (wrong !== undefined && expected.size > 0)
      this.#faults.add(
        'message-index',
        place,
        `channel ${channelId} has no message of ${wrong.logTimeNs} ns at byte ${wrong.offset} of the chunk`,
      );
    else if (messages !== undefined && entries.length !== messages.size)
      this.#faults.add(
        'message-index',
        place,
        `channel ${channelId} has ${messages.size} messages in the chunk, the index has ${entries.length}`,
      );
  }
}
