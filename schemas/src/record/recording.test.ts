/** Recordings: written bytes read back whole, and damaged ones are refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { fromMetadataRecords, type McapMetadataRecord, type RecordingMetadata } from './recording-metadata.ts';
import { readRecording } from './recording-reader.ts';
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
  const parts: Uint8Array[] = [];
  let size = 0;
  const writable = {
    position: () => BigInt(size),
    write: async (bytes: Uint8Array) => {
      parts.push(bytes.slice()); // the writer reuses its buffer
      size += bytes.length;
    },
  };
  const writer = await RecordingWriter.open(writable, metadata);
  for (let index = 0; index < count; index += 1) await writer.write(messageAt(index));
  await writer.close();
  return Buffer.concat(parts);
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
