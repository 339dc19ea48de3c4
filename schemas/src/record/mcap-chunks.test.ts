import { crc32, zstdCompressSync } from 'node:zlib';
import { McapIndexedReader, type McapTypes } from '@mcap/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { McapChunk } from './mcap-chunk-stage.ts';
import { joinCrc } from './mcap-crc.ts';
import { messageRecordSize, writeMessageRecord } from './mcap-message-record.ts';
import { decompressHandlers, ONE, readAll, register } from './mcap-test-files.ts';
import { FailingSink, MemorySink } from './mcap-test-sinks.ts';
import { McapWriter } from './mcap-writer.ts';
import { scanRecording } from './recording-scanner.ts';

const CHANNELS = { channels: 9, schemas: 2, messages: [] };
const KINDS = ['single', 'stored', 'zstd'] as const;
type Message = { readonly channel: number; readonly time: number; readonly data: Uint8Array };
type Block = { readonly kind: (typeof KINDS)[number]; readonly messages: readonly Message[] };
type Input = { readonly baseNs: bigint; readonly blocks: readonly Block[] };

const message: fc.Arbitrary<Message> = fc.record({
  channel: fc.nat(7),
  // Messages may come before the session's first one, and late.
  time: fc.integer({ min: -(2 ** 33), max: 2 ** 40 }),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.nat(3_000).map((size) => new Uint8Array(size).fill(7)),
  ),
});
const input: fc.Arbitrary<Input> = fc.record({
  // Halves of the stamp carry into each other.
  baseNs: fc
    .tuple(fc.nat(2 ** 29), fc.constantFrom(0n, 2n ** 32n - 1n, 5n))
    .map(([high, low]) => (BigInt(high + 16) << 32n) + low),
  blocks: fc.array(
    fc.record({ kind: fc.constantFrom(...KINDS), messages: fc.array(message, { minLength: 1, maxLength: 30 }) }),
    { maxLength: 8 },
  ),
});

/** The records of a block, and where each begins. */
function recordsOf({ messages }: Block, { baseNs }: Input, ids: readonly number[], firstSequence: number) {
  const bytes = new Uint8Array(messages.reduce((sum, { data }) => sum + messageRecordSize(data.length), 0));
  const memory = { bytes, view: new DataView(bytes.buffer) };
  const offsets: number[] = [];
  let end = 0;
  for (const [index, { channel, time, data }] of messages.entries()) {
    offsets.push(end);
    const logTimeNs = baseNs + BigInt(time);
    const header = { channelId: ids[channel] ?? -1, sequence: firstSequence + index, logTimeNs, publishTimeNs: 3n };
    end = writeMessageRecord(memory, end, header, data);
  }
  return { bytes, offsets };
}

function chunkOf(block: Block, from: Input, ids: readonly number[], firstSequence: number): McapChunk {
  const { bytes: records, offsets } = recordsOf(block, from, ids, firstSequence);
  const bytes = block.kind === 'zstd' ? zstdCompressSync(records) : records;
  return {
    compression: block.kind === 'zstd' ? 'zstd' : '',
    bytes,
    uncompressedBytes: records.length,
    uncompressedCrc: crc32(records),
    // Known by some callers, unknown to others.
    ...(firstSequence % 2 === 0 ? { bytesCrc: crc32(bytes) } : {}),
    rows: {
      count: block.messages.length,
      channelIds: Uint16Array.from(block.messages, ({ channel }) => ids[channel] ?? 0),
      times: Float64Array.from(block.messages, ({ time }) => time),
      offsets: Uint32Array.from(offsets),
      baseNs: from.baseNs,
    },
  };
}

/** Writes blocks as they are, or all of them message by message. */
async function writeBlocks(from: Input, isByMessage: boolean): Promise<Buffer> {
  const sink = new MemorySink();
  const writer = new McapWriter(sink, { compression: 'zstd', chunkBytes: 2_000 });
  const ids = register(writer, CHANNELS);
  let sequence = 0;
  for (const block of from.blocks) {
    const hasRoom =
      isByMessage || block.kind === 'single'
        ? writer.addMessageRecords(recordsOf(block, from, ids, sequence).bytes)
        : writer.addChunk(chunkOf(block, from, ids, sequence));
    if (!hasRoom) await writer.drain();
    sequence += block.messages.length;
  }
  await writer.close();
  return sink.bytes();
}

async function indexedMessages(bytes: Uint8Array): Promise<readonly McapTypes.TypedMcapRecords['Message'][]> {
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: async () => BigInt(bytes.length),
      read: async (offset, length) => bytes.subarray(Number(offset), Number(offset + length)),
    },
    decompressHandlers,
  });
  const found: McapTypes.TypedMcapRecords['Message'][] = [];
  for await (const each of reader.readMessages({ validateCrcs: true }))
    found.push({ ...each, data: each.data.slice() });
  return found;
}

describe('chunks that were made elsewhere', () => {
  it('give a file with the messages, indexes and statistics of one that was written message by message', async () => {
    await fc.assert(
      fc.asyncProperty(input, async (from) => {
        const [whole, single] = [await writeBlocks(from, false), await writeBlocks(from, true)];
        const of = (bytes: Uint8Array, type: string) => readAll(bytes).filter((record) => record.type === type);
        expect(of(whole, 'Message')).toEqual(of(single, 'Message'));
        expect(await indexedMessages(whole)).toEqual(await indexedMessages(single));
        expect(of(whole, 'Statistics')).toMatchObject(
          of(single, 'Statistics').map((statistics) => ({ ...statistics, chunkCount: expect.any(Number) as number })),
        );
        expect(await scanRecording([whole])).toEqual(await scanRecording([single]));
        const made = from.blocks.filter(({ kind }) => kind !== 'single').length;
        expect(of(whole, 'Chunk').length).toBeGreaterThanOrEqual(made);
        expect(of(whole, 'ChunkIndex')).toHaveLength(of(whole, 'Chunk').length);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('have their schemas and channels ahead of them, once', async () => {
    const blocks: Block[] = [1, 2].map((channel) => ({
      kind: 'stored',
      messages: [{ channel, time: channel, data: new Uint8Array(4) }],
    }));
    const types = readAll(await writeBlocks({ baseNs: 0n, blocks }, false)).map(({ type }) => type);
    const data = types.slice(0, types.indexOf('DataEnd'));
    expect(data.filter((type) => type === 'Channel')).toHaveLength(CHANNELS.channels);
    expect(data.lastIndexOf('Channel')).toBeLessThan(data.indexOf('Chunk'));
  });

  it('give equal bytes for equal calls, and go to the sink in few writes', async () => {
    const messages = Array.from({ length: 50 }, (_, time) => ({ channel: time % 8, time, data: new Uint8Array(900) }));
    const blocks = Array.from({ length: 60 }, (): Block => ({ kind: 'stored', messages }));
    const sinks = [new MemorySink(), new MemorySink()];
    for (const sink of sinks) {
      const writer = new McapWriter(sink, { compression: 'zstd' });
      const ids = register(writer, CHANNELS);
      for (const block of blocks)
        if (!writer.addChunk(chunkOf(block, { baseNs: 0n, blocks }, ids, 0))) await writer.drain();
      await writer.close();
      expect(sink.bytes().length).toBeGreaterThan(2.5 * 1024 * 1024);
      expect(sink.writes).toBeLessThan(10);
    }
    expect(sinks[0]?.bytes().equals(sinks[1]?.bytes() ?? Buffer.alloc(0))).toBe(true);
  });

  it('are refused when they name an unknown channel, hold nothing, or are not as long as they say', async () => {
    const block: Block = { kind: 'stored', messages: [{ channel: 0, time: 0, data: new Uint8Array(4) }] };
    const sink = new MemorySink();
    const writer = new McapWriter(sink, { compression: 'none' });
    const ids = register(writer, ONE);
    const good = chunkOf(block, { baseNs: 0n, blocks: [] }, ids, 0);
    const bad: McapChunk[] = [
      { ...good, rows: { ...good.rows, channelIds: Uint16Array.of(99) } },
      { ...good, rows: { ...good.rows, count: 0 } },
      { ...good, uncompressedBytes: 1 },
    ];
    for (const chunk of bad)
      expect(() => writer.addChunk(chunk)).toThrow(expect.objectContaining({ code: 'RECORD_WRITE' }) as Error);
    expect(writer.addChunk(good)).toBe(true);
    expect((await writer.close()).messages).toBe(1);
    expect(await indexedMessages(sink.bytes())).toHaveLength(1);
  });

  it('end the file with the error of the sink', async () => {
    const block: Block = { kind: 'stored', messages: [{ channel: 0, time: 0, data: new Uint8Array(4) }] };
    const sink = new FailingSink(3);
    const writer = new McapWriter(sink, { compression: 'none' });
    const ids = register(writer, ONE);
    writer.addChunk(chunkOf(block, { baseNs: 0n, blocks: [] }, ids, 0));
    await expect(writer.close()).rejects.toBe(sink.error);
  });
});

describe('the CRC of bytes in two parts', () => {
  it('is that of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.uint8Array({ maxLength: 5_000 }), (first, second) => {
        expect(joinCrc(crc32(first), crc32(second), second.length)).toBe(crc32(Buffer.concat([first, second])));
      }),
    );
    const zeros = new Uint8Array(3 * 1024 * 1024 + 1);
    expect(joinCrc(crc32(Uint8Array.of(1)), crc32(zeros), zeros.length)).toBe(
      crc32(Buffer.concat([Uint8Array.of(1), zeros])),
    );
  });
});
