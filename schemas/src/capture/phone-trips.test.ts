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
