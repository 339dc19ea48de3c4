/** ROS 2 messages against the library that others use, on real bags, and bytes that are made to hurt. */
import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryBytes } from '../record/mcap-memory.ts';
import { readStoredMessages, type StoredMessage } from '../record/recording-messages.ts';
import { fixture, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';
import { makeRos2Decoder } from './ros2-message.ts';

const TEXT = new TextEncoder();
const IMU = `geometry_msgs/Vector3 accel
float64[] samples
pkg/Wheel[2] wheels
string name
================================================================================
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
================================================================================
MSG: pkg/Wheel
uint8 index
float32 speed`;

async function messagesOf(name: string): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for await (const batch of readStoredMessages(memoryBytes(fixture(name)))) messages.push(...batch);
  return messages;
}

/** JSON with every number as text, so that typed arrays and lists, bigint and number are the same. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, entry: unknown) => {
      if (ArrayBuffer.isView(entry)) return Array.from(entry as unknown as ArrayLike<unknown>, String);
      return typeof entry === 'number' || typeof entry === 'bigint' ? String(entry) : entry;
    }),
  );

const imu = (speed: number): Uint8Array =>
  new MessageWriter(parse(IMU, { ros2: true })).writeMessage({
    accel: { x: 1.5, y: -2, z: 9.81 },
    samples: [4, 5, 6],
    wheels: [
      { index: 0, speed },
      { index: 1, speed: speed + 1 },
    ],
    name: 'front',
  });

describe('a ROS 2 message', () => {
  it.each(['rosbag2_cdr.mcap', 'rosbag2_talker.mcap'])('of %s is what the usual reader makes of it', async (name) => {
    const messages = await messagesOf(name);
    expect(messages.length).toBeGreaterThan(0);
    for (const { channel, data } of messages) {
      const definition = channel.schema?.data ?? new Uint8Array(0);
      const usual = new MessageReader(parse(new TextDecoder().decode(definition), { ros2: true }));
      // The usual reader reads behind the end of a view, so that it gets bytes of its own.
      expect(plain(makeRos2Decoder(definition)(data))).toEqual(plain(usual.readMessage(Uint8Array.from(data))));
    }
  });

  it('gives its nested fields and arrays as numbers', () => {
    const value = makeRos2Decoder(TEXT.encode(IMU))(imu(3));
    expect(value).toMatchObject({
      accel: { z: 9.81 },
      samples: [4, 5, 6],
      wheels: [{ speed: 3 }, { speed: 4 }],
      name: 'front',
    });
  });

  it('never does anything but decode or refuse, whatever its bytes are', () => {
    const decode = makeRos2Decoder(TEXT.encode(IMU));
    const message = imu(3);
    fc.assert(
      fc.property(fc.nat(message.length - 1), fc.nat(255), fc.nat(message.length), (at, value, length) => {
        const changed = Uint8Array.from(message.subarray(0, length));
        if (at < length) changed[at] = value;
        try {
          decode(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  it.each([
    ['a count of four thousand million', 'float64[] values', [0, 1, 0, 0, 255, 255, 255, 255]],
    ['empty elements without end', 'pkg/Empty[] values\n===\nMSG: pkg/Empty\n', [0, 1, 0, 0, 255, 255, 255, 255]],
    [
      'elements that take no byte',
      'pkg/Empty[] values\n===\nMSG: pkg/Empty\nuint8[0] none',
      [0, 1, 0, 0, 255, 255, 255, 255],
    ],
    ['a fixed array larger than the message', 'float64[4000000000] values', [0, 1, 0, 0, 0, 0, 0, 0]],
    ['a type inside itself', 'pkg/Self self\n===\nMSG: pkg/Self\nuint8 own\npkg/Self self', [0, 1, 0, 0]],
  ])('is refused for %s', (_what, definition, bytes) => {
    const decode = makeRos2Decoder(TEXT.encode(definition));
    expect(() => decode(Uint8Array.from(bytes))).toThrow(Error);
  });
});

describe('a mapping of ROS 2 messages', () => {
  it('reads a field of a real bag as a signal', async () => {
    const mapping = parseMapping({
      format: 'mcap',
      channels: [
        {
          topic: '/vss/Vehicle',
          from: '/array_topic',
          signals: [{ path: 'Vehicle.Speed', unit: 'km/h', field: 'defaults_values[1].float64_value' }],
        },
      ],
    });
    const files = memoryFiles({ 'bag.mcap': fixture('rosbag2_cdr.mcap') });
    const { messages, error } = await readAll(await openSource({ sourcePath: 'bag.mcap', files, mapping }));
    expect(error).toBeUndefined();
    const values = messages.flatMap((message) => (message.kind === 'signal' ? [...message.values] : []));
    expect(values.length).toBeGreaterThan(0);
    expect(new Set(values)).toEqual(new Set([1.125]));
  });
});
