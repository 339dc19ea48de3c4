/** Misses in standard message types: what ROS fixes (units, right-handed frames) stands in for a mapping, and the faulty topic is named. */
import { defaultStandard, RecordingCheck } from '@fleetloop/control-plane';
import type { OpaqueChannel, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { type ChangeRow, readJsonDrive, type Row } from './json-drive.ts';

const GRAVITY = 9.80665;
const MPS_PER_MPH = 0.44704;
const DEGREES = Math.PI / 180;
type Shape = readonly [channel: OpaqueChannel, fields: (row: Row) => object];

const vector = (x = 0, y = 0, z = 0): object => ({ x, y, z });
const SHAPES: Readonly<Record<string, readonly Shape[]>> = {
  '/imu': [
    [
      channelOf('/imu/data', 'sensor_msgs/msg/Imu'),
      ({ accel_x = 0, accel_y = 0, accel_z = 0, gyro_x = 0, gyro_y = 0, gyro_z = 0 }) => ({
        // The recorder's y points to the right, that of ROS to the left.
        linear_acceleration: vector(GRAVITY * accel_x, -GRAVITY * accel_y, GRAVITY * accel_z),
        angular_velocity: vector(DEGREES * gyro_x, DEGREES * gyro_y, DEGREES * gyro_z),
      }),
    ],
  ],
  '/gps': [
    [
      channelOf('/gps/fix', 'sensor_msgs/msg/NavSatFix'),
      ({ gps_lat, gps_long, gps_elevation }) => ({ latitude: gps_lat, longitude: gps_long, altitude: gps_elevation }),
    ],
    [
      channelOf('/odom', 'nav_msgs/msg/Odometry'),
      ({ speed_mph = 0 }) => ({
        child_frame_id: 'base_link',
        twist: { twist: { linear: vector(speed_mph * MPS_PER_MPH), angular: vector() } },
      }),
    ],
  ],
};

function channelOf(topic: string, schemaName: string): OpaqueChannel {
  const encoding = { messageEncoding: 'json', schemaEncoding: 'jsonschema', schemaData: new Uint8Array(0) };
  return { kind: 'opaque', topic, schemaName, encoding };
}

function findingsOf(change?: ChangeRow): readonly string[] {
  const check = new RecordingCheck(defaultStandard());
  for (const message of readJsonDrive('drive_15', change)) for (const made of toRos(message)) check.push(made);
  return check.finish({}).findings.map(({ rule, topic }) => `${rule} ${topic}`);
}

function toRos(message: SourceMessage): readonly SourceMessage[] {
  if (message.kind !== 'opaque') return [];
  const row = JSON.parse(Buffer.from(message.data).toString('utf8')) as Row;
  return (SHAPES[message.channel.topic] ?? []).map(([channel, fields]) => ({
    ...message,
    channel,
    data: Buffer.from(JSON.stringify(fields(row))),
  }));
}

const times =
  (factor: number, ...names: readonly string[]): ChangeRow =>
  (row) => ({ ...row, ...Object.fromEntries(names.map((name) => [name, (row[name] ?? 0) * factor])) });

describe('faults in a drive as messages of ROS', () => {
  it('are none but the hole that it has', () => {
    expect(findingsOf()).toEqual(['rate.gap null']);
  });

  it.each([
    ['speed in km/h', times(3.6, 'speed_mph'), 'motion.speed-unit /odom'],
    ['speed in mph', times(1 / MPS_PER_MPH, 'speed_mph'), 'motion.speed-unit /odom'],
    ['speed of the other sign', times(-1, 'speed_mph'), 'motion.acceleration-sign /odom'],
    ['speed of nothing', times(0, 'speed_mph'), 'motion.speed-disagrees /odom'],
    ['longitudinal acceleration of the other sign', times(-1, 'accel_x'), 'motion.acceleration-sign /imu/data'],
    ['lateral acceleration of the other sign', times(-1, 'accel_y'), 'motion.lateral-sign /imu/data'],
    ['vertical acceleration of the other sign', times(-1, 'accel_z'), 'motion.yaw-sign /imu/data'],
    ['yaw rate of the other sign', times(-1, 'gyro_z'), 'motion.yaw-sign /imu/data'],
    ['rates in degrees', times(1 / DEGREES, 'gyro_x', 'gyro_y', 'gyro_z'), 'motion.yaw-unit /imu/data'],
    ['acceleration in g', times(1 / GRAVITY, 'accel_x', 'accel_y', 'accel_z'), 'imu.gravity-length /imu/data'],
    ['longitude of the other sign', times(-1, 'gps_long'), 'motion.yaw-sign /gps/fix'],
    ['latitude of the other sign', times(-1, 'gps_lat'), 'motion.yaw-sign /gps/fix'],
  ])('%s is found where it is', (_name, change, finding) => {
    expect(findingsOf(change)).toContain(finding);
  });
});
