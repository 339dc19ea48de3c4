/** The whole way from the bytes of CSV files to messages, with files that reuse their buffer and cut anywhere. */
import { describe, expect, it } from 'vitest';
import type { SignalMessage, SourceMessage } from './source-message.ts';
import { openCsvSource } from './csv-source.ts';
import type { CsvMapping } from './mapping-formats.ts';
import { parseMapping } from './mapping.ts';
import type { SourceFiles } from './source-files.ts';
import type { Source } from './source.ts';

/** Files in memory that give three bytes at a time in one buffer that they use again and again. */
function hostileFiles(
  texts: Readonly<Record<string, string | Uint8Array>>,
): SourceFiles & { readonly open: () => number } {
  let open = 0;
  return {
    open: () => open,
    sizeOf: async () => undefined,
    readRange: async () => new Uint8Array(0),
    findFirst: async (candidates) => candidates.find((path) => Object.hasOwn(texts, path)),
    read: async function* (path) {
      const text = texts[path] ?? '';
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
      const buffer = new Uint8Array(3);
      open += 1;
      try {
        for (let start = 0; start < bytes.length; start += 3) {
          const piece = bytes.subarray(start, start + 3);
          buffer.set(piece);
          yield buffer.subarray(0, piece.length);
          buffer.fill(0x39);
        }
      } finally {
        open -= 1;
      }
    },
  };
}

const imu = {
  name: 'imu_{run}.csv',
  time: { column: 't', kind: 'seconds' },
  channels: [
    {
      topic: '/vss/Vehicle.Acceleration',
      rateHz: 100,
      signals: [
        { path: 'Vehicle.Acceleration.Longitudinal', column: 'ax', unit: 'g' },
        { path: 'Vehicle.Acceleration.Lateral', column: 'ay', unit: 'm/s^2', scale: -1 },
      ],
    },
  ],
};
const wheels = {
  name: 'pro_{run}.csv',
  time: { column: 't', kind: 'seconds' },
  channels: [{ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', column: 'v', unit: 'm/s' }] }],
};

function mappingOf(...files: readonly unknown[]): CsvMapping {
  const mapping = parseMapping({
    format: 'csv',
    session: { name: 's/{folder}/{run}', attributes: { terrain: '{folder}' } },
    files,
  });
  if (mapping.format !== 'csv') throw new Error('not csv');
  return mapping;
}

const openOne = (text: string | Uint8Array): Promise<Source> =>
  openCsvSource({
    mapping: mappingOf(imu),
    sourcePath: 'ICE/imu_03.csv',
    files: hostileFiles({ 'ICE/imu_03.csv': text }),
  });

async function allOf(source: Source): Promise<readonly SourceMessage[]> {
  const messages: SourceMessage[] = [];
  for await (const batch of source.batches()) messages.push(...batch);
  return messages;
}
const readOne = async (text: string | Uint8Array): Promise<readonly SourceMessage[]> => allOf(await openOne(text));
const valuesOf = (messages: readonly SourceMessage[]): readonly (readonly number[])[] =>
  messages
    .filter((message): message is SignalMessage => message.kind === 'signal')
    .map((message) => [...message.values]);

describe('openCsvSource', () => {
  it('describes session, channels in catalogue units and unused columns before reading rows', async () => {
    const { description } = await openOne('t,ax,ay,note\n0.0,1,2,x\n');
    expect(description).toMatchObject({
      session: 's/ICE/03',
      attributes: { terrain: 'ICE' },
      unusedColumns: ['imu_03.csv:note'],
    });
    expect(description.channels).toEqual([
      {
        kind: 'signal',
        topic: '/vss/Vehicle.Acceleration',
        rateHz: 100,
        signals: [
          { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
          { path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' },
        ],
      },
    ]);
  });

  it('converts units, applies the scale and keeps what is missing as NaN', async () => {
    const messages = await readOne('t,ax,ay\r\n0.0,1,2\r\n0.5,,-3e-1\r\n');
    expect(valuesOf(messages)).toEqual([
      [9.80665, -2],
      [Number.NaN, 0.3],
    ]);
    expect(messages.map(({ logTimeNs, sequence }) => [logTimeNs, sequence])).toEqual([
      [0n, 0],
      [500000000n, 1],
    ]);
  });

  it('makes no message of a row without any value of its channel, and counts it', async () => {
    const source = await openOne('t,ax,ay\n0,1,1\n1,,\n2,1,1\n');
    expect((await allOf(source)).map((message) => message.sequence)).toEqual([0, 1]);
    expect(source.report()).toMatchObject({ rows: 3, messages: 2, emptyMessages: 1 });
  });

  it('delivers rows that go back or repeat in time, and reports each with its line', async () => {
    const source = await openOne('t,ax,ay\n1,1,1\n1,2,2\n0.5,3,3\n');
    expect(valuesOf(await allOf(source)).map(([, lateral]) => lateral)).toEqual([-1, -2, -3]);
    expect(source.report()).toMatchObject({
      backwards: 1,
      repeated: 1,
      examples: [
        { kind: 'repeated', file: 'imu_03.csv', row: 3, byNs: 0n },
        { kind: 'backwards', file: 'imu_03.csv', row: 4, byNs: 500000000n },
      ],
    });
  });

  it('merges the files of a session by time, whichever of them is given', async () => {
    const files = hostileFiles({
      'ICE/imu_03.csv': 't,ax,ay\n0,1,1\n0.2,2,2\n0.3,3,3\n',
      'ICE/pro_03.csv': 't,v\n0.1,1\n0.2,2\n0.9,3\n',
    });
    for (const sourcePath of ['ICE/imu_03.csv', 'ICE/pro_03.csv']) {
      const source = await openCsvSource({ mapping: mappingOf(imu, wheels), sourcePath, files });
      const read = (await allOf(source)).map(
        (message) => `${message.channel.topic.length === 12 ? 'v' : 'a'}${message.logTimeNs / 100_000_000n}`,
      );
      expect(read).toEqual(['a0', 'v1', 'a2', 'v2', 'a3', 'v9']);
    }
  });

  it('closes its files when the reader stops early', async () => {
    const files = hostileFiles({
      'ICE/imu_03.csv': `t,ax,ay\n${'0,1,1\n'.repeat(5000)}`,
      'ICE/pro_03.csv': `t,v\n${'0,1\n'.repeat(5000)}`,
    });
    const source = await openCsvSource({ mapping: mappingOf(imu, wheels), sourcePath: 'ICE/imu_03.csv', files });
    for await (const batch of source.batches()) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(files.open()).toBe(0);
  });

  it('pulls no more than it is asked for', async () => {
    const source = await openOne(`t,ax,ay\n${'0,1,1\n'.repeat(100_000)}`);
    const batches = source.batches();
    await batches.next();
    expect(source.report().rows).toBeLessThan(5000);
    await batches.return();
  });

  it.each([
    ['a missing column', 't,ax\n0,1\n', 'SOURCE_COLUMN_MISSING', { column: 'ay' }],
    ['a column that occurs twice', 't,ax,ay,ax\n0,1,1,1\n', 'SOURCE_COLUMN_DUPLICATE', { column: 'ax' }],
    ['a broken number', 't,ax,ay\n0,1,2\n1,1..5,2\n', 'SOURCE_VALUE_INVALID', { line: 3, column: 'ax', cell: '1..5' }],
    ['NaN as text', 't,ax,ay\n0,NaN,2\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 'ax' }],
    ['Infinity as text', 't,ax,ay\n0,1,-Infinity\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 'ay' }],
    ['a number beyond a double', 't,ax,ay\n0,1e400,2\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 'ax' }],
    ['hexadecimal and blanks', 't,ax,ay\n0, 1,2\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 'ax' }],
    ['a broken time', 't,ax,ay\n0:01,1,2\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 't' }],
    ['an empty time', 't,ax,ay\n,1,2\n', 'SOURCE_VALUE_INVALID', { line: 2, column: 't' }],
    ['a row with a cell too few', 't,ax,ay\n0,1\n', 'SOURCE_ROW_INVALID', { line: 2, cells: 2, columns: 3 }],
    ['a row with a cell too many', 't,ax,ay\n0,1,2,3\n', 'SOURCE_ROW_INVALID', { line: 2, cells: 4, columns: 3 }],
    ['an empty line in the middle', 't,ax,ay\n0,1,2\n\n1,1,2\n', 'SOURCE_ROW_INVALID', { line: 3 }],
    ['a file cut off inside a row', 't,ax,ay\n0,1,2\n1,1', 'SOURCE_ROW_INVALID', { line: 3 }],
    ['an empty file', '', 'SOURCE_EMPTY', { file: 'imu_03.csv' }],
    ['a header without rows', 't,ax,ay\n', 'SOURCE_EMPTY', { file: 'imu_03.csv' }],
    ['bytes that are not UTF-8', Uint8Array.of(0x74, 0x2c, 0xff, 0x0a), 'SOURCE_FORMAT', { file: 'imu_03.csv' }],
  ] as const)('refuses %s', async (_what, text, code, details) => {
    await expect(readOne(text)).rejects.toMatchObject({ code, details });
  });

  it('takes a file of any name where the mapping joins no others, and names the session after it', async () => {
    const files = hostileFiles({ 'ICE/morning drive.csv': 't,ax,ay\n0,1,1\n' });
    const source = await openCsvSource({ mapping: mappingOf(imu), sourcePath: 'ICE/morning drive.csv', files });
    expect(source.description.session).toBe('s/ICE/morning drive');
    expect(await allOf(source)).toHaveLength(1);
  });

  it('refuses a source that is absent, has no sibling, or is named otherwise than the files it is joined with', async () => {
    const mapping = mappingOf(imu, wheels);
    const files = hostileFiles({ 'ICE/imu_03.csv': 't,ax,ay\n0,1,1\n' });
    const open = (sourcePath: string) => openCsvSource({ mapping, sourcePath, files });
    await expect(open('ICE/imu_04.csv')).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    await expect(open('ICE/imu_03.csv')).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      message: expect.stringContaining('pro_03.csv'),
    });
    await expect(open('ICE/drive.csv')).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
  });
});
