// Why: what the agent reads from the committed files must be the published numbers, and decoded CAN must be what the makers of
// the dataset decoded from the same frames. Expected values are worked out here from the unpacked files, without our readers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { loadMapping, openSource } from '@fleetloop/edge-agent';
import type { Source } from '@fleetloop/schemas/source';
import type { SignalMessage, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it, vi } from 'vitest';
import { listedEvents } from './listed-events.ts';
import { BOREALTC_MAPPINGS, blackboxDrives, borealtcRuns, commaSegment, type RecordedDrive } from './recordings.ts';

const G = 9.80665;
/** The `epoch` of the comma mapping. */
const COMMA_EPOCH_NS = 1_533_180_079_644_000_000n;

async function openDrive(drive: RecordedDrive, mappingPath = drive.mappingPath): Promise<Source> {
  return openSource({ ...(await loadMapping(mappingPath)), sourcePath: drive.sourcePath });
}

async function readAll(source: Source): Promise<ReadonlyMap<string, readonly SourceMessage[]>> {
  const messages: SourceMessage[] = [];
  for await (const batch of source.batches()) messages.push(...batch);
  return Map.groupBy(messages, (message) => message.channel.topic);
}

function signalsOf(read: ReadonlyMap<string, readonly SourceMessage[]>, topic: string): readonly SignalMessage[] {
  return (read.get(topic) ?? []).filter((message): message is SignalMessage => message.kind === 'signal');
}

/** Column values by name, read the plain way. */
function csvColumns(path: string): Readonly<Record<string, readonly string[]>> {
  const [header = '', ...rows] = zstdDecompressSync(readFileSync(path)).toString('utf8').trimEnd().split('\n');
  const cells = rows.map((row) => row.split(','));
  return Object.fromEntries(header.split(',').map((name, index) => [name, cells.map((row) => row[index] ?? '')]));
}

function npyDoubles(name: string): Float64Array {
  const bytes = zstdDecompressSync(readFileSync(join(commaSegment().sourcePath, `${name}.npy.zst`)));
  return new Float64Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer);
}

/** All committed recordings are read, which takes seconds on a busy machine. */
const READ_ALL_TIMEOUT_MS = 60_000;
vi.setConfig({ testTimeout: READ_ALL_TIMEOUT_MS });

describe('blackbox drives', () => {
  it('give every row of every drive with its own numbers and stamps', async () => {
    let rows = 0;
    for (const drive of blackboxDrives()) {
      const source = await openDrive(drive);
      const columns = csvColumns(drive.sourcePath);
      const read = await readAll(source);
      const stamps = columns['time_utc'] ?? [];
      const hasAcceleration = (row: number) =>
        columns['accel_x']?.[row] !== '' || columns['accel_y']?.[row] !== '' || columns['accel_z']?.[row] !== '';
      const expected = stamps.flatMap((stamp, row) => (hasAcceleration(row) ? [{ stamp, row }] : []));
      const acceleration = signalsOf(read, '/vss/Vehicle.Acceleration');
      expect(source.description.session).toBe(drive.session);
      expect(acceleration.map((message) => Number(message.logTimeNs / 1_000_000n))).toEqual(
        expected.map(({ stamp }) => Date.parse(stamp)),
      );
      for (const [index, { row }] of expected.entries()) {
        // The logger's y axis points to the right, the catalogue's to the left (ISO 8855).
        const cells = (['accel_x', 'accel_y', 'accel_z'] as const).map((name) => {
          const cell = columns[name]?.[row] ?? '';
          return cell === '' ? Number.NaN : Number(cell) * (name === 'accel_y' ? -G : G) + 0;
        });
        expect([...(acceleration[index]?.values ?? [])]).toEqual(cells);
      }
      expect(source.report()).toMatchObject({ rows: stamps.length, backwards: 0, repeated: 0 });
      rows += stamps.length;
    }
    expect(rows).toBe(14_880);
  });

  it('show every listed event and no other row over 0.35 g', async () => {
    const isEvent = (session: string, timeNs: bigint) =>
      listedEvents().some(
        (event) => event.session === session && event.startTimeNs <= timeNs && timeNs <= event.endTimeNs,
      );
    const found = new Set<string>();
    const extra: string[] = [];
    for (const drive of blackboxDrives()) {
      const read = await readAll(await openDrive(drive));
      for (const message of signalsOf(read, '/vss/Vehicle.Acceleration')) {
        const [longitudinal = 0, lateral = 0] = message.values;
        if (Math.max(Math.abs(longitudinal), Math.abs(lateral)) < 0.35 * G) continue;
        if (!isEvent(drive.session, message.logTimeNs)) extra.push(`${drive.session} ${message.logTimeNs}`);
        for (const event of listedEvents()) {
          const isInside =
            event.session === drive.session &&
            event.startTimeNs <= message.logTimeNs &&
            message.logTimeNs <= event.endTimeNs;
          if (isInside) found.add(`${event.session}/${event.number}`);
        }
      }
    }
    expect(found.size).toBe(48);
    expect(extra).toEqual([]);
  });
});

describe('borealtc runs', () => {
  it('give both files of every run in order of time, exactly as published', async () => {
    for (const run of borealtcRuns()) {
      const source = await openDrive(run);
      const read = await readAll(source);
      const imu = csvColumns(run.sourcePath);
      const wheels = csvColumns(run.sourcePath.replace('imu_', 'pro_'));
      const acceleration = signalsOf(read, '/vss/Vehicle.Acceleration');
      const numbers = (columns: typeof imu, name: string) => (columns[name] ?? []).map(Number);
      expect(source.description).toMatchObject({
        session: run.session,
        attributes: { terrain: run.terrain },
        unusedColumns: [],
      });
      expect(acceleration.map((message) => message.values[0])).toEqual(numbers(imu, 'ax'));
      expect(acceleration.map((message) => message.values[1])).toEqual(numbers(imu, 'ay'));
      expect(acceleration.map((message) => message.values[2])).toEqual(numbers(imu, 'az'));
      const turning = signalsOf(read, '/vss/Vehicle.AngularVelocity');
      expect(turning.map((message) => message.values[2])).toEqual(
        numbers(imu, 'wz').map((value) => value * (180 / Math.PI)),
      );
      const currents = signalsOf(read, '/vss/Vehicle.Powertrain.ElectricMotor');
      expect(currents.map((message) => message.values[1])).toEqual(numbers(wheels, 'curR'));
      const speeds = signalsOf(read, '/vss/Vehicle.Chassis.Axle');
      expect(speeds.map((message) => message.values[0])).toEqual(numbers(wheels, 'velL').map((value) => value * 3.6));
      expect(source.report()).toMatchObject({ backwards: 0, repeated: 0, emptyMessages: 0 });
    }
  });

  it('are turned on their side by revision B, for acceleration and angular velocity, and keep their length', async () => {
    const run = borealtcRuns()[0];
    if (run === undefined) throw new Error('no run');
    const upright = await readAll(await openDrive(run));
    const turned = await readAll(await openDrive(run, BOREALTC_MAPPINGS.revisionB));
    for (const topic of ['/vss/Vehicle.Acceleration', '/vss/Vehicle.AngularVelocity']) {
      const expected = signalsOf(upright, topic).map(({ values: [x = 0, y = 0, z = 0] }) => [x, -z, y]);
      expect(expected.length).toBeGreaterThan(900);
      expect(signalsOf(turned, topic).map((message) => [...message.values])).toEqual(expected);
    }
    expect(signalsOf(turned, '/vss/Vehicle.Chassis.Axle')).toHaveLength(
      signalsOf(upright, '/vss/Vehicle.Chassis.Axle').length,
    );
  });

  it('are too small by standard gravity with the firmware fault, in acceleration only', async () => {
    const run = borealtcRuns()[0];
    if (run === undefined) throw new Error('no run');
    const right = await readAll(await openDrive(run));
    const wrong = await readAll(await openDrive(run, BOREALTC_MAPPINGS.firmwareFault));
    const wrongValues = signalsOf(wrong, '/vss/Vehicle.Acceleration').flatMap((message) => [...message.values]);
    const rightValues = signalsOf(right, '/vss/Vehicle.Acceleration').flatMap((message) => [...message.values]);
    expect(wrongValues.length).toBe(rightValues.length);
    for (const [index, value] of wrongValues.entries()) expect(value * G).toBeCloseTo(rightValues[index] ?? 0, 10);
    const turning = (read: typeof right) =>
      signalsOf(read, '/vss/Vehicle.AngularVelocity').map((message) => [...message.values]);
    expect(turning(wrong)).toEqual(turning(right));
  });
});

describe('comma segment', () => {
  it('keeps all 90,327 raw frames, byte for byte, padded only where the DBC knows the length', async () => {
    const source = await openDrive(commaSegment());
    const read = await readAll(source);
    const payloads = zstdDecompressSync(readFileSync(join(commaSegment().sourcePath, 'CAN/raw_can/data.npy.zst')));
    const first = payloads.length - 90_327 * 8;
    const buses = npyInts('CAN/raw_can/src');
    const addresses = npyInts('CAN/raw_can/address');
    const next = new Map<bigint, number>();
    let checked = 0;
    for (const [row, bus] of buses.entries()) {
      const position = next.get(bus) ?? 0;
      next.set(bus, position + 1);
      const message = read.get(`/can/${bus}/raw`)?.[position];
      if (message?.kind !== 'opaque') throw new Error(`frame ${row} is not there`);
      const frame = parseCanFrame(message.data);
      const stored = payloads.subarray(first + row * 8, first + row * 8 + 8);
      expect(frame.bus === Number(bus) && frame.id === Number(addresses[row])).toBe(true);
      expect(
        stored.subarray(0, frame.data.length).equals(frame.data) &&
          stored.subarray(frame.data.length).every((byte) => byte === 0),
      ).toBe(true);
      checked += 1;
    }
    expect(checked).toBe(90_327);
    expect(new Set(source.description.channels.map((channel) => channel.topic))).toEqual(new Set(read.keys()));
    expect(source.report()).toMatchObject({ backwards: 0 });
  });

  it('decodes wheel speeds and steering angle to what the dataset decoded', async () => {
    const read = await readAll(await openDrive(commaSegment()));
    const wheels = signalsOf(read, '/vss/Vehicle.Chassis.Axle');
    const steering = signalsOf(read, '/vss/Vehicle.Chassis.SteeringWheel');
    expect(worstDifference(wheels, 'CAN/wheel_speed', { columns: 4, factor: 3.6 })).toBeLessThan(1e-9);
    expect(worstDifference(steering, 'CAN/steering_angle', { columns: 1, factor: 1 })).toBeLessThan(1e-9);
  });

  it('has an epoch that agrees with the clock of the GNSS receiver', async () => {
    const read = await readAll(await openDrive(commaSegment()));
    const fixes = npyDoubles('GNSS/live_gnss_ublox/value');
    const located = signalsOf(read, '/vss/Vehicle.CurrentLocation');
    expect(located).toHaveLength(385);
    for (const [row, message] of located.entries()) {
      expect(Math.abs(Number(message.logTimeNs / 1_000_000n) - (fixes[row * 6 + 3] ?? 0))).toBeLessThan(100);
    }
  });

  it('points the axes of the IMU as VSS does: at rest, up is positive', async () => {
    const read = await readAll(await openDrive(commaSegment()));
    const vertical = signalsOf(read, '/vss/Vehicle.Acceleration').map((message) => message.values[2] ?? 0);
    const mean = vertical.reduce((sum, value) => sum + value, 0) / vertical.length;
    expect(mean).toBeGreaterThan(9);
    expect(mean).toBeLessThan(10.5);
  });
});

function npyInts(name: string): BigInt64Array {
  return new BigInt64Array(npyDoubles(name).buffer);
}

/**
 * Worst difference between decoded messages and the dataset's own array, row by row. The stamps of the dataset are those of the
 * frames, so each pair must also agree in time to 1 ms.
 */
function worstDifference(
  messages: readonly SignalMessage[],
  name: string,
  { columns, factor }: { readonly columns: number; readonly factor: number },
): number {
  const stamps = npyDoubles(`${name}/t`);
  const values = npyDoubles(`${name}/value`);
  expect(messages).toHaveLength(stamps.length);
  expect(values).toHaveLength(stamps.length * columns);
  let worst = 0;
  for (const [row, message] of messages.entries()) {
    expect(Math.abs(Number(message.logTimeNs - COMMA_EPOCH_NS) / 1e9 - (stamps[row] ?? 0))).toBeLessThan(1e-3);
    for (const [column, value] of [...message.values].slice(0, columns).entries()) {
      worst = Math.max(worst, Math.abs(value - (values[row * columns + column] ?? Number.NaN) * factor));
    }
  }
  return worst;
}

/** The three fields of a frame, read by hand so that our encoder is not checked against itself. */
function parseCanFrame(bytes: Uint8Array): { bus: number; id: number; data: Uint8Array } {
  const frame = { bus: 0, id: 0, data: new Uint8Array(0) };
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < bytes.length) {
    const tag = varint();
    const value = varint();
    if (tag === 0x08) frame.bus = value;
    else if (tag === 0x10) frame.id = value;
    else {
      frame.data = bytes.slice(position, position + value);
      position += value;
    }
  }
  return frame;
}
