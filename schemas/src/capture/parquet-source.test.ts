/** One table in the encodings and compressions of real writers gives the same messages each time. */
import { describe, expect, it } from 'vitest';
import { fixture, memoryFiles, readAll } from './fixtures/memory-files.ts';
import { parseMapping } from './mapping.ts';
import { openSource } from './open-source.ts';
import type { Source } from './source.ts';

const NAMES = ['snappy', 'zstd_v2', 'gzip', 'brotli', 'lz4', 'delta'] as const;
const START_NS = 1_558_644_851_000_000_000n;

const mappingOf = (time: object, column = 'v'): unknown => ({
  format: 'parquet',
  session: { name: 'table/{kind}' },
  files: [
    {
      name: 'table_{kind}.parquet',
      time,
      channels: [
        { topic: '/vss/Vehicle', rateHz: 100, signals: [{ path: 'Vehicle.Speed', column, unit: 'm/s' }] },
        {
          topic: '/vss/Vehicle.Chassis.Brake',
          signals: [
            { path: 'Vehicle.Chassis.Brake.IsPressed', column: 'b', unit: '' },
            { path: 'Vehicle.Chassis.Brake.PedalPosition', column: 'l', unit: 'percent', scale: 2 },
          ],
        },
      ],
    },
  ],
});

const open = (name: string, mapping: unknown, bytes = fixture(name)): Promise<Source> =>
  openSource({ sourcePath: `t/${name}`, files: memoryFiles({ [`t/${name}`]: bytes }), mapping: parseMapping(mapping) });

describe('openSource with Parquet', () => {
  it.each(NAMES)('reads all rows of table_%s', async (name) => {
    const source = await open(`table_${name}.parquet`, mappingOf({ column: 't', kind: 'timestamp' }));
    expect(source.description).toMatchObject({ session: `table/${name}`, unusedColumns: expect.any(Array) });
    const { messages, error } = await readAll(source);
    expect(error).toBeUndefined();
    const rows = Array.from({ length: 300 }, (_, index) => index);
    const speeds = messages.filter(({ channel }) => channel.topic === '/vss/Vehicle');
    const brakes = messages.filter(({ channel }) => channel.topic === '/vss/Vehicle.Chassis.Brake');
    const moving = rows.filter((row) => row % 7 !== 0);
    expect(speeds.map((message) => message.logTimeNs)).toEqual(
      moving.map((row) => START_NS + BigInt(row) * 10_000_000n),
    );
    expect(speeds.map((message) => (message.kind === 'signal' ? message.values[0] : 0))).toEqual(
      moving.map((row) => expect.closeTo((row / 2) * 3.6, 9)),
    );
    expect(brakes.map((message) => (message.kind === 'signal' ? [...message.values] : []))).toEqual(
      rows.map((row) => [row % 2 === 0 ? 1 : 0, row * 2]),
    );
    expect(source.report()).toMatchObject({ rows: 300, emptyMessages: 43 });
  });

  it('reads stamps from numbers and from texts', async () => {
    const seconds = await readAll(
      await open('table_snappy.parquet', mappingOf({ column: 's', kind: 'seconds', epoch: '2020-01-01T00:00:00Z' })),
    );
    expect(seconds.messages.at(-1)?.logTimeNs).toBe(1_577_836_802_990_000_000n);
    const texts = await readAll(await open('table_snappy.parquet', mappingOf({ column: 'tx', kind: 'iso8601' })));
    expect(texts.messages[0]?.logTimeNs).toBe(1_558_644_850_000_000_000n);
  });

  it('refuses absent columns, texts as signals, and stamps of another kind', async () => {
    const time = { column: 't', kind: 'timestamp' };
    await expect(open('table_snappy.parquet', mappingOf(time, 'x'))).rejects.toMatchObject({
      code: 'SOURCE_COLUMN_MISSING',
    });
    await expect(open('table_snappy.parquet', mappingOf(time, 'tx'))).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
    const wrong = mappingOf({ column: 's', kind: 'timestamp' });
    await expect(open('table_snappy.parquet', wrong)).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
  });

  it('refuses a file that is cut off', async () => {
    const bytes = fixture('table_gzip.parquet');
    const mapping = mappingOf({ column: 't', kind: 'timestamp' });
    await expect(open('table_gzip.parquet', mapping, bytes.subarray(0, 2_000))).rejects.toMatchObject({
      code: 'SOURCE_FORMAT',
      message: expect.stringContaining('cut off'),
    });
  });
});
