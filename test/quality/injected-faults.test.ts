/** Misses: every fault that is put into a copy of a real recording is found by its rule, and the copy without it has no such finding. */
import { describe, expect, it } from 'vitest';
import {
  changeValues,
  clockStep,
  duplicated,
  type Fault,
  flipped,
  frozen,
  gap,
  jump,
  quantised,
  repeated,
  saturated,
  scaled,
  SECOND_HALF,
  shifted,
  spiked,
  swapped,
  thinned,
} from './fault-injection.ts';
import { check, readReal, type RealRecording } from './real-recordings.ts';

const ACCELERATION = /^Vehicle\.Acceleration\.(Longitudinal|Lateral|Vertical)$/;
const LONGITUDINAL = /^Vehicle\.Acceleration\.Longitudinal$/;
const LATERAL = /^Vehicle\.Acceleration\.Lateral$/;
const VERTICAL = /^Vehicle\.Acceleration\.Vertical$/;
const GYRO = /^Vehicle\.AngularVelocity\./;
const YAW = /^Vehicle\.AngularVelocity\.Yaw$/;
const SPEED = /^Vehicle\.Speed$/;
const HEADING = /^Vehicle\.CurrentLocation\.Heading$/;
const MIDDLE = { from: 0.4, to: 0.6 };

const everySecond = (path: RegExp, factor: number): Fault =>
  changeValues(path, (value, index) => (index % 2 === 0 ? value : value * factor));

type Case = readonly [name: string, fault: Fault, rule: RegExp];

const IMU_FAULTS: readonly Case[] = [
  ['acceleration in g taken for m/s²', scaled(ACCELERATION, 1 / 9.80665), /^imu\.gravity-length$/],
  ['acceleration in m/s² taken for g', scaled(ACCELERATION, 9.80665), /^imu\.gravity-length$/],
  ['gravity 10 % too long', scaled(ACCELERATION, 1.1), /^imu\.gravity-length$/],
  ['gravity 10 % too short', scaled(ACCELERATION, 0.9), /^imu\.gravity-length$/],
  [
    'the unit of acceleration changes half-way',
    scaled(ACCELERATION, 1 / 9.80665, SECOND_HALF),
    /^imu\.gravity-length$/,
  ],
  ['acceleration of two sources, in g and m/s²', everySecond(ACCELERATION, 1 / 9.80665), /^value\.unit-change$/],
  ['the sign of vertical acceleration', flipped(VERTICAL), /^imu\.gravity-axis$/],
  ['the sign of vertical acceleration changes half-way', flipped(VERTICAL, SECOND_HALF), /^imu\.gravity-axis$/],
  ['lateral and vertical axis exchanged', swapped(LATERAL, VERTICAL), /^imu\.gravity-axis$/],
  ['longitudinal and vertical axis exchanged', swapped(LONGITUDINAL, VERTICAL), /^imu\.gravity-axis$/],
  ['acceleration frozen', frozen(ACCELERATION, MIDDLE), /^value\.frozen$/],
  ['one axis of acceleration frozen', frozen(LONGITUDINAL, MIDDLE), /^value\.frozen$/],
  ['yaw rate frozen', frozen(YAW, MIDDLE), /^value\.frozen$/],
  ['yaw rate constant', scaled(YAW, 0), /^value\.constant$/],
  ['acceleration saturated', saturated(LONGITUDINAL, 0.3), /^value\.saturated$/],
  ['yaw rate saturated', saturated(YAW, 0.3), /^value\.saturated$/],
  ['acceleration quantised', quantised(ACCELERATION, 2), /^value\.quantised$/],
  ['lateral a copy of longitudinal', duplicated(LONGITUDINAL, LATERAL), /^value\.duplicated$/],
  ['yaw rate a copy of roll rate', duplicated(/AngularVelocity\.Roll$/, YAW), /^value\.duplicated$/],
  ['a gap in acceleration', gap(/Acceleration$/, MIDDLE), /^rate\.gap$/],
  ['a gap in all topics', gap(/./, MIDDLE), /^rate\.gap$/],
  ['the clock set back by 30 s', clockStep(-30), /^clock\.(step|backwards)$/],
  ['the clock set forward by an hour', clockStep(3_600), /^(clock\.step|rate\.gap)$/],
  ['acceleration recorded twice for a while', repeated(/Acceleration$/, MIDDLE), /^structure\.duplicates$/],
  ['acceleration lost here and there', thinned(/Acceleration$/, 0.08), /^rate\.(thinned|gap)$/],
  ['acceleration at half its rate from the middle on', thinned(/Acceleration$/, 0.5, SECOND_HALF), /^rate\.(low|gap)$/],
  ['yaw rate with wrong bits', spiked(YAW, 400, 200), /^(value\.spike|value\.range)$/],
  ['acceleration an hour ahead: a local time', shifted(/Acceleration$/, 3_600), /^clock\.zone$/],
];

const DRIVE_FAULTS: readonly Case[] = [
  ['speed in km/h, multiplied by 3.6 again', scaled(SPEED, 3.6), /^motion\.speed-unit$/],
  ['speed in m/s taken for km/h', scaled(SPEED, 1 / 3.6), /^motion\.speed-unit$/],
  ['speed in mph taken for km/h', scaled(SPEED, 1 / 1.609344), /^motion\.speed-unit$/],
  ['the unit of speed changes half-way', scaled(SPEED, 3.6, SECOND_HALF), /^motion\.speed-unit$/],
  ['speed of two sources, in km/h and m/s', everySecond(SPEED, 1 / 3.6), /^value\.unit-change$/],
  ['altitude goes on in feet', scaled(/CurrentLocation\.Altitude$/, 1 / 0.3048, SECOND_HALF), /^value\.unit-change$/],
  ['the sign of longitudinal acceleration', flipped(LONGITUDINAL), /^motion\.acceleration-sign$/],
  ['the sign of lateral acceleration', flipped(LATERAL), /^motion\.lateral-sign$/],
  ['the sign of yaw rate', flipped(YAW), /^motion\.yaw-sign$/],
  ['yaw rate in rad/s taken for degrees/s', scaled(GYRO, Math.PI / 180), /^motion\.yaw-unit$/],
  ['yaw rate in degrees/s taken for rad/s', scaled(GYRO, 180 / Math.PI), /^(motion\.yaw-unit|value\.range)$/],
  ['heading anticlockwise', scaled(HEADING, -1), /^(motion\.heading|motion\.yaw-sign|value\.range)$/],
  ['heading counted from east', changeValues(HEADING, (value) => (value + 90) % 360), /^motion\.heading$/],
  ['heading in radians', scaled(HEADING, Math.PI / 180), /^motion\.heading$/],
  ['acceleration with wrong bits', spiked(LONGITUDINAL, 45, 200), /^value\.spike$/],
  ['speed with wrong bits', spiked(SPEED, 90, 200), /^value\.spike$/],
  ['positions stop half-way', gap(/CurrentLocation$/, SECOND_HALF), /^completeness\.end$/],
  ['positions begin half-way', gap(/CurrentLocation$/, { from: -1, to: 0.5 }), /^completeness\.start$/],
  ['positions jump', jump(0.05, { from: 0.5, to: 0.52 }), /^location\.jump$/],
  ['positions at 0°, 0°', scaled(/CurrentLocation\.(Latitude|Longitude)$/, 0, MIDDLE), /^location\.null$/],
  ['positions frozen', frozen(/CurrentLocation\.(Latitude|Longitude)$/, { from: 0.3, to: 0.7 }), /^value\.frozen$/],
  ['latitude and longitude exchanged', swapped(/Latitude$/, /Longitude$/), /^(location\.place|value\.range)$/],
  ['positions on the other side of the world', scaled(/Longitude$/, -1), /^location\.place$/],
  ['speed frozen', frozen(SPEED, { from: 0.3, to: 0.6 }), /^(value\.frozen|motion\.speed-disagrees)$/],
  ['positions quantised', quantised(/CurrentLocation\.(Latitude|Longitude)$/, 0.001), /^value\.quantised$/],
];

const CAR_FAULTS: readonly Case[] = [
  ['acceleration 0.2 s late', shifted(/^\/vss\/Vehicle\.Acceleration$/, -0.2), /^alignment\.lag$/],
  ['the unit of speed changes half-way', scaled(SPEED, 1 / 3.6, SECOND_HALF), /^value\.unit-change$/],
  ['speed of two sources, in mph and km/h', everySecond(SPEED, 1.609344), /^value\.unit-change$/],
  ['one wheel in m/s taken for km/h', scaled(/Row1\.Wheel\.Left\.Speed$/, 1 / 3.6), /^motion\.speed-unit$/],
  ['the sign of yaw rate', flipped(YAW), /^motion\.(yaw-sign|lateral-sign|wheel-yaw)$/],
  ['the sign of longitudinal acceleration', flipped(LONGITUDINAL), /^motion\.acceleration-sign$/],
  ['acceleration an hour ahead', shifted(/^\/vss\/Vehicle\.Acceleration$/, 3_600), /^clock\.zone$/],
  ['speed in m/s taken for km/h', scaled(SPEED, 1 / 3.6), /^motion\.speed-unit$/],
  ['yaw rate in rad/s taken for degrees/s', scaled(GYRO, Math.PI / 180), /^motion\.(yaw-unit|lateral-unit|wheel-yaw)$/],
];

/** What a check says, and what it said of the recording without the fault. */
function expectFound(recording: RealRecording, former: ReadonlySet<string>, [, fault, rule]: Case): void {
  const said = linesOf({ ...recording, messages: fault(recording.messages) }).filter((line) => !former.has(line));
  expect(
    said.filter((line) => rule.test(line.slice(0, line.indexOf(' ')))),
    said.join('\n'),
  ).not.toEqual([]);
}

function linesOf(recording: RealRecording): readonly string[] {
  return check(recording).findings.map(({ rule, topic, message }) => `${rule} ${topic}: ${message}`);
}

describe('faults in a drive of 30 minutes at 1 Hz', async () => {
  const drive = await readReal('blackbox_drives', 'drive_15.csv.zst');
  const former = new Set(linesOf(drive));
  it.each([...IMU_FAULTS, ...DRIVE_FAULTS])('%s', (...fault) => expectFound(drive, former, fault));
});

describe('faults in a drive of 10 minutes at 1 Hz', async () => {
  const drive = await readReal('blackbox_drives', 'drive_06.csv.zst');
  const former = new Set(linesOf(drive));
  it.each([...IMU_FAULTS, ...DRIVE_FAULTS])('%s', (...fault) => expectFound(drive, former, fault));
});

describe('faults in a run of a robot at 100 Hz', async () => {
  const run = await readReal('borealtc', 'ASPHALT/imu_00.csv.zst');
  const former = new Set(linesOf(run));
  it.each(IMU_FAULTS)('%s', (...fault) => expectFound(run, former, fault));
});

describe('faults in 40 s of a car at 104 Hz', async () => {
  const car = await readReal('comma2k19_segment', 'first_40s');
  const former = new Set(linesOf(car));
  it.each([...IMU_FAULTS, ...CAR_FAULTS])('%s', (...fault) => expectFound(car, former, fault));
});
