/** Real files of a phone: zone-less local time, padded numbers, and columns that an update of the app added. */
import { describe, expect, it } from 'vitest';
import { fixture, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';

const mapping = parseMapping({
  format: 'csv',
  session: { name: 'phone/{layout}' },
  files: [
    {
      name: 'phone_{layout}_columns.csv',
      isPadded: true,
      time: { column: 'Timestamp', kind: 'localDayMonth', clock: { kind: 'local', zone: 'America/Chicago' } },
      channels: [
        {
          topic: '/vss/Vehicle.Acceleration',
          rateHz: 25.6,
          signals: [{ path: 'Vehicle.Acceleration.Vertical', column: 'accelZ(g)', unit: 'g', scale: -1 }],
        },
        {
          topic: '/vss/Vehicle.CurrentLocation',
          signals: [
            { path: 'Vehicle.CurrentLocation.Latitude', column: 'Lat', unit: 'degrees' },
            { path: 'Vehicle.CurrentLocation.Longitude', column: 'Long', unit: 'degrees' },
          ],
        },
      ],
    },
  ],
});

describe('trips of a phone', () => {
  it.each([
    // Both days have daylight saving in Iowa: five hours behind UTC.
    ['28', '2019-03-17T21:52:52.485Z'],
    ['30', '2019-05-24T23:11:23.018Z'],
  ])('of %s columns come out on UTC', async (layout, start) => {
    const path = `phone_${layout}_columns.csv`;
    const source = await openSource({ sourcePath: path, files: memoryFiles({ [path]: fixture(path) }), mapping });
    const { messages, error } = await readAll(source);
    expect(error).toBeUndefined();
    expect(messages).toHaveLength(120);
    expect(new Date(Number((messages[0]?.logTimeNs ?? 0n) / 1_000_000n)).toISOString()).toBe(start);
    const [first] = messages;
    expect(first?.kind === 'signal' && first.values[0]).toBeCloseTo(9.8, 0);
    const [clock] = source.report().clocks;
    expect(clock).toMatchObject({ kind: 'local', offsetNs: 5n * 3_600_000_000_000n, uncertaintyNs: 0n });
  });
});

const signal = (path: string, column: string, unit: string): object => ({ path, column, unit });
const obdDocument = (change: object = {}): object => ({
  format: 'csv',
  session: { name: 'obd/{day}' },
  files: [
    {
      name: 'obd_{day}.txt',
      keyed: {},
      time: { column: 'stamp', kind: 'milliseconds' },
      channels: [
        // The dongle's own preamble says MPH; held against the GNSS speed its values are km/h.
        { topic: '/vss/Vehicle', signals: [signal('Vehicle.Speed', '010D', 'km/h')] },
        {
          topic: '/vss/Vehicle.CurrentLocation',
          signals: [
            signal('Vehicle.CurrentLocation.Latitude', 'gps', 'degrees'),
            signal('Vehicle.CurrentLocation.Longitude', 'gps:1', 'degrees'),
            signal('Vehicle.CurrentLocation.GNSSReceiver.Speed', 'gps:2', 'm/s'),
          ],
        },
      ],
      ...change,
    },
  ],
});

async function readObd(text: string | Uint8Array, change: object = {}): ReturnType<typeof readAll> {
  const obd = parseMapping(obdDocument(change));
  return readAll(
    await openSource({ sourcePath: 'obd_1.txt', files: memoryFiles({ 'obd_1.txt': text }), mapping: obd }),
  );
}

describe('lines of an OBD dongle', () => {
  it('become messages of the key that each line names', async () => {
    const { messages, error } = await readObd(fixture('phone_obd.txt'));
    expect(error).toBeUndefined();
    expect(messages).toHaveLength(60);
    const [first, , place] = messages;
    expect(first).toMatchObject({ logTimeNs: 1_558_061_395_623_000_000n, values: Float64Array.of(13) });
    expect(place?.kind === 'signal' && [...place.values]).toEqual([43.500_62, -96.764, 2.591_070_4 * 3.6]);
  });

  it('show in which unit they really are', async () => {
    const { messages } = await readObd(fixture('phone_obd.txt'));
    const speeds = (topic: string, index: number): readonly number[] =>
      messages.flatMap((each) =>
        each.kind === 'signal' && each.channel.topic === topic ? [each.values[index] ?? 0] : [],
      );
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const ratio = mean(speeds('/vss/Vehicle', 0)) / mean(speeds('/vss/Vehicle.CurrentLocation', 2));
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.2);
  });

  it.each([
    ['a stamp that is none', '1;010D;0.0\nnow;010D;1.0\n', 'SOURCE_VALUE_INVALID', 2],
    ['a value that is no number', '1;010D;0.0\n2;010D;fast\n', 'SOURCE_VALUE_INVALID', 2],
    ['a value with too few parts', '1;010D;0.0\n2;010D;1.0\n3;gps;1.0:2.0\n', 'SOURCE_ROW_INVALID', 3],
    ['more than 64 lines before the first stamp', 'x\n'.repeat(65), 'SOURCE_VALUE_INVALID', 65],
  ])('with %s are refused with the line', async (_what, text, code, line) => {
    const { error } = await readObd(text);
    expect(error).toMatchObject({ code, details: { file: 'obd_1.txt', line } });
  });

  it('of other keys are left out, and an empty file is refused', async () => {
    expect((await readObd('1;0105;80\n2;010D;1.0\n')).messages).toHaveLength(1);
    await expect(readObd('')).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
  });

  it('are mapped with one key for each channel', async () => {
    const signals = [signal('Vehicle.Speed', '010D', 'km/h'), signal('Vehicle.TravelledDistance', 'gps', 'km')];
    const mixed = readObd('1;010D;1\n', { channels: [{ topic: '/vss/Vehicle', signals }] });
    await expect(mixed).rejects.toMatchObject({ code: 'MAPPING_INVALID' });
    expect(() => parseMapping(obdDocument({ keyed: { separator: ':' } }))).toThrow(
      expect.objectContaining({ code: 'MAPPING_INVALID' }),
    );
  });
});
