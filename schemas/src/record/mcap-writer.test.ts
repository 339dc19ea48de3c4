import { createHash } from 'node:crypto';
import { McapIndexedReader, type McapTypes } from '@mcap/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageRecordSize, writeMessageRecord } from './mcap-message-record.ts';
import { decompressHandlers, type Drawn, type DrawnMessage, ONE, readAll, register, write } from './mcap-test-files.ts';
import { MemorySink, SlowSink } from './mcap-test-sinks.ts';
import { McapWriter, type McapWriterOptions } from './mcap-writer.ts';
import { scanRecording } from './recording-scanner.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.tuple(fc.nat(255), fc.nat(3_000)).map(([value, length]) => new Uint8Array(length).fill(value)),
);
const drawn: fc.Arbitrary<Drawn> = fc
  .record({ channels: fc.integer({ min: 1, max: 200 }), schemas: fc.nat(3) })
  .chain(({ channels, schemas }) =>
    fc.record({
      channels: fc.constant(channels),
      schemas: fc.constant(schemas),
      messages: fc.array(
        fc.record({ channel: fc.nat(channels - 1), logTimeNs: uint64, publishTimeNs: uint64, data: payload }),
        { maxLength: 120 },
      ),
    }),
  );
const options: fc.Arbitrary<McapWriterOptions> = fc.record({
  compression: fc.constantFrom('zstd', 'none'),
  chunkBytes: fc.constantFrom(1, 200, 4_096, 1024 * 1024),
  chunksInFlightMax: fc.integer({ min: 1, max: 4 }),
});

async function writeRuns(input: Drawn, chosen: McapWriterOptions, runLength: number): Promise<Buffer> {
  const sink = new MemorySink();
  const writer = new McapWriter(sink, chosen);
  const ids = register(writer, input);
  for (let first = 0; first < input.messages.length; first += runLength) {
    const run = input.messages.slice(first, first + runLength);
    const bytes = new Uint8Array(run.reduce((sum, { data }) => sum + messageRecordSize(data.length), 0));
    const memory = { bytes, view: new DataView(bytes.buffer) };
    let offset = 0;
    for (const [index, { channel, data, ...stamps }] of run.entries())
      offset = writeMessageRecord(
        memory,
        offset,
        { channelId: ids[channel] ?? -1, sequence: first + index, ...stamps },
        data,
      );
    expect(offset).toBe(bytes.length);
    const hasRoom = writer.addMessageRecords(bytes);
    bytes.fill(0xee);
    if (!hasRoom) await writer.drain();
  }
  await writer.close();
  return sink.bytes();
}

const openIndexed = async (bytes: Uint8Array): Promise<McapIndexedReader> =>
  McapIndexedReader.Initialize({
    readable: {
      size: async () => BigInt(bytes.length),
      read: async (offset, length) => bytes.subarray(Number(offset), Number(offset + length)),
    },
    decompressHandlers,
  });

const plain = (message: McapTypes.TypedMcapRecords['Message']) => ({
  sequence: message.sequence,
  logTimeNs: message.logTime,
  publishTimeNs: message.publishTime,
  data: Array.from(message.data),
});
const expectedOf = ({ messages }: Drawn) =>
  messages.map(({ logTimeNs, publishTimeNs, data }, sequence) => ({
    sequence,
    logTimeNs,
    publishTimeNs,
    data: Array.from(data),
  }));
describe('the MCAP writer', () => {
  it('gives files from which every reader takes the same messages', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, options, async (input, chosen) => {
        const sink = new MemorySink();
        const written = await write(sink, input, chosen);
        const bytes = sink.bytes();
        expect(written).toMatchObject({ messages: input.messages.length, sizeBytes: bytes.length });
        const streamed = readAll(bytes).filter((record) => record.type === 'Message');
        expect(streamed.map(plain)).toEqual(expectedOf(input));
        const indexed = await openIndexed(bytes);
        const found = (await collect(indexed.readMessages({ validateCrcs: true }))).map(plain);
        expect(found.toSorted((left, right) => left.sequence - right.sequence)).toEqual(expectedOf(input));
        const scan = await scanRecording([bytes]);
        expect(new Map(Object.entries(scan.topics))).toEqual(new Map(written.topics));
      }),
      { numRuns: 60 },
    );
  });

  it('gives equal bytes for equal calls, whether the sink is slow, messages come in runs, or chunks wait', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawn,
        options,
        fc.integer({ min: 1, max: 30 }),
        fc.nat(3),
        async (input, chosen, runLength, turns) => {
          const [first, second] = [new MemorySink(), new SlowSink(turns)];
          await Promise.all([write(first, input, chosen), write(second, input, { ...chosen, chunksInFlightMax: 1 })]);
          expect(second.bytes().equals(first.bytes())).toBe(true);
          expect((await writeRuns(input, chosen, runLength)).equals(first.bytes())).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('compresses the same in a context that was used before', async () => {
    const message = (index: number): DrawnMessage => ({
      channel: 0,
      logTimeNs: BigInt(index),
      publishTimeNs: 0n,
      data: Uint8Array.from({ length: 700 }, (_, at) => (index * at) % 251),
    });
    const input: Drawn = { ...ONE, messages: Array.from({ length: 400 }, (_, index) => message(index)) };
    const chosen: McapWriterOptions = { compression: 'zstd', chunkBytes: 8_192 };
    const sinks = [1, 2, 8].map((chunksInFlightMax) => ({ chunksInFlightMax, sink: new MemorySink() }));
    for (const { sink, chunksInFlightMax } of sinks) await write(sink, input, { ...chosen, chunksInFlightMax });
    expect(new Set(sinks.map(({ sink }) => sink.bytes().toString('hex'))).size).toBe(1);
    expect(
      readAll(sinks[0]?.sink.bytes() ?? new Uint8Array()).filter(({ type }) => type === 'Chunk').length,
    ).toBeGreaterThan(10);
  });

  it('counts and indexes exactly what it wrote', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, options, async (input, chosen) => {
        const sink = new MemorySink();
        await write(sink, input, chosen);
        const records = readAll(sink.bytes());
        const times = input.messages.map(({ logTimeNs }) => logTimeNs).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        const { chunkCount, channelMessageCounts, ...statistics } =
          (await openIndexed(sink.bytes())).statistics ?? fail();
        expect(statistics).toMatchObject({
          messageCount: BigInt(input.messages.length),
          schemaCount: input.schemas,
          channelCount: input.channels,
          messageStartTime: times[0] ?? 0n,
          messageEndTime: times.at(-1) ?? 0n,
        });
        expect(chunkCount).toBe(records.filter(({ type }) => type === 'Chunk').length);
        const counts = new Map<number, bigint>();
        for (const { channel } of input.messages) counts.set(channel + 1, (counts.get(channel + 1) ?? 0n) + 1n);
        expect(channelMessageCounts).toEqual(counts);
        const indexed = records.flatMap((record) => (record.type === 'MessageIndex' ? record.records : []));
        expect(indexed).toHaveLength(input.messages.length);
      }),
      { numRuns: 40 },
    );
  });

  it('repeats schema and channel in each chunk that uses them, so that a chunk can be read by itself', async () => {
    const messages = Array.from({ length: 40 }, (_, index) => ({
      channel: 0,
      logTimeNs: BigInt(index),
      publishTimeNs: 0n,
      data: new Uint8Array(1_000),
    }));
    const sink = new MemorySink();
    await write(sink, { ...ONE, messages }, { compression: 'none', chunkBytes: 4_096 });
    const chunks = readAll(sink.bytes()).filter((record) => record.type === 'Chunk');
    expect(chunks.length).toBeGreaterThan(5);
    for (const { records } of chunks) {
      const schemaEnd = 9 + new DataView(records.buffer, records.byteOffset).getUint32(1, true);
      expect([records[0], records[schemaEnd]]).toEqual([0x03, 0x04]);
    }
  });

  it('stops repeating what would fill the chunks with schemas', async () => {
    const sink = new MemorySink();
    const writer = new McapWriter(sink, { compression: 'none', chunkBytes: 4_096 });
    const schemaId = writer.registerSchema({ name: 'Large', encoding: 'x', data: new Uint8Array(20_000) });
    const id = writer.registerChannel({ schemaId, topic: '/a', messageEncoding: 'x', metadata: new Map() });
    for (let index = 0; index < 20; index += 1) {
      if (!writer.addMessage(id, index, 0n, 0n, new Uint8Array(1_000))) await writer.drain();
    }
    const { sizeBytes } = await writer.close();
    expect(sizeBytes).toBeLessThan(20 * 1_100 + 2 * 20_000 + 4_096);
    expect(readAll(sink.bytes()).filter(({ type }) => type === 'Message')).toHaveLength(20);
  });

  it('keeps a channel that never had a message, and its schema', async () => {
    const sink = new MemorySink();
    await write(sink, { channels: 300, schemas: 2, messages: [] }, { compression: 'zstd' });
    const [data, summary] = splitAtDataEnd(readAll(sink.bytes()));
    for (const part of [data, summary]) {
      expect(part.filter(({ type }) => type === 'Channel')).toHaveLength(300);
      expect(part.filter(({ type }) => type === 'Schema')).toHaveLength(2);
    }
  });

  it('stores a chunk that zstd does not make smaller as it is', async () => {
    const noise = createHash('shake256', { outputLength: 20_000 }).update('noise').digest();
    const sink = new MemorySink();
    const data = [noise, new Uint8Array(20_000)];
    const messages = data.map((each) => ({ channel: 0, logTimeNs: 0n, publishTimeNs: 0n, data: each }));
    await write(sink, { ...ONE, messages }, { compression: 'zstd', chunkBytes: 20_000 });
    const chunks = readAll(sink.bytes()).filter((record) => record.type === 'Chunk');
    expect(chunks.map(({ compression }) => compression)).toEqual(['', 'zstd']);
  });

  it('indexes attachments and metadata wherever they stand', async () => {
    const sink = new MemorySink();
    const writer = new McapWriter(sink, { compression: 'zstd' });
    const [id = 0] = register(writer, ONE);
    writer.addMessage(id, 0, 5n, 5n, Uint8Array.of(1));
    writer.addMetadata({ name: 'late', metadata: new Map([['a', 'ü']]) });
    const data = Uint8Array.of(1, 2, 3);
    writer.addAttachment({ name: 'map', mediaType: 'x/y', logTimeNs: 1n, createTimeNs: 2n, data });
    data.fill(0);
    await writer.close();
    const reader = await openIndexed(sink.bytes());
    const attachments = await collect(reader.readAttachments());
    expect(attachments).toMatchObject([{ name: 'map', logTime: 1n, createTime: 2n, data: Uint8Array.of(1, 2, 3) }]);
    const metadata = await collect(reader.readMetadata());
    expect(metadata).toMatchObject([{ name: 'late', metadata: new Map([['a', 'ü']]) }]);
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function splitAtDataEnd(records: readonly McapTypes.TypedMcapRecord[]) {
  const end = records.findIndex(({ type }) => type === 'DataEnd');
  return [records.slice(0, end), records.slice(end + 1)] as const;
}

function fail(): never {
  throw new Error('the file has no statistics');
}
