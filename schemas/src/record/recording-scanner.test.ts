import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import { FleetError } from '../errors/fleet-error.ts';
import { encodeCanFrame } from '../can/can-frame.ts';
import { MAGIC, OPCODE } from './mcap-bytes.ts';
import type { RecordingMetadata } from './recording-metadata.ts';
import { fromMetadataRecords } from './recording-metadata.ts';
import { readRecording } from './recording-reader.ts';
import { scanRecording } from './recording-scanner.ts';
import { RecordingWriter } from './recording-writer.ts';

const METADATA: RecordingMetadata = {
  vehicle: { id: 'v1', hardwareRevision: 'A' },
  software: { name: 'test', version: '1' },
  session: { name: 's', attributes: { place: 'Oulu' } },
  clock: { source: 'test', uncertaintyNs: '1' },
  gaps: [],
  loss: {},
};
const CHANNELS: readonly SignalChannel[] = ['A', 'B'].map((name, index) => ({
  kind: 'signal',
  topic: `/vss/Vehicle.${name}`,
  signals: Array.from({ length: 1 + index * 20 }, (_, signal) => ({
    path: `Vehicle.${name}.S${signal}`,
    field: `s${signal}`,
    unit: '',
  })),
}));
const CAN = { kind: 'opaque', topic: '/can/0/raw', schemaName: 'fleetloop.capture.CanFrame' } as const;

type Drawn = { readonly channel: number; readonly atNs: bigint; readonly value: number };

async function record(messages: readonly Drawn[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = await RecordingWriter.open(
    {
      write: async (bytes) => {
        parts.push(Uint8Array.from(bytes));
      },
    },
    METADATA,
  );
  for (const [sequence, { channel, atNs, value }] of messages.entries()) {
    const header = { sequence, logTimeNs: atNs, publishTimeNs: atNs };
    const signal = CHANNELS[channel];
    if (signal === undefined)
      await writer.write({
        ...header,
        kind: 'opaque',
        channel: CAN,
        data: encodeCanFrame({ bus: 0, id: 1, data: Uint8Array.of(1) }),
      });
    else
      await writer.write({
        ...header,
        kind: 'signal',
        channel: signal,
        values: new Float64Array(signal.signals.length).fill(value),
      });
  }
  await writer.close();
  return Buffer.concat(parts);
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  // One buffer for all parts, as a careless reader would use it.
  const buffer = new Uint8Array(size);
  for (let offset = 0; offset < bytes.length; offset += size) {
    const part = bytes.subarray(offset, offset + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}

async function readSlowly(bytes: Uint8Array) {
  const topics: Record<string, number> = {};
  const metadata = [];
  const times: bigint[] = [];
  for await (const item of readRecording([bytes])) {
    if (item.kind === 'metadata') metadata.push(item.record);
    else {
      topics[item.message.channel.topic] = (topics[item.message.channel.topic] ?? 0) + 1;
      times.push(item.message.logTimeNs);
    }
  }
  times.sort((a, b) => (a < b ? -1 : 1));
  return {
    metadata: fromMetadataRecords(metadata),
    messages: times.length,
    startNs: times[0],
    endNs: times.at(-1) ?? 0n,
    channels: Object.keys(topics).sort(),
    topics,
  };
}

const refusalOf = async (bytes: Uint8Array): Promise<string> =>
  scanRecording([bytes]).then(
    () => 'accepted',
    (error: unknown) => FleetError.from(error).code,
  );
const drawn = fc.record({
  channel: fc.nat(2),
  atNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  value: fc.oneof(fc.double(), fc.constant(Number.NaN)),
});

describe('scanning a recording', () => {
  it('finds what reading every message finds, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(drawn, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3_000 }),
        async (messages, size) => {
          const bytes = await record(messages);
          const scan = await scanRecording(cut(bytes, size));
          const channels = scan.channels.map(({ topic }) => topic);
          const found = { ...scan, channels, metadata: fromMetadataRecords(scan.metadata) };
          expect(found).toEqual(await readSlowly(bytes));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses every proper beginning of a recording', async () => {
    const bytes = await record([
      { channel: 0, atNs: 5n, value: 1 },
      { channel: 2, atNs: 6n, value: 1 },
    ]);
    for (let length = 0; length < bytes.length; length += 1)
      expect(await refusalOf(bytes.subarray(0, length))).toBe('INGEST_MCAP_INVALID');
  });

  it('refuses bytes behind the end', async () => {
    expect(await refusalOf(Buffer.concat([await record([]), Uint8Array.of(0)]))).toBe('INGEST_MCAP_INVALID');
  });

  it('never fails in another way than by a refusal when bytes are changed', async () => {
    const bytes = await record(
      Array.from({ length: 30 }, (_, index) => ({ channel: index % 3, atNs: BigInt(index), value: index })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const changed = Uint8Array.from(bytes);
          for (const [at, value] of changes) changed[at] = value;
          expect(['accepted', 'INGEST_MCAP_INVALID', 'INGEST_LIMIT']).toContain(await refusalOf(changed));
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    ['a message of an undeclared channel', messageRecord(7, [])],
    [
      'a message shorter than its header',
      Buffer.concat([Uint8Array.of(OPCODE.message), u64(3), Uint8Array.of(1, 2, 3)]),
    ],
    [
      'a record that is longer than its chunk',
      Buffer.concat([Uint8Array.of(OPCODE.message), u64(1_000), Uint8Array.of(1)]),
    ],
    ['a chunk inside a chunk', Buffer.concat([Uint8Array.of(OPCODE.chunk), u64(0)])],
  ])('refuses %s', async (_what, records) => {
    expect(await refusalOf(fileWithChunk(records, records.length))).toBe('INGEST_MCAP_INVALID');
  });

  it('refuses a chunk that would unpack to more than the maximum', async () => {
    expect(await refusalOf(fileWithChunk(new Uint8Array(8), 2 ** 40))).toBe('INGEST_MCAP_INVALID');
  });
});

function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function messageRecord(channel: number, data: readonly number[]): Uint8Array {
  const content = Buffer.alloc(22 + data.length);
  content.writeUInt16LE(channel, 0);
  content.set(data, 22);
  return Buffer.concat([Uint8Array.of(OPCODE.message), u64(content.length), content]);
}

function fileWithChunk(records: Uint8Array, uncompressedSize: number): Uint8Array {
  const packed = zstdCompressSync(records);
  const compression = Buffer.concat([Uint8Array.of(4, 0, 0, 0), Buffer.from('zstd')]);
  const content = Buffer.concat([
    u64(0),
    u64(0),
    u64(uncompressedSize),
    Uint8Array.of(0, 0, 0, 0),
    compression,
    u64(packed.length),
    packed,
  ]);
  const footer = Buffer.concat([Uint8Array.of(OPCODE.footer), u64(20), new Uint8Array(20)]);
  return Buffer.concat([MAGIC, Uint8Array.of(OPCODE.chunk), u64(content.length), content, footer, MAGIC]);
}
