/** Misses in recordings that declare nothing: quantities are read from the names of fields, units are found out. */
import { defaultStandard, RecordingCheck } from '@fleetloop/control-plane';
import { describe, expect, it } from 'vitest';
import { type ChangeRow, readJsonDrive, type Row } from './json-drive.ts';

function linesOf(name: string, change?: ChangeRow): readonly string[] {
  const checking = new RecordingCheck(defaultStandard());
  for (const message of readJsonDrive(name, change)) checking.push(message);
  return checking.finish({}).findings.map(({ rule, topic, message }) => `${rule} ${topic}: ${message}`);
}

const times =
  (names: readonly string[], factor: number, from = 0): ChangeRow =>
  (row, place) =>
    place < from
      ? row
      : {
          ...row,
          ...Object.fromEntries(names.flatMap((name) => (row[name] === undefined ? [] : [[name, row[name] * factor]]))),
        };

function held(names: readonly string[], from: number, to: number): ChangeRow {
  let kept: Row | undefined;
  return (row, place) => {
    if (place < from || place >= to) return row;
    kept ??= row;
    return {
      ...row,
      ...Object.fromEntries(names.flatMap((name) => (kept?.[name] === undefined ? [] : [[name, kept[name]]]))),
    };
  };
}

const ACCELERATION = ['accel_x', 'accel_y', 'accel_z'];
const GYRO = ['gyro_x', 'gyro_y', 'gyro_z'];
const CASES: readonly (readonly [name: string, change: ChangeRow, rule: RegExp])[] = [
  ['gravity 10 % too long', times(ACCELERATION, 1.2), /^imu\.gravity-length/],
  ['the unit of acceleration changes half-way', times(ACCELERATION, 9.80665, 0.5), /^imu\.gravity-length/],
  ['the sign of vertical acceleration', times(['accel_z'], -1), /^motion\.yaw-sign/],
  ['the sign of vertical acceleration changes half-way', times(['accel_z'], -1, 0.5), /^imu\.gravity-axis/],
  ['the sign of longitudinal acceleration', times(['accel_x'], -1), /^motion\.acceleration-sign/],
  ['the sign of yaw rate', times(['gyro_z'], -1), /^motion\.yaw-sign/],
  ['speed in km/h taken for mph', times(['speed_mph'], 1.609344), /^motion\.speed-unit/],
  ['speed in m/s taken for mph', times(['speed_mph'], 0.44704), /^motion\.speed-unit/],
  ['speed in m/s half-way', times(['speed_mph'], 0.44704, 0.5), /^motion\.speed-unit/],
  ['acceleration frozen', held(ACCELERATION, 0.4, 0.6), /^value\.frozen/],
  ['yaw rate frozen', held(['gyro_z'], 0.4, 0.6), /^value\.frozen/],
  ['positions frozen', held(['gps_lat', 'gps_long'], 0.3, 0.7), /^value\.frozen/],
  ['yaw rate constant', times(GYRO, 0), /^value\.constant/],
  [
    'acceleration saturated',
    (row) => ({ ...row, accel_x: Math.max(-0.08, Math.min(0.08, row['accel_x'] ?? 0)) }),
    /^value\.saturated/,
  ],
  [
    'acceleration quantised',
    (row) => ({ ...row, accel_x: Math.round((row['accel_x'] ?? 0) / 0.2) * 0.2 }),
    /^value\.quantised/,
  ],
  ['lateral a copy of longitudinal', (row) => ({ ...row, accel_y: row['accel_x'] ?? 0 }), /^value\.duplicated/],
  [
    'longitudinal and vertical exchanged',
    (row) => ({ ...row, accel_x: row['accel_z'] ?? 0, accel_z: row['accel_x'] ?? 0 }),
    /^(imu|motion)\./,
  ],
  [
    'positions jump',
    (row, place) => (place > 0.5 && place < 0.52 ? { ...row, gps_lat: (row['gps_lat'] ?? 0) + 0.05 } : row),
    /^location\.jump/,
  ],
  [
    'latitude and longitude exchanged',
    (row) => ({ ...row, gps_lat: row['gps_long'] ?? 0, gps_long: row['gps_lat'] ?? 0 }),
    /^value\.range/,
  ],
  [
    'heading anticlockwise',
    (row) => ({ ...row, gps_heading_raw: 360 - (row['gps_heading_raw'] ?? 0) }),
    /^motion\.(heading|yaw-sign)/,
  ],
];

describe.each(['drive_15', 'drive_06'])('faults in JSON of %s', (name) => {
  const former = new Set(linesOf(name));

  it.each(CASES)('%s', (_title, change, rule) => {
    const said = linesOf(name, change).filter((line) => !former.has(line));
    expect(
      said.filter((line) => rule.test(line)),
      said.join('\n'),
    ).not.toEqual([]);
  });
});
