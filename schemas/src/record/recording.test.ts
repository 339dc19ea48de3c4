/** Recordings: written bytes read back whole, and damaged ones are refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { fromMetadataRecords, type McapMetadataRecord, type RecordingMetadata } from './recording-metadata.ts';
import { readAll } from './mcap-test-files.ts';
import { MemorySink } from './mcap-test-sinks.ts';
import { readRecording } from './recording-reader.ts';
import { scanRecording } from './recording-scanner.ts';
import { RecordingWriter } from './recording-writer.ts';

const channel: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Speed',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
  rateHz: 1,
};

const metadata: RecordingMetadata = {
  vehicle: { id: 'vehicle-1', hardwareRevision: 'A' },
  software: { name: 'fleetloop-agent', version: '0.1.0' },
  session: { name: 'drive-1', attributes: { place: 'Ames' } },
  clock: { source: 'gps', uncertaintyNs: '1000000' },
  event: { id: 'ev-1', startNs: '1', endNs: '9', triggers: [{ campaign: 'hard', timeNs: '5' }], campaigns: ['hard'] },
  gaps: [{ topic: '/vss/Vehicle.Speed', fromNs: '2', toNs: '4' }],
  loss: { '/vss/Vehicle.Speed': 2 },
};

const messageAt = (index: number): SourceMessage => ({
  kind: 'signal',
  channel,
  sequence: index,
  logTimeNs: BigInt(index) * 1_000_000_000n,
  publishTimeNs: BigInt(index) * 1_000_000_000n,
  values: Float64Array.of(index * 0.1),
});

async function write(count: number): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = await RecordingWriter.open(sink, metadata);
  for (let index = 0; index < count; index += 1) await writer.write(messageAt(index));
  await writer.close();
  return sink.bytes();
}

async function read(
  parts: Iterable<Uint8Array>,
): Promise<{ messages: SourceMessage[]; records: McapMetadataRecord[] }> {
  const messages: SourceMessage[] = [];
  const records: McapMetadataRecord[] = [];
  for await (const item of readRecording(parts)) {
    if (item.kind === 'message') messages.push(item.message);
    else records.push(item.record);
  }
  return { messages, records };
}

const refusal = expect.objectContaining({ code: 'INGEST_MCAP_INVALID' });

describe('recordings', () => {
  it('bring back every message and the metadata', async () => {
    const { messages, records } = await read([await write(100)]);
    expect(messages).toEqual(Array.from({ length: 100 }, (_, index) => messageAt(index)));
    expect(fromMetadataRecords(records)).toEqual(metadata);
  });

  it('bring back metadata that was known only at the end, in reader and scanner', async () => {
    const sink = new MemorySink();
    const writer = await RecordingWriter.open(sink);
    await writer.write(messageAt(0));
    expect(await writer.close(metadata)).toEqual(new Map([['/vss/Vehicle.Speed', 1]]));
    const { messages, records } = await read([sink.bytes()]);
    expect(messages).toEqual([messageAt(0)]);
    expect(fromMetadataRecords(records)).toEqual(metadata);
    expect(fromMetadataRecords((await scanRecording([sink.bytes()])).metadata)).toEqual(metadata);
  });

  it('keep foreign payloads with their own schema untouched', async () => {
    const encoding = { messageEncoding: 'cdr', schemaEncoding: 'ros2msg', schemaData: Buffer.from('uint8 value') };
    const foreign = { kind: 'opaque', topic: '/foreign', schemaName: 'test/Byte', encoding } as const;
    const bare = {
      kind: 'opaque',
      topic: '/bare',
      schemaName: '',
      encoding: { ...encoding, schemaEncoding: '' },
    } as const;
    const header = {
      kind: 'opaque',
      sequence: 0,
      logTimeNs: 1n,
      publishTimeNs: 1n,
      data: Uint8Array.of(0, 1, 7),
    } as const;
    const sink = new MemorySink();
    const writer = await RecordingWriter.open(sink, metadata);
    for (const channel of [foreign, bare]) await writer.write({ ...header, channel });
    await writer.close();
    const records = readAll(sink.bytes());
    expect(records.find(({ type }) => type === 'Schema')).toMatchObject({ name: 'test/Byte', encoding: 'ros2msg' });
    expect(records.filter((record) => record.type === 'Channel').map(({ schemaId }) => schemaId)).toContain(0);
    const data = records.flatMap((record) => (record.type === 'Message' ? [record.data] : []));
    expect(data).toEqual([header.data, header.data]);
  });

  it('have the same bytes for the same input', async () => {
    expect(await write(50)).toEqual(await write(50));
  });

  it('read the same in pieces of any size', async () => {
    const bytes = await write(20);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: bytes.length }), async (size) => {
        const parts: Uint8Array[] = [];
        for (let offset = 0; offset < bytes.length; offset += size) parts.push(bytes.subarray(offset, offset + size));
        expect((await read(parts)).messages).toHaveLength(20);
      }),
      { numRuns: 20 },
    );
  });

  it('are refused when cut anywhere', async () => {
    const bytes = await write(20);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
        await expect(read([bytes.subarray(0, length)])).rejects.toThrow(refusal);
      }),
      { numRuns: 60 },
    );
  });

  it('are refused when a bit of the chunk flips', async () => {
    const bytes = await write(200);
    const middle = Math.floor(bytes.length / 3);
    const flipped = Uint8Array.from(bytes);
    flipped[middle] = (flipped[middle] as number) ^ 0x10;
    await expect(read([flipped])).rejects.toThrow();
  });

  it('without their metadata name the record that is missing', () => {
    expect(() => fromMetadataRecords([])).toThrow(
      expect.objectContaining({
        code: 'INGEST_METADATA_MISSING',
        message: expect.stringContaining('fleet.session') as string,
      }),
    );
  });
});
