/** The messages of any MCAP file in the order of the file, with what its channels say of them; chunks outside a time range are passed over. */
import { FleetError } from '../errors/fleet-error.ts';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import {
  MESSAGE_FIELD_BYTES,
  type McapChannelRecord,
  type McapSchemaRecord,
  readChannel,
  readChunkHead,
  readSchema,
} from './mcap-fields.ts';
import type { McapFrame } from './mcap-frames.ts';
import type { McapBytes } from './mcap-memory.ts';
import { unpackChunk } from './mcap-unpack.ts';
import { McapWalk } from './mcap-walk.ts';
import { spansOf } from './salvage-chunk.ts';

export type StoredChannel = McapChannelRecord & { readonly schema: McapSchemaRecord | undefined };
export type StoredMessage = {
  readonly channel: StoredChannel;
  readonly sequence: number;
  readonly logTimeNs: bigint;
  readonly publishTimeNs: bigint;
  readonly data: Uint8Array;
};
export type StoredMessageFilter = {
  readonly fromNs?: bigint | undefined;
  /** Inclusive. */
  readonly toNs?: bigint | undefined;
  readonly wants?: ((topic: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
};

const CHUNK_HEAD_BYTES = 64;

/**
 * Gives the messages that a filter lets through, chunk by chunk.
 * @throws FleetError SOURCE_FORMAT at the first damage, after all that came before it
 */
export async function* readStoredMessages(
  bytes: McapBytes,
  filter: StoredMessageFilter = {},
): AsyncGenerator<readonly StoredMessage[], void, undefined> {
  const walk = new McapWalk(bytes, { signal: filter.signal });
  const reader = new MessageReader(filter);
  for await (const item of walk.items()) {
    if (item.kind === 'damage') throw damaged(item.fromByte, item.why);
    if (item.kind === 'end') {
      if (!item.hasMagic) throw damaged(bytes.sizeBytes, 'the file is cut off');
      return;
    }
    if (item.opcode === OPCODE.dataEnd) return;
    if (item.opcode === OPCODE.chunk && !(await isInRange(walk, item, filter))) continue;
    if (item.opcode !== OPCODE.chunk && !IN_CHUNK.has(item.opcode)) continue;
    try {
      const batch = reader.take(item.opcode, await walk.content(item));
      if (batch.length > 0) yield batch;
    } catch (cause) {
      throw damaged(item.offset, cause instanceof Error ? cause.message : String(cause));
    }
  }
}

const IN_CHUNK: ReadonlySet<number> = new Set([OPCODE.schema, OPCODE.channel, OPCODE.message]);

function damaged(byte: number, why: string): FleetError {
  const message = `byte ${byte}: ${why}; "fleetloop recording salvage" keeps what is intact behind it`;
  return new FleetError('SOURCE_FORMAT', message, { details: { byte } });
}

/** Definitions may stand in a chunk whose messages are not wanted; only chunks behind the range cannot matter any more. */
async function isInRange(walk: McapWalk, frame: McapFrame, { toNs }: StoredMessageFilter): Promise<boolean> {
  if (toNs === undefined) return true;
  const recordBytes = Math.min(frame.recordBytes, RECORD_HEADER_BYTES + CHUNK_HEAD_BYTES);
  const { startNs } = readChunkHead(new FieldReader(await walk.content({ ...frame, recordBytes })));
  return startNs <= toNs;
}

class MessageReader {
  readonly #filter: StoredMessageFilter;
  readonly #schemas = new Map<number, McapSchemaRecord>();
  readonly #channels = new Map<number, StoredChannel & { readonly isWanted: boolean }>();

  constructor(filter: StoredMessageFilter) {
    this.#filter = filter;
  }

  take(opcode: number, content: Uint8Array): readonly StoredMessage[] {
    const batch: StoredMessage[] = [];
    if (opcode !== OPCODE.chunk) {
      this.#takeRecord(opcode, content, batch);
      return batch;
    }
    const fields = new FieldReader(content);
    const { packedBytes, ...head } = readChunkHead(fields);
    const records = unpackChunk({ ...head, packed: fields.bytes(Number(packedBytes)) });
    const spans = spansOf(records);
    if (spans === undefined) throw new Error('the records of a chunk do not fill it');
    for (const span of spans) this.#takeRecord(span.opcode, records.subarray(span.start, span.end), batch);
    return batch;
  }

  #takeRecord(opcode: number, content: Uint8Array, batch: StoredMessage[]): void {
    if (opcode === OPCODE.schema) {
      const schema = readSchema(new FieldReader(Uint8Array.from(content)));
      if (!this.#schemas.has(schema.id)) this.#schemas.set(schema.id, schema);
    } else if (opcode === OPCODE.channel) this.#takeChannel(readChannel(new FieldReader(content)));
    else this.#takeMessage(content, batch);
  }

  #takeChannel(record: McapChannelRecord): void {
    if (this.#channels.has(record.id)) return;
    const isWanted = this.#filter.wants?.(record.topic) ?? true;
    this.#channels.set(record.id, { ...record, schema: this.#schemas.get(record.schemaId), isWanted });
  }

  #takeMessage(content: Uint8Array, batch: StoredMessage[]): void {
    if (content.length < MESSAGE_FIELD_BYTES) throw new Error('a message ends in the middle of its header');
    const view = viewOf(content);
    const channel = this.#channels.get(view.getUint16(0, true));
    if (channel === undefined)
      throw new Error(`a message names channel ${view.getUint16(0, true)}, which is not declared`);
    const logTimeNs = view.getBigUint64(6, true);
    const { fromNs, toNs } = this.#filter;
    if (!channel.isWanted || (fromNs !== undefined && logTimeNs < fromNs) || (toNs !== undefined && logTimeNs > toNs))
      return;
    batch.push({
      channel,
      sequence: view.getUint32(2, true),
      logTimeNs,
      publishTimeNs: view.getBigUint64(14, true),
      data: content.subarray(MESSAGE_FIELD_BYTES),
    });
  }
}
