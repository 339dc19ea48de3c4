/** What the writer does not take, and what becomes of a file whose sink fails. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGE_RECORD_HEADER_BYTES, messageRecordSize, writeMessageRecord } from './mcap-message-record.ts';
import { type Drawn, ONE, readAll, register, write } from './mcap-test-files.ts';
import { FailingSink, MemorySink } from './mcap-test-sinks.ts';
import { McapWriter } from './mcap-writer.ts';

describe('the MCAP writer refuses', () => {
  const refusal = expect.objectContaining({ code: 'RECORD_WRITE' }) as Error;
  const open = () => {
    const sink = new MemorySink();
    const writer = new McapWriter(sink, { compression: 'none' });
    return { sink, writer, id: register(writer, ONE)[0] ?? 0 };
  };

  it('messages of a channel that is not registered, and goes on', async () => {
    const { sink, writer, id } = open();
    expect(() => writer.addMessage(id + 1, 0, 0n, 0n, new Uint8Array())).toThrow(refusal);
    writer.addMessage(id, 0, 0n, 0n, new Uint8Array());
    await writer.close();
    expect(readAll(sink.bytes()).filter(({ type }) => type === 'Message')).toHaveLength(1);
  });

  it('anything that is no run of whole Message records, and keeps the records before it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 80 }), async (garbage) => {
        const { sink, writer, id } = open();
        const good = new Uint8Array(messageRecordSize(0));
        const memory = { bytes: good, view: new DataView(good.buffer) };
        writeMessageRecord(
          memory,
          0,
          { channelId: id, sequence: 0, logTimeNs: 1n, publishTimeNs: 1n },
          new Uint8Array(),
        );
        garbage[0] = 0x04;
        expect(() => writer.addMessageRecords(Buffer.concat([good, garbage]))).toThrow(refusal);
        for (let cut = 1; cut < MESSAGE_RECORD_HEADER_BYTES; cut += 1)
          expect(() => writer.addMessageRecords(good.subarray(0, cut))).toThrow(refusal);
        await writer.close();
        expect(readAll(sink.bytes()).filter(({ type }) => type === 'Message')).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });

  it('channels of an unknown schema, ids that are taken, and anything after the end', async () => {
    const { writer, id } = open();
    const channel = { schemaId: 0, topic: '/b', messageEncoding: '', metadata: new Map<string, string>() };
    expect(() => writer.registerChannel({ ...channel, schemaId: 9 })).toThrow(refusal);
    expect(() => writer.registerChannel({ ...channel, id })).toThrow(refusal);
    expect(() => writer.registerChannel({ ...channel, id: 65_536 })).toThrow(refusal);
    expect(writer.registerChannel({ ...channel, id: 65_535 })).toBe(65_535);
    await writer.close();
    expect(() => writer.addMessage(id, 0, 0n, 0n, new Uint8Array())).toThrow(refusal);
    await expect(writer.close()).rejects.toThrow(refusal);
  });
});

describe('a sink that fails', () => {
  const messages = Array.from({ length: 60 }, (_, index) => ({
    channel: index % 3,
    logTimeNs: BigInt(index),
    publishTimeNs: 0n,
    data: new Uint8Array(500).fill(index),
  }));
  const input: Drawn = { channels: 3, schemas: 1, messages };

  it.each(['none', 'zstd'] as const)(
    'at any write ends the file with its own error, once (%s)',
    async (compression) => {
      const chosen = { compression, chunkBytes: 2_000 };
      const complete = new MemorySink();
      await write(complete, input, chosen);
      expect(complete.writes).toBeGreaterThan(10);
      for (let failAt = 1; failAt <= complete.writes; failAt += 1) {
        const sink = new FailingSink(failAt);
        await expect(write(sink, input, chosen)).rejects.toBe(sink.error);
        expect(sink.writes).toBe(failAt);
        expect(complete.bytes().subarray(0, sink.bytes().length).equals(sink.bytes())).toBe(true);
      }
    },
  );

  it('makes every later call throw the same error', async () => {
    const sink = new FailingSink(1);
    const writer = new McapWriter(sink, { compression: 'zstd' });
    await expect(writer.close()).rejects.toBe(sink.error);
    expect(() => writer.addMessage(1, 0, 0n, 0n, new Uint8Array())).toThrow(sink.error);
    expect(() => writer.addMetadata({ name: 'x', metadata: new Map() })).toThrow(sink.error);
    await expect(writer.drain()).rejects.toBe(sink.error);
    await expect(writer.close()).rejects.toBe(sink.error);
  });
});
