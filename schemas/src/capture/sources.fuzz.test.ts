/** Damaged files of every format end in a result or a typed error: never in a crash, a hang or a flood. */
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endsWell, expectTyped, fuzzRuns, mutated } from './fixtures/fuzz.ts';
import { fixture, memoryFiles } from './fixtures/memory-files.ts';
import type { Mapping } from './mapping-formats.ts';
import { parseMapping } from './mapping.ts';
import { openSource, parseMappingText } from './open-source.ts';

const TEST_TIMEOUT_MS = 120_000;
const speed = (key: object): object => ({ path: 'Vehicle.Speed', unit: 'm/s', ...key });

const MAPPINGS: Readonly<Record<string, Mapping>> = {
  csv: parseMapping({
    format: 'csv',
    session: { name: 's' },
    files: [
      {
        name: 'drive.csv',
        time: { column: 't', kind: 'seconds' },
        channels: [{ topic: '/vss/Vehicle', signals: [speed({ column: 'v' })] }],
      },
    ],
  }),
  keyed: parseMapping({
    format: 'csv',
    session: { name: 's' },
    files: [
      {
        name: 'obd.txt',
        keyed: {},
        time: { column: 't', kind: 'milliseconds' },
        channels: [{ topic: '/vss/Vehicle', signals: [speed({ column: 'gps:2' })] }],
      },
    ],
  }),
  parquet: parseMapping({
    format: 'parquet',
    session: { name: 's' },
    files: [
      {
        name: 'table.parquet',
        time: { column: 't', kind: 'timestamp' },
        channels: [
          { topic: '/vss/Vehicle', signals: [speed({ column: 'v' })] },
          {
            topic: '/vss/Vehicle.Chassis.Brake',
            signals: [{ path: 'Vehicle.Chassis.Brake.PedalPosition', column: 'l', unit: 'percent' }],
          },
        ],
      },
    ],
  }),
  mcap: parseMapping({
    format: 'mcap',
    channels: [{ from: '/gnss', topic: '/vss/Vehicle', signals: [speed({ field: 'speed' })] }],
  }),
  ulog: parseMapping({
    format: 'ulog',
    channels: [
      { from: 'sensor_combined', topic: '/vss/Vehicle', signals: [speed({ field: 'accelerometer_m_s2[0]' })] },
    ],
  }),
};

const CSV = new TextEncoder().encode(
  `t,v,"w"\n${Array.from({ length: 200 }, (_, row) => `${row}.5,${row},"a,b"`).join('\n')}\n`,
);
const CANDUMP = new TextEncoder().encode(
  Array.from(
    { length: 100 },
    (_, row) => `(${row}.25) can${row % 3} ${row % 2 === 0 ? '12A#0011' : '18FEF100##1001122'}`,
  ).join('\n'),
);

/** Arrays of three rows, and the raw frames in them. */
const NPY = Buffer.concat([
  Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 60, 0]),
  Buffer.from("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }".padEnd(59) + '\n'),
  Buffer.alloc(24),
]);

async function fuzz(path: string, seed: Uint8Array, mapping: Mapping | undefined, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(mutated(seed), async (bytes) => {
      const files = memoryFiles({ [path]: bytes }, 1_000);
      await endsWell(async () => openSource({ sourcePath: path, files, mapping }), bytes.length);
    }),
    fuzzRuns(runs),
  );
}

describe('mutated files', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['drive.csv', CSV, MAPPINGS['csv'], 300],
    ['obd.txt', fixture('phone_obd.txt'), MAPPINGS['keyed'], 200],
    ['drive.log', CANDUMP, undefined, 300],
    ['lz4.mcap', fixture('comma_lz4.mcap'), MAPPINGS['mcap'], 40],
    ['talker.mcap', fixture('rosbag2_talker.mcap'), undefined, 200],
    ['cdr.mcap', fixture('rosbag2_cdr.mcap'), undefined, 200],
    ['hop.ulg', fixture('px4_hop.ulg'), MAPPINGS['ulog'], 40],
    ['table.parquet', fixture('table_snappy.parquet'), MAPPINGS['parquet'], 150],
    ['table.parquet', fixture('table_delta.parquet'), MAPPINGS['parquet'], 150],
    ['table.parquet', fixture('table_zstd_v2.parquet'), MAPPINGS['parquet'], 100],
    ['table.parquet', fixture('table_gzip.parquet'), MAPPINGS['parquet'], 100],
    ['table.parquet', fixture('table_lz4.parquet'), MAPPINGS['parquet'], 100],
    ['table.parquet', fixture('table_brotli.parquet'), MAPPINGS['parquet'], 100],
  ] as const)('%s (%#) end well', async (path, seed, mapping, runs) => {
    await fuzz(path, seed, mapping, runs);
  });

  it('end well as arrays', async () => {
    const mapping = parseMapping({
      format: 'npy',
      session: { name: 's' },
      folderName: 'drive',
      time: { kind: 'seconds' },
      arrays: [{ time: 't', values: 'v', channels: [{ topic: '/vss/Vehicle', signals: [speed({ column: 0 })] }] }],
    });
    await fc.assert(
      fc.asyncProperty(mutated(NPY), mutated(NPY), async (times, values) => {
        const files = memoryFiles({ 'drive/t.npy': times, 'drive/v.npy': values }, 11);
        await endsWell(async () => openSource({ sourcePath: 'drive', files, mapping }), times.length + values.length);
      }),
      fuzzRuns(200),
    );
  });

  it('end well when they are any bytes behind the magic of a format', async () => {
    const magic = fc.constantFrom(
      fixture('rosbag2_cdr.mcap').subarray(0, 8),
      fixture('px4_hop.ulg').subarray(0, 16),
      fixture('table_gzip.parquet').subarray(0, 4),
      new TextEncoder().encode('(1.0) can0 123#'),
      zstdCompressSync(Buffer.from('t,v\n')).subarray(0, 4),
    );
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 2_000 }), async (start, rest) => {
        const bytes = Buffer.concat([start, rest]);
        const files = memoryFiles({ f: bytes }, 100);
        await endsWell(async () => openSource({ sourcePath: 'f', files }), bytes.length);
      }),
      fuzzRuns(200),
    );
  });
});

describe('mutated mappings', () => {
  it('are accepted or refused with a typed error', () => {
    const texts = Object.values(MAPPINGS).map((mapping) => new TextEncoder().encode(JSON.stringify(mapping)));
    const text = fc.constantFrom(...texts).chain(mutated);
    fc.assert(
      fc.property(text, (bytes) => {
        try {
          expect(parseMappingText(new TextDecoder().decode(bytes), 'm.json').format).toBeTypeOf('string');
        } catch (error) {
          expectTyped(error);
        }
      }),
      fuzzRuns(300),
    );
  });

  it('of any JSON are accepted or refused with a typed error', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseMappingText(text, 'm.json');
        } catch (error) {
          expectTyped(error);
        }
      }),
      fuzzRuns(200),
    );
  });
});
