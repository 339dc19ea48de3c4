/** Foreign recordings pass through untouched, our own come back as signals, and damage is named by its byte. */
import { McapWriter } from '@mcap/core';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingWriter } from '../record/recording-writer.ts';
import { fixture, jsonOf, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';
import type { SourceMessage } from './source-message.ts';
import type { Source } from './source.ts';

const TEXT = new TextEncoder();

type Written = {
  readonly topic: string;
  readonly timeNs: bigint;
  readonly data: Uint8Array;
  readonly sequence?: number;
};
type FileOptions = { readonly chunkBytes?: number; readonly isPlain?: boolean; readonly encoding?: string };

/** Writes a file with the reference writer. */
async function mcapOf(messages: readonly Written[], options: FileOptions = {}): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let position = 0n;
  const writer = new McapWriter({
    writable: {
      position: () => position,
      write: async (bytes) => {
        parts.push(bytes.slice());
        position += BigInt(bytes.length);
      },
    },
    useChunks: options.isPlain !== true,
    chunkSize: options.chunkBytes ?? 1_000,
    compressChunk: (chunk) => ({ compression: 'zstd', compressedData: zstdCompressSync(chunk) }),
  });
  await writer.start({ profile: '', library: 'test' });
  await writer.addMetadata({ name: 'trip', metadata: new Map([['driver', 'nobody']]) });
  const ids = new Map<string, number>();
  for (const { topic, timeNs, data, sequence = 0 } of messages) {
    let id = ids.get(topic);
    if (id === undefined) {
      const schemaId = await writer.registerSchema({ name: 'any', encoding: 'jsonschema', data: TEXT.encode('{}') });
      const messageEncoding = options.encoding ?? 'json';
      id = await writer.registerChannel({ schemaId, topic, messageEncoding, metadata: new Map([['unit', 'none']]) });
      ids.set(topic, id);
    }
    await writer.addMessage({ channelId: id, sequence, logTime: timeNs, publishTime: timeNs, data });
  }
  await writer.end();
  return Buffer.concat(parts);
}

const json = (topic: string, timeNs: number, value: unknown): Written => ({
  topic,
  timeNs: BigInt(timeNs),
  data: TEXT.encode(JSON.stringify(value)),
});
const open = (bytes: Uint8Array, mapping?: unknown, pieceBytes?: number): Promise<Source> =>
  openSource({
    sourcePath: 'trips/drive.mcap',
    files: memoryFiles({ 'trips/drive.mcap': bytes }, pieceBytes),
    mapping: mapping === undefined ? undefined : parseMapping(mapping),
  });
const dataOf = (messages: readonly SourceMessage[]): readonly unknown[] =>
  messages.map((message) => (message.kind === 'opaque' ? [...message.data] : message.values));

describe('openSource with MCAP', () => {
  it('passes any bytes through, whatever the chunks and however the file is cut into pieces', async () => {
    const payload = fc.uint8Array({ maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(payload, { maxLength: 30 }),
        fc.integer({ min: 1, max: 900 }),
        fc.boolean(),
        async (payloads, pieceBytes, isPlain) => {
          const written = payloads.map((data, index) => ({ topic: `/t${index % 3}`, timeNs: BigInt(index), data }));
          const bytes = await mcapOf(written, { isPlain, encoding: 'cdr' });
          const { messages, error } = await readAll(await open(bytes, undefined, pieceBytes));
          expect(error).toBeUndefined();
          expect(dataOf(messages)).toEqual(payloads.map((data) => [...data]));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('describes channels with encoding, schema and metadata, and the session by file name and metadata', async () => {
    const source = await open(await mcapOf([json('/imu', 1, { ax: 1 })]));
    expect(source.description).toMatchObject({ session: 'drive', attributes: { 'trip.driver': 'nobody' } });
    expect(source.description.channels).toEqual([
      {
        kind: 'opaque',
        topic: '/imu',
        schemaName: 'any',
        encoding: {
          messageEncoding: 'json',
          schemaEncoding: 'jsonschema',
          schemaData: TEXT.encode('{}'),
          metadata: { unit: 'none' },
        },
      },
    ]);
    const { messages } = await readAll(source);
    expect(messages[0]?.channel).toBe(source.description.channels[0]);
  });

  it('counts messages of writers that do not count, and keeps the sequence of those that do', async () => {
    const silent = await readAll(await open(await mcapOf([json('/a', 1, 0), json('/a', 2, 0), json('/b', 3, 0)])));
    expect(silent.messages.map((message) => message.sequence)).toEqual([0, 1, 0]);
    const counted = [4, 5, 9].map((sequence) => ({ ...json('/a', sequence, 0), sequence }));
    expect((await readAll(await open(await mcapOf(counted)))).messages.map(({ sequence }) => sequence)).toEqual([
      4, 5, 9,
    ]);
  });

  it('puts messages of different chunks in order and reports the disorder of a channel', async () => {
    const source = await open(
      await mcapOf([json('/a', 5, 'x'), json('/a', 3, 'y'), json('/b', 4, 'z')], { chunkBytes: 1 }),
    );
    const { messages } = await readAll(source);
    expect(messages.map((message) => Number(message.logTimeNs))).toEqual([3, 4, 5]);
    expect(source.report()).toMatchObject({ messages: 3, backwards: 1 });
  });

  it('reads an empty recording as a session without messages', async () => {
    expect(await readAll(await open(await mcapOf([])))).toEqual({ messages: [], error: undefined });
  });

  it('reads recordings of our own as signals of the same values', async () => {
    const channel = {
      kind: 'signal',
      topic: '/vss/Vehicle',
      rateHz: 10,
      signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
    } as const;
    const parts: Uint8Array[] = [];
    const writer = await RecordingWriter.open(
      { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()) },
      {
        vehicle: { id: 'v', hardwareRevision: 'A' },
        software: { name: 's', version: '1' },
        session: { name: 'drives/7', attributes: { weather: 'rain' } },
        clock: { source: 'system', uncertaintyNs: '0' },
        gaps: [],
        loss: {},
      },
    );
    for (const [sequence, speed] of [10, Number.NaN, 30].entries()) {
      const timeNs = BigInt(sequence);
      const values = Float64Array.of(speed);
      await writer.write({ kind: 'signal', channel, sequence, logTimeNs: timeNs, publishTimeNs: timeNs, values });
    }
    await writer.close();
    const source = await open(Buffer.concat(parts));
    expect(source.description).toMatchObject({
      session: 'drives/7',
      attributes: { weather: 'rain' },
      channels: [channel],
    });
    expect(dataOf((await readAll(source)).messages)).toEqual(
      [10, Number.NaN, 30].map((value) => Float64Array.of(value)),
    );
  });

  it('reads signals out of JSON fields beside the messages themselves', async () => {
    const mapping = {
      format: 'mcap',
      channels: [
        {
          from: '/obd',
          topic: '/vss/Vehicle',
          signals: [{ path: 'Vehicle.Speed', field: 'speed.kmh[1]', unit: 'km/h' }],
        },
      ],
    };
    const rows = [
      { speed: { kmh: [0, 50] } },
      { speed: {} },
      { speed: { kmh: [0, null] } },
      { speed: { kmh: [0, true] } },
    ];
    const { messages } = await readAll(
      await open(await mcapOf(rows.map((row, index) => json('/obd', index, row))), mapping),
    );
    expect(messages.map(({ channel }) => channel.topic).filter((topic) => topic === '/obd')).toHaveLength(4);
    expect(dataOf(messages.filter(({ kind }) => kind === 'signal'))).toEqual([Float64Array.of(50), Float64Array.of(1)]);
    const text = await readAll(
      await open(await mcapOf([json('/obd', 1, rows[0]), json('/obd', 2, { speed: { kmh: [0, 'fast'] } })]), mapping),
    );
    expect(text.messages).toHaveLength(2);
    expect(text.error).toMatchObject({ code: 'SOURCE_VALUE_INVALID', details: { topic: '/obd' } });
    const cdr = await readAll(await open(await mcapOf([json('/obd', 1, 0)], { encoding: 'cdr' }), mapping));
    expect(cdr.error).toMatchObject({ code: 'SOURCE_VALUE_INVALID' });
  });

  it('refuses a mapping whose topic is in the file already', async () => {
    const channel = {
      from: '/x',
      topic: '/vss/Vehicle',
      signals: [{ path: 'Vehicle.Speed', field: 'v', unit: 'm/s' }],
    };
    const bytes = await mcapOf([json('/vss/Vehicle', 1, 0)]);
    await expect(open(bytes, { format: 'mcap', channels: [channel] })).rejects.toMatchObject({
      code: 'MAPPING_INVALID',
    });
  });

  it('delivers everything before a cut, and names the byte where the file breaks off', async () => {
    const bytes = await mcapOf(
      Array.from({ length: 40 }, (_, index) => json('/a', index, 'x'.repeat(90))),
      { chunkBytes: 500 },
    );
    const whole = await readAll(await open(bytes));
    expect(whole.messages).toHaveLength(40);
    let before = 0;
    for (let length = 8; length < bytes.length; length += 37) {
      const { messages, error } = await readAll(await open(bytes.subarray(0, length)));
      expect(error).toMatchObject({ code: 'SOURCE_FORMAT', details: { file: 'drive.mcap' } });
      expect((error as { details: { byte: number } }).details.byte).toBeLessThanOrEqual(length);
      expect(messages.length).toBeGreaterThanOrEqual(before);
      expect(dataOf(messages)).toEqual(dataOf(whole.messages.slice(0, messages.length)));
      before = messages.length;
    }
    expect(before).toBe(40);
  });

  it('stops at a chunk whose CRC differs', async () => {
    const bytes = await mcapOf([json('/a', 1, 'x'), json('/a', 2, 'y')], { chunkBytes: 1 });
    const first = Buffer.from(bytes).indexOf('zstd');
    const second = Buffer.from(bytes).indexOf('zstd', first + 4);
    const damaged = Uint8Array.from(bytes);
    damaged[second - 5] = (damaged[second - 5] ?? 0) ^ 1;
    const { messages, error } = await readAll(await open(damaged));
    expect(dataOf(messages)).toEqual([[...TEXT.encode('"x"')]]);
    expect(error).toMatchObject({ code: 'SOURCE_FORMAT', message: expect.stringContaining('CRC') });
  });

  it('reads lz4 chunks, and files without a summary', async () => {
    const { messages, error } = await readAll(await open(fixture('comma_lz4.mcap')));
    expect(error).toBeUndefined();
    expect(messages.length).toBeGreaterThan(100);
    expect([...new Set(messages.map(({ channel }) => channel.topic))].toSorted()).toEqual(['/can', '/gnss', '/imu']);
    expect(jsonOf(messages[0])).toBeTypeOf('object');
  });

  it.each([
    ['rosbag2_talker.mcap', 20, 'cdr'],
    ['rosbag2_cdr.mcap', 7, 'cdr'],
  ])('reads %s of ROS 2 with its schemas and quality of service', async (name, count, encoding) => {
    const source = await open(fixture(name));
    expect((await readAll(source)).messages).toHaveLength(count);
    for (const channel of source.description.channels)
      expect(channel).toMatchObject({ kind: 'opaque', encoding: { messageEncoding: encoding } });
  });
});
