/** Every frame of a log is kept as it was, in all of candump's forms, and what is no frame is refused with its line. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBinary } from '@bufbuild/protobuf';
import { CAN_FLAG } from '../can/can-frame.ts';
import { CanFrameSchema } from '../gen/fleetloop/capture_pb.js';
import { parseCandumpLine } from './candump-line.ts';
import { fixture, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';
import type { SourceMessage } from './source-message.ts';
import type { Source } from './source.ts';

const DBC = `BO_ 291 SPEEDS: 8 X
 SG_ KIND M : 0|8@1+ (1,0) [0|0] "" X
 SG_ FRONT m0 : 8|16@1- (0.1,0) [0|0] "km/h" X
 SG_ REAR m1 : 15|16@0+ (0.1,0) [0|0] "km/h" X
BO_ 2147484000 FLOATS: 12 X
 SG_ LATITUDE : 0|32@1- (1,0) [0|0] "" X
 SG_ LONGITUDE : 39|64@0- (1,0) [0|0] "" X
SIG_VALTYPE_ 2147484000 LATITUDE : 1;
SIG_VALTYPE_ 2147484000 LONGITUDE : 2;
`;
const mapping = {
  format: 'candump',
  session: { name: 'can/{file}' },
  interfaces: { vcan0: 3 },
  databases: [{ file: 'car.dbc', buses: [3] }],
  channels: [
    {
      topic: '/vss/Vehicle',
      bus: 3,
      message: 'SPEEDS',
      signals: [{ path: 'Vehicle.Speed', signal: 'FRONT', unit: 'km/h' }],
    },
    {
      topic: '/vss/Vehicle.Chassis.Axle',
      bus: 3,
      message: 'SPEEDS',
      signals: [{ path: 'Vehicle.Chassis.Axle.Row2.Wheel.Left.Speed', signal: 'REAR', unit: 'km/h' }],
    },
    {
      topic: '/vss/Vehicle.CurrentLocation',
      bus: 3,
      message: 'FLOATS',
      signals: [
        { path: 'Vehicle.CurrentLocation.Latitude', signal: 'LATITUDE', unit: 'degrees' },
        { path: 'Vehicle.CurrentLocation.Longitude', signal: 'LONGITUDE', unit: 'degrees' },
      ],
    },
  ],
};

const open = (log: string | Uint8Array, withMapping = false): Promise<Source> =>
  openSource({
    sourcePath: 'logs/drive.log',
    folder: 'maps',
    files: memoryFiles({ 'logs/drive.log': log, 'maps/car.dbc': DBC }, 13),
    mapping: withMapping ? parseMapping(mapping) : undefined,
  });

function frameOf(message: SourceMessage | undefined): object {
  if (message?.kind !== 'opaque') throw new Error('no frame');
  const { bus, id, data, flags, remoteSizeBytes } = fromBinary(CanFrameSchema, message.data);
  return { topic: message.channel.topic, bus, id, data: [...data], flags, remoteSizeBytes };
}

describe('openSource with candump', () => {
  it('keeps frames of all kinds, with and without line ends of Windows', async () => {
    const log = [
      '(1436509052.249713) vcan0 044#2A366C2BBA',
      '(1436509052.249714) can1 18FEF100#11.22',
      '(1436509052.249715) can1 123#R4',
      '(1436509052.249716) can1 20000080#0000000000000000',
      `(1436509052.249717) can1 123##3${'0F'.repeat(64)}`,
      '(1436509052.249718) can1 123#1122334455667788_9 R',
      '(1436509052.249719)  can1  123   [2]  AA BB',
      '(1436509052.249720)  can1  123   [3]  remote request',
      '',
    ].join('\r\n');
    const { messages, error } = await readAll(await open(log));
    expect(error).toBeUndefined();
    expect(messages[0]?.logTimeNs).toBe(1436509052249713000n);
    const plain = { bus: 1, flags: 0, remoteSizeBytes: 0, topic: '/can/1/raw' };
    expect(messages.map(frameOf)).toEqual([
      { ...plain, topic: '/can/0/raw', bus: 0, id: 0x44, data: [0x2a, 0x36, 0x6c, 0x2b, 0xba] },
      { ...plain, id: 0x18fef100, data: [0x11, 0x22], flags: CAN_FLAG.extended },
      { ...plain, id: 0x123, data: [], flags: CAN_FLAG.remote, remoteSizeBytes: 4 },
      { ...plain, id: 0x80, data: Array.from({ length: 8 }, () => 0), flags: CAN_FLAG.error },
      {
        ...plain,
        id: 0x123,
        data: Array.from({ length: 64 }, () => 15),
        flags: CAN_FLAG.fd + CAN_FLAG.bitRateSwitch + CAN_FLAG.errorState,
      },
      { ...plain, id: 0x123, data: [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88] },
      { ...plain, id: 0x123, data: [0xaa, 0xbb] },
      { ...plain, id: 0x123, data: [], flags: CAN_FLAG.remote, remoteSizeBytes: 3 },
    ]);
  });

  it('decodes multiplexed, signed, big-endian and floating signals, and keeps unknown ids beside them', async () => {
    const floats = Buffer.alloc(12);
    floats.writeFloatLE(42.5, 0);
    floats.writeDoubleBE(-71.25, 4);
    const log = [
      '(1.0) vcan0 123#009CFF0000000000',
      '(2.0) vcan0 123#0101F40000000000',
      `(3.0) vcan0 00000160##0${floats.toString('hex')}`,
      '(4.0) vcan0 7FF#00',
      '(5.0) vcan0 00000123#009CFF0000000000',
    ].join('\n');
    const source = await open(log, true);
    const { messages } = await readAll(source);
    const values = messages
      .filter(({ kind }) => kind === 'signal')
      .map((message) => [message.channel.topic, ...(message.kind === 'signal' ? message.values : [])]);
    expect(values).toEqual([
      ['/vss/Vehicle', expect.closeTo(-10, 9)],
      ['/vss/Vehicle.Chassis.Axle', expect.closeTo(50, 9)],
      ['/vss/Vehicle.CurrentLocation', 42.5, -71.25],
    ]);
    expect(messages.filter(({ kind }) => kind === 'opaque')).toHaveLength(5);
    expect(source.description.session).toBe('can/drive');
  });

  it.each([
    ['a line without a stamp', 'can0  123   [8]  11 22 33 44 55 66 77 88', 'candump -L'],
    ['odd digits', '(1.0) can0 123#123', 'pairs'],
    ['an id of 31 bits', '(1.0) can0 4FFFFFFF#00', 'no CAN id'],
    ['an id of 12 bits', '(1.0) can0 8FF#00', 'no CAN id'],
    ['nine bytes of classic CAN', '(1.0) can0 123#112233445566778899', '9 bytes'],
    ['65 bytes of CAN FD', `(1.0) can0 123##0${'00'.repeat(65)}`, '65 bytes'],
    ['a length that is not the number of bytes', '(1.0)  can0  123   [3]  11 22', '3 bytes'],
    ['an interface without a number', '(1.0) slcan 123#00', 'interfaces'],
    ['words', 'hello', 'no frame'],
  ])('refuses %s with its line, after the frames before it', async (_what, line, why) => {
    const { messages, error } = await readAll(await open(`(1.0) can7 001#00\n${line}\n`));
    expect(messages).toHaveLength(1);
    expect(error).toMatchObject({
      code: 'SOURCE_ROW_INVALID',
      details: { file: 'drive.log', line: 2 },
      message: expect.stringContaining(why),
    });
  });

  it('refuses a second interface with the number of another, and an endless line', async () => {
    expect((await readAll(await open('(1.0) can0 001#00\n(2.0) vcan0 001#00\n'))).error).toMatchObject({
      code: 'SOURCE_ROW_INVALID',
    });
    expect((await readAll(await open(`(1.0) can0 001#00\n${' '.repeat(10_000)}`))).error).toMatchObject({
      code: 'SOURCE_LIMIT',
      details: { line: 2 },
    });
  });

  it('does not take a DBC file for a log', async () => {
    await expect(open(fixture('mazda_rx8.dbc'))).rejects.toMatchObject({ code: 'MAPPING_INVALID' });
  });
});

describe('parseCandumpLine', () => {
  it('reads back every frame that it can be written from', () => {
    const frames = fc.record({
      id: fc.integer({ min: 0, max: 0x1fffffff }),
      data: fc.uint8Array({ maxLength: 64 }),
      us: fc.nat(999_999),
    });
    fc.assert(
      fc.property(frames, ({ id, data, us }) => {
        const hex = Buffer.from(data).toString('hex').toUpperCase();
        const separator = data.length > 8 ? '##0' : '#';
        const text = `(7.${String(us).padStart(6, '0')}) can0 ${id.toString(16).padStart(8, '0')}${separator}${hex}`;
        expect(parseCandumpLine(text)).toMatchObject({ id, data, stampNs: 7_000_000_000n + BigInt(us) * 1_000n });
      }),
    );
  });
});
