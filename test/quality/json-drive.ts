/** Why: recordings of other people carry JSON with names of their own and no declared units; this makes such a one from a committed drive. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { OpaqueChannel, SourceMessage } from '@fleetloop/schemas';
import { RECORDINGS } from './real-recordings.ts';

const TOPICS: Readonly<Record<string, readonly string[]>> = {
  '/gps': ['gps_lat', 'gps_long', 'gps_elevation', 'gps_heading_raw', 'gps_fix', 'gps_sats', 'gps_hdop', 'speed_mph'],
  '/imu': ['accel_x', 'accel_y', 'accel_z', 'gyro_x', 'gyro_y', 'gyro_z'],
  '/obd': ['engine_rpm', 'engine_throttle'],
};

export type Row = Readonly<Record<string, number>>;
/** Changes a row; `place` is its share of the drive. */
export type ChangeRow = (row: Row, place: number) => Row;

export function readJsonDrive(name: string, change: ChangeRow = (row) => row): readonly SourceMessage[] {
  const text = zstdDecompressSync(readFileSync(join(RECORDINGS, 'blackbox_drives', `${name}.csv.zst`))).toString(
    'utf8',
  );
  const [header = '', ...lines] = text.trim().split('\n');
  const columns = header.split(',');
  const channels = Object.keys(TOPICS).map(jsonChannel);
  return lines.flatMap((line, index) => {
    const cells = line.split(',');
    const timeNs = BigInt(Date.parse(cells[columns.indexOf('time_utc')] ?? '')) * 1_000_000n;
    const numbers = columns.flatMap((column, at): [string, number][] =>
      cells[at] === '' || Number.isNaN(Number(cells[at])) ? [] : [[column, Number(cells[at])]],
    );
    const row = change(Object.fromEntries(numbers), index / lines.length);
    return channels.flatMap((channel) => toMessage(channel, row, timeNs, index));
  });
}

function jsonChannel(topic: string): OpaqueChannel {
  const encoding = { messageEncoding: 'json', schemaEncoding: 'jsonschema', schemaData: new Uint8Array(0) };
  return { kind: 'opaque', topic, schemaName: `real${topic.replace('/', '.')}`, encoding };
}

function toMessage(channel: OpaqueChannel, row: Row, timeNs: bigint, sequence: number): readonly SourceMessage[] {
  const fields = Object.fromEntries(
    (TOPICS[channel.topic] ?? []).flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]])),
  );
  if (Object.keys(fields).length === 0) return [];
  const data = Buffer.from(JSON.stringify(fields), 'utf8');
  return [{ kind: 'opaque', channel, data, sequence, logTimeNs: timeNs, publishTimeNs: timeNs }];
}
