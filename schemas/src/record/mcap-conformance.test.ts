/** The writer against the conformance vectors of the MCAP project: the same records and features give the same bytes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MemorySink } from './mcap-test-sinks.ts';
import type { McapPart } from './mcap-summary.ts';
import { McapWriter } from './mcap-writer.ts';

const integer = z.string().transform(Number);
const stamp = z.string().transform(BigInt);
const bytes = z.array(integer).transform((list) => Uint8Array.from(list));
const textMap = z.record(z.string(), z.string()).transform((record) => new Map(Object.entries(record)));

const VectorRecord = z.discriminatedUnion('type', [
  z.object({ type: z.literal('Header'), library: z.string(), profile: z.string() }),
  z.object({ type: z.literal('Schema'), id: integer, name: z.string(), encoding: z.string(), data: bytes }),
  z.object({
    type: z.literal('Channel'),
    id: integer,
    schema_id: integer,
    topic: z.string(),
    message_encoding: z.string(),
    metadata: textMap,
  }),
  z.object({
    type: z.literal('Message'),
    channel_id: integer,
    sequence: integer,
    log_time: stamp,
    publish_time: stamp,
    data: bytes,
  }),
  z.object({
    type: z.literal('Attachment'),
    name: z.string(),
    media_type: z.string(),
    log_time: stamp,
    create_time: stamp,
    data: bytes,
  }),
  z.object({ type: z.literal('Metadata'), name: z.string(), metadata: textMap }),
]);
type VectorRecord = z.infer<typeof VectorRecord>;
const Vector = z.object({
  name: z.string(),
  features: z.array(z.string()),
  records: z.array(VectorRecord),
  mcap: z.base64().transform((text) => Buffer.from(text, 'base64')),
});

const PARTS: Readonly<Record<string, McapPart>> = {
  mx: 'messageIndex',
  rsh: 'schemas',
  rch: 'channels',
  st: 'statistics',
  mdx: 'metadataIndex',
  ax: 'attachmentIndex',
  chx: 'chunkIndex',
  sum: 'summaryOffsets',
};
const VECTORS_FILE = join(import.meta.dirname, 'fixtures/mcap-conformance/vectors.json');
const vectors = z
  .array(Vector)
  .min(1)
  .parse(JSON.parse(await readFile(VECTORS_FILE, 'utf8')));

function add(writer: McapWriter, record: VectorRecord): void {
  switch (record.type) {
    case 'Header':
      return;
    case 'Schema':
      expect(writer.registerSchema(record)).toBe(record.id);
      return;
    case 'Channel':
      writer.registerChannel({ ...record, schemaId: record.schema_id, messageEncoding: record.message_encoding });
      return;
    case 'Message':
      writer.addMessage(record.channel_id, record.sequence, record.log_time, record.publish_time, record.data);
      return;
    case 'Attachment':
      writer.addAttachment({
        name: record.name,
        mediaType: record.media_type,
        logTimeNs: record.log_time,
        createTimeNs: record.create_time,
        data: record.data,
      });
      return;
    case 'Metadata':
      writer.addMetadata(record);
  }
}

describe('the MCAP writer', () => {
  it.each(vectors)('writes $name as the conformance vector has it', async ({ features, records, mcap }) => {
    const sink = new MemorySink();
    const parts = new Set(features.flatMap((feature) => PARTS[feature] ?? []));
    const writer = new McapWriter(sink, { compression: 'none', parts });
    for (const record of records) add(writer, record);
    await writer.close();
    expect(sink.bytes().toString('hex')).toBe(mcap.toString('hex'));
  });
});
