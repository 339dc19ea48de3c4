/** Files that tests damage, with the place of every message in them, so that it is known which ones must survive. */
import { McapWriter as CoreWriter } from '@mcap/core';
import { fixture } from '../capture/fixtures/memory-files.ts';
import { FieldReader, OPCODE, RECORD_HEADER_BYTES } from './mcap-bytes.ts';
import {
  type McapChannelRecord,
  type McapSchemaRecord,
  readChannel,
  readChunkHead,
  readSchema,
} from './mcap-fields.ts';
import { memoryBytes } from './mcap-memory.ts';
import { unpackChunk } from './mcap-unpack.ts';
import { McapWalk } from './mcap-walk.ts';
import { McapWriter } from './mcap-writer.ts';
import { spansOf } from './salvage-chunk.ts';
import { MemorySink } from './mcap-test-sinks.ts';

/** A message and the bytes of the file that it depends on. */
export type PlacedMessage = {
  readonly topic: string;
  readonly channelId: number;
  readonly content: Uint8Array;
  readonly fromByte: number;
  readonly toByte: number;
};
/** A schema or channel record in the file. */
export type PlacedDefinition = { readonly key: string; readonly fromByte: number; readonly toByte: number };
export type PlacedFile = {
  readonly bytes: Uint8Array;
  /** Whether any chunk is compressed. */
  readonly isPacked: boolean;
  readonly messages: readonly PlacedMessage[];
  readonly definitions: readonly PlacedDefinition[];
  readonly channels: ReadonlyMap<number, McapChannelRecord>;
  readonly schemas: ReadonlyMap<number, McapSchemaRecord>;
  /** Where the summary begins, or the footer of a file without one. */
  readonly summaryByte: number;
};

/** The places of an intact file. */
export async function placeMessages(bytes: Uint8Array): Promise<PlacedFile> {
  const messages: Omit<PlacedMessage, 'topic'>[] = [];
  const definitions: PlacedDefinition[] = [];
  const channels = new Map<number, McapChannelRecord>();
  const schemas = new Map<number, McapSchemaRecord>();
  const take = (opcode: number, content: Uint8Array, place: { fromByte: number; toByte: number }): void => {
    if (opcode === OPCODE.message)
      messages.push({ channelId: new FieldReader(content).uint16(), content: Uint8Array.from(content), ...place });
    if (opcode === OPCODE.schema) {
      const schema = readSchema(new FieldReader(Uint8Array.from(content)));
      schemas.set(schema.id, schema);
      definitions.push({ key: `schema ${schema.id}`, ...place });
    }
    if (opcode === OPCODE.channel) {
      const channel = readChannel(new FieldReader(content));
      channels.set(channel.id, channel);
      definitions.push({ key: `channel ${channel.id}`, ...place });
    }
  };
  let isPacked = false;
  let summaryByte = bytes.length;
  const walk = new McapWalk(memoryBytes(bytes));
  for await (const item of walk.items()) {
    if (item.kind !== 'record') continue;
    const content = await walk.content(item);
    const place = { fromByte: item.offset, toByte: item.offset + item.recordBytes };
    if (item.opcode === OPCODE.dataEnd) summaryByte = place.toByte;
    take(item.opcode, content, place);
    if (item.opcode !== OPCODE.chunk) continue;
    const fields = new FieldReader(content);
    const { packedBytes, ...head } = readChunkHead(fields);
    isPacked ||= head.compression !== '';
    const start = item.offset + RECORD_HEADER_BYTES + fields.offset;
    const records = unpackChunk({ ...head, packed: fields.bytes(Number(packedBytes)) });
    for (const span of spansOf(records) ?? []) {
      const own = { fromByte: start + span.start - RECORD_HEADER_BYTES, toByte: start + span.end };
      take(span.opcode, records.subarray(span.start, span.end), head.compression === '' ? own : place);
    }
  }
  const placed = messages.map((message) => ({ ...message, topic: channels.get(message.channelId)?.topic ?? '' }));
  return { bytes, isPacked, messages: placed, definitions, channels, schemas, summaryByte };
}

/** A real recording whose chunks are lz4: the first seconds of a drive. */
export const realDrive = (): Uint8Array => fixture('comma_lz4.mcap');
export const realBag = (): Uint8Array => fixture('rosbag2_cdr.mcap');

/** The first messages of a file written again with our own writer. */
export async function rewrite(
  file: PlacedFile,
  options: { readonly compression: 'zstd' | 'none'; readonly chunkBytes: number; readonly messages: number },
): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = new McapWriter(sink, options);
  const schemaIds = new Map([...file.schemas.values()].map((schema) => [schema.id, writer.registerSchema(schema)]));
  for (const channel of file.channels.values())
    writer.registerChannel({ ...channel, schemaId: schemaIds.get(channel.schemaId) ?? 0 });
  for (const { content } of file.messages.slice(0, options.messages)) {
    const fields = new FieldReader(content);
    const [id, sequence, log, publish] = [fields.uint16(), fields.uint32(), fields.uint64(), fields.uint64()] as const;
    if (!writer.addMessage(id, sequence, log, publish, content.subarray(22))) await writer.drain();
  }
  await writer.close();
  return sink.bytes();
}

/** The same by the reference writer with every message outside of chunks. */
export async function rewriteBare(file: PlacedFile, count: number): Promise<Uint8Array> {
  const sink = new MemorySink();
  let position = 0n;
  const writer = new CoreWriter({
    writable: {
      position: () => position,
      write: async (part) => {
        position += BigInt(part.length);
        await sink.write(part);
      },
    },
    useChunks: false,
  });
  await writer.start({ profile: '', library: 'test' });
  const ids = new Map<number, number>();
  for (const { channelId, content } of file.messages.slice(0, count)) {
    const channel = file.channels.get(channelId);
    if (channel === undefined) throw new Error('a message has no channel');
    let id = ids.get(channelId);
    if (id === undefined) {
      const schema = file.schemas.get(channel.schemaId);
      const schemaId = schema === undefined ? 0 : await writer.registerSchema(schema);
      id = await writer.registerChannel({ ...channel, schemaId });
      ids.set(channelId, id);
    }
    const fields = new FieldReader(content.subarray(2));
    const header = { sequence: fields.uint32(), logTime: fields.uint64(), publishTime: fields.uint64() };
    await writer.addMessage({ channelId: id, ...header, data: content.subarray(22) });
  }
  await writer.end();
  return sink.bytes();
}
