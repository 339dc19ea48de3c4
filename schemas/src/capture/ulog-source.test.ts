/** A real flight log comes through whole: topics, instances, texts, dropout and what the vehicle says of itself. */
import { describe, expect, it } from 'vitest';
import { fixture, jsonOf, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';
import type { Source } from './source.ts';

const HOP = fixture('px4_hop.ulg');
const open = (bytes: Uint8Array, mapping?: unknown): Promise<Source> =>
  openSource({
    sourcePath: 'flights/hop.ulg',
    files: memoryFiles({ 'flights/hop.ulg': bytes }, 997),
    mapping: mapping === undefined ? undefined : parseMapping(mapping),
  });

/** A file of one topic: `definitions` behind the header, `records` behind its subscription. */
function ulogOf(definitions: readonly Uint8Array[], records: readonly Uint8Array[] = []): Uint8Array {
  const header = Buffer.concat([Buffer.from([0x55, 0x4c, 0x6f, 0x67, 1, 0x12, 0x35, 1]), Buffer.alloc(8)]);
  return Buffer.concat([header, ...definitions, ...records]);
}

function record(type: string, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const header = Buffer.alloc(3);
  header.writeUInt16LE(content.length, 0);
  header.write(type, 2);
  return Buffer.concat([header, content]);
}

const uint64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};
const SUBSCRIPTION = record('A', Uint8Array.of(0, 9, 0), 'outer');
const DEFINITIONS = [
  record('F', 'outer:uint64_t timestamp;inner[2] parts;char[4] name;int64_t big;float[2] f;uint8_t[3] _padding0;'),
  record('F', 'inner:int16_t a;bool b;uint8_t _padding0;'),
  SUBSCRIPTION,
];
const data = (timeUs: bigint): Uint8Array =>
  record(
    'D',
    Uint8Array.of(9, 0),
    uint64(timeUs),
    Uint8Array.of(0xfe, 0xff, 1, 0, 3, 0, 0, 0),
    'ab\0z',
    uint64(0x7fff_ffff_ffff_ffffn),
    new Uint8Array(Float32Array.of(0.5, Number.NaN).buffer),
  );

describe('openSource with ULog', () => {
  it('reads a real log without a mapping', async () => {
    const source = await open(HOP);
    expect(source.description).toMatchObject({
      session: 'hop',
      attributes: { 'ulog.sys_name': 'PX4', 'ulog.ver_hw': 'CUBEPILOT_CUBEORANGE' },
    });
    const topics = source.description.channels.map((channel) => channel.topic);
    expect(topics).toEqual(
      expect.arrayContaining(['/ulog/sensor_accel', '/ulog/sensor_accel/1', '/ulog/sensor_accel/2']),
    );
    const { messages, error } = await readAll(source);
    expect(error).toBeUndefined();
    const texts = messages.filter(({ channel }) => channel.topic === '/ulog/log').map(jsonOf);
    expect(texts).toEqual(
      ['[commander] Takeoff detected', '[commander] Landing detected', '[commander] Disarmed by landing'].map(
        (message) => ({
          level: 6,
          message,
        }),
      ),
    );
    expect(source.report()).toMatchObject({ dropoutCount: 1, dropouts: [{ durationMs: 30 }] });
    expect(messages.filter(({ channel }) => channel.topic === '/ulog/dropout').map(jsonOf)).toEqual([
      { durationMs: 30 },
    ]);
    const [definitions] = messages.filter(({ channel }) => channel.topic === '/ulog/definitions').map(jsonOf);
    expect(definitions).toMatchObject({
      information: { sys_name: 'PX4' },
      parameters: { BAT_N_CELLS: expect.any(Number) },
    });
  });

  it('gives stamps of a time at which the log ran, and the own stamp of a message beside it', async () => {
    const { messages } = await readAll(await open(HOP));
    const times = messages.map((message) => Number(message.logTimeNs) / 1e9);
    expect(Math.min(...times)).toBeGreaterThan(15);
    expect(Math.max(...times)).toBeLessThan(27);
    expect(messages.some((message) => message.publishTimeNs === 0n)).toBe(true);
  });

  it('reads signals of a mapping on UTC when the start of the device is known', async () => {
    const source = await open(HOP, {
      format: 'ulog',
      session: { name: 'px4/{file}' },
      time: { epoch: '2020-01-01T00:00:00Z' },
      channels: [
        {
          from: 'sensor_combined',
          topic: '/vss/Vehicle.Acceleration',
          signals: [
            { path: 'Vehicle.Acceleration.Vertical', field: 'accelerometer_m_s2[2]', unit: 'm/s^2', scale: -1 },
          ],
        },
        {
          from: 'vehicle_attitude',
          topic: '/sensor/drone/attitude',
          signals: [{ path: 'Vehicle.Orientation.Roll', field: 'q[1]', unit: 'rad' }],
        },
      ],
    });
    const { messages, error } = await readAll(source);
    expect(error).toBeUndefined();
    const gravity = messages.filter(({ channel }) => channel.topic === '/vss/Vehicle.Acceleration');
    expect(gravity.length).toBeGreaterThan(0);
    for (const message of gravity) {
      expect(message.logTimeNs - 1577836800n * 1_000_000_000n).toBeGreaterThan(0n);
      expect(Math.abs(message.kind === 'signal' ? (message.values[0] ?? 0) : 0)).toBeGreaterThan(5);
    }
    expect(source.report().clocks).toMatchObject([{ kind: 'boot' }]);
  });

  it('reads nested types, arrays, texts, padding at the end that is not logged, and numbers that JSON lacks', async () => {
    const { messages, error } = await readAll(await open(ulogOf(DEFINITIONS, [data(7n)])));
    expect(error).toBeUndefined();
    expect(jsonOf(messages[0])).toEqual({
      timestamp: 7,
      parts: [
        { a: -2, b: true },
        { a: 3, b: false },
      ],
      name: 'ab',
      big: '9223372036854775807',
      f: [0.5, null],
    });
    expect(messages[0]).toMatchObject({ logTimeNs: 7_000n });
  });

  it('finds data that was appended after a crash, over the message that the crash cut off', async () => {
    const flags = Buffer.alloc(40);
    flags[8] = 1;
    const start = ulogOf([record('B', flags), ...DEFINITIONS], [data(7n), data(8n)]);
    const cut = start.subarray(0, start.length - 5);
    Buffer.from(cut.buffer, cut.byteOffset).writeBigUInt64LE(BigInt(cut.length), 16 + 3 + 16);
    const { messages, error } = await readAll(await open(Buffer.concat([cut, data(9n)])));
    expect(error).toBeUndefined();
    expect(messages.map((message) => message.logTimeNs)).toEqual([7_000n, 9_000n]);
  });

  it('delivers everything before a cut, and names the byte', async () => {
    const bytes = ulogOf(DEFINITIONS, [data(7n), data(8n)]);
    const { messages, error } = await readAll(await open(bytes.subarray(0, bytes.length - 1)));
    expect(messages).toHaveLength(1);
    expect(error).toMatchObject({
      code: 'SOURCE_FORMAT',
      details: { file: 'hop.ulg', byte: bytes.length - data(8n).length },
    });
  });

  it.each([
    ['a type within itself', [record('F', 'outer:uint64_t timestamp;outer o;'), SUBSCRIPTION], 'nested'],
    [
      'a format larger than a message',
      [record('F', 'outer:uint64_t timestamp;double[65535] x;'), SUBSCRIPTION],
      '65535',
    ],
    [
      'formats that grow with each level',
      [
        record('F', 'outer:uint64_t timestamp;a[60000] x;'),
        record('F', 'a:b[60000] x;'),
        record('F', 'b:double[60000] x;'),
        SUBSCRIPTION,
      ],
      '65535',
    ],
    ['a topic without a format', [SUBSCRIPTION], 'no format outer'],
    ['a topic without stamps', [record('F', 'outer:float x;'), SUBSCRIPTION], 'timestamp'],
    ['a newer form', [record('B', Buffer.alloc(40, 2))], 'newer form'],
    ['data of no topic', [record('D', Uint8Array.of(1, 0, 0))], 'no topic'],
    ['a damaged start of a message', [Uint8Array.of(1, 0, 200, 0)], 'damaged'],
  ])('refuses %s', async (_what, definitions, why) => {
    const { error } = await readAll(await open(ulogOf(definitions)));
    expect(error).toMatchObject({ code: 'SOURCE_FORMAT', message: expect.stringContaining(why) });
  });
});
