/** Why: files that an importer could name, each wrong in another way, with what must be said of it. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { channel, fleetMetadata, mcap, message } from './mcap-bytes.ts';

const ROWS = 600;
const START_S = 1_700_000_000;
const KMH = 3.6;
const TWO_HOURS_NS = 7_200_000_000_000n;

type Row = { readonly time: number; readonly speed: number; readonly ax: number };

/** A drive whose speed, in km/h, and acceleration agree. */
const DRIVE: readonly Row[] = Array.from({ length: ROWS }, (_, index) => {
  const time = index / 10;
  return { time: START_S + time, speed: (15 + 5 * Math.sin(time / 4)) * KMH, ax: 1.25 * Math.cos(time / 4) };
});

export type HostileSource = {
  readonly name: string;
  /** The file that is imported. */
  readonly file: string;
  /** Writes what the name says. */
  readonly write: (path: string) => Promise<void>;
  /** The code of the refusal, `accepted`, or a rule that finds it. */
  readonly answer: string;
  readonly isSelfDescribed?: true;
};

const FORMATS = { csv: 'csv', parquet: 'parquet' } as const;

export function mappingOf(format: keyof typeof FORMATS): object {
  return {
    format,
    session: { name: 'hostile/{run}', attributes: {} },
    files: [
      {
        name: `drive_{run}.${format}`,
        time: { column: 'time', kind: 'seconds', epoch: '1970-01-01T00:00:00Z' },
        channels: [
          { topic: '/vss/Vehicle', rateHz: 10, signals: [{ path: 'Vehicle.Speed', column: 'speed', unit: 'km/h' }] },
          {
            topic: '/vss/Vehicle.Acceleration',
            rateHz: 10,
            signals: [{ path: 'Vehicle.Acceleration.Longitudinal', column: 'ax', unit: 'm/s^2' }],
          },
        ],
      },
    ],
  };
}

type Cells = (row: Row, index: number) => string;
const cells: Cells = ({ time, speed, ax }) => `${time.toFixed(1)},${speed.toFixed(4)},${ax.toFixed(4)}`;
const csv = (line: Cells = cells, header = 'time,speed,ax'): string => `${header}\n${DRIVE.map(line).join('\n')}\n`;

function table(name: string, answer: string, content: string | Uint8Array, file = 'drive_0.csv'): HostileSource {
  return { name, file, answer, write: async (path) => writeFile(path, content) };
}

function plain(name: string, answer: string, file: string, content: string | Uint8Array): HostileSource {
  return { ...table(name, answer, content, file), isSelfDescribed: true };
}

function parquet(name: string, answer: string, sql: string): HostileSource {
  const write = async (path: string): Promise<void> => {
    const instance = await DuckDBInstance.create();
    const connection = await instance.connect();
    await connection.run(
      `COPY (WITH drive AS (SELECT ${START_S} + i / 10.0::DOUBLE AS time, (50.0 + i % 7)::DOUBLE AS speed, (0.1 * (i % 5))::DOUBLE AS ax FROM range(${ROWS}) t(i)) ${sql}) TO '${path}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
  };
  return { name, file: 'drive_0.parquet', answer, write };
}

const at =
  (place: number, wrong: Cells): Cells =>
  (row, index) =>
    (index === place ? wrong : cells)(row, index);

export const HOSTILE_SOURCES: readonly HostileSource[] = [
  table('a good table', 'accepted', csv()),
  table(
    'a column that is there twice',
    'SOURCE_COLUMN_DUPLICATE',
    csv((row, index) => `${cells(row, index)},1`, 'time,speed,ax,speed'),
  ),
  table('a cell that is NaN', 'SOURCE_VALUE_INVALID', csv(at(70, ({ time, ax }) => `${time},NaN,${ax}`))),
  table('a cell that is infinite', 'SOURCE_VALUE_INVALID', csv(at(70, ({ time, ax }) => `${time},inf,${ax}`))),
  table('a number that no double holds', 'SOURCE_VALUE_INVALID', csv(at(70, ({ time, ax }) => `${time},1e999,${ax}`))),
  table('a time that is NaN', 'SOURCE_VALUE_INVALID', csv(at(70, ({ speed, ax }) => `NaN,${speed},${ax}`))),
  table('a time in the year 300,000', 'SOURCE_VALUE_INVALID', csv(at(70, ({ speed, ax }) => `9e15,${speed},${ax}`))),
  table(
    'times of the year 2150',
    'INGEST_STANDARD',
    csv(({ time, ...row }, index) => cells({ ...row, time: time + 4e9 }, index)),
  ),
  table(
    'a whole column in m/s',
    'motion.acceleration-unit',
    csv(({ speed, ...row }, index) => cells({ ...row, speed: speed / KMH }, index)),
  ),
  table(
    'a column that goes on in m/s after it was in km/h',
    'value.unit-change',
    csv(({ speed, ...row }, index) => cells({ ...row, speed: index < ROWS / 2 ? speed : speed / KMH }, index)),
  ),
  table(
    'a column with rows of two sources, in km/h and in m/s',
    'value.unit-change',
    csv(({ speed, ...row }, index) => cells({ ...row, speed: index % 2 === 0 ? speed : speed / KMH }, index)),
  ),
  table('a header and nothing else', 'SOURCE_EMPTY', 'time,speed,ax\n'),
  table('an empty table', 'SOURCE_EMPTY', ''),
  table('a row of three megabytes', 'SOURCE_LIMIT', `time,speed,ax\n${'1'.repeat(3_000_000)}`),
  table('100,000 columns', 'SOURCE_LIMIT', `${Array.from({ length: 100_000 }, (_, index) => `c${index}`).join(',')}\n`),
  table(
    'bytes that are no text',
    'SOURCE_FORMAT',
    Uint8Array.from({ length: 4_096 }, (_, index) => (index * 97) & 0xff),
  ),
  plain('an empty MCAP', 'SOURCE_EMPTY', 'empty.mcap', ''),
  plain('an empty ULog', 'SOURCE_EMPTY', 'empty.ulg', ''),
  plain(
    'the head of a ULog and nothing else',
    'SOURCE_EMPTY',
    'head.ulg',
    Buffer.concat([Buffer.from('554c6f67011235', 'hex'), Buffer.from([1]), Buffer.alloc(8)]),
  ),
  parquet('a good Parquet table', 'accepted', 'SELECT * FROM drive'),
  parquet('a Parquet table without a row', 'SOURCE_EMPTY', 'SELECT * FROM drive WHERE false'),
  parquet(
    'a Parquet table whose column has another name',
    'SOURCE_COLUMN_MISSING',
    'SELECT time, speed AS velocity, ax FROM drive',
  ),
  parquet('a Parquet column of text', 'SOURCE_FORMAT', "SELECT time, speed || ' km/h' AS speed, ax FROM drive"),
  parquet(
    'a Parquet column with infinite values',
    'value.infinite',
    "SELECT time, CASE WHEN time::INT % 7 = 0 THEN 'inf'::DOUBLE ELSE speed END AS speed, ax FROM drive",
  ),
  parquet(
    'a Parquet column that goes on in m/s after it was in km/h',
    'value.unit-change',
    `SELECT time, CASE WHEN time < ${START_S + 30} THEN speed ELSE speed / ${KMH} END AS speed, ax FROM drive`,
  ),
  table('an empty Parquet file', 'SOURCE_EMPTY', '', 'drive_0.parquet'),
  table('a file name that would leave the folder', 'accepted', csv(), 'drive_..\\..\\etc.csv'),
  table('a file name with control characters', 'accepted', csv(), 'drive_\u001b[31m\n\u0007.csv'),
];

/** A folder with one run, a link to a run outside of it, and a link around in a circle. */
export async function folderWithLinks(folder: string, outside: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await mkdir(outside, { recursive: true });
  await writeFile(join(folder, 'drive_inside.csv'), csv());
  await writeFile(join(outside, 'drive_outside.csv'), csv());
  await symlink(join(outside, 'drive_outside.csv'), join(folder, 'drive_link.csv'));
  await symlink(outside, join(folder, 'elsewhere'));
  await symlink(folder, join(folder, 'circle'));
}

/** Each message was stamped by a sensor that takes its local time, two hours ahead, for UTC. */
export function zonedRecording(): Uint8Array {
  const messages = DRIVE.map(({ time }, index) => {
    const logTimeNs = BigInt(Math.round(time * 10)) * 100_000_000n;
    return message(1, Buffer.from(`{"index": ${index}}`), logTimeNs, logTimeNs + TWO_HOURS_NS);
  });
  return mcap(fleetMetadata('vehicle-zoned'), channel(1, '/sensor/front/gnss'), ...messages);
}
