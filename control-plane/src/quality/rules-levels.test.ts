/** A unit that changes within a signal is found, once or back and forth; what a drive, a receiver or a collision does is not taken for it. */
import type { SignalChannel } from '@fleetloop/schemas';
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import type { Finding } from './finding.ts';
import { RecordingCheck } from './recording-check.ts';

const START_NS = 1_700_000_000_000_000_000n;
const KMH = 3.6;
const ROWS = 600;
const HALF = ROWS / 2;

type Signal = { readonly path: string; readonly unit: string };
type Row = { readonly seconds: number; readonly value: number };
const SPEED: Signal = { path: 'Vehicle.Speed', unit: 'km/h' };

/** A minute at 10 Hz. */
const rows = (value: (seconds: number, index: number) => number): readonly Row[] =>
  Array.from({ length: ROWS }, (_, index) => ({ seconds: index / 10, value: value(index / 10, index) }));
const kmh = (seconds: number): number => (15 + 5 * Math.sin(seconds / 4)) * KMH;

function findingsOf(drive: readonly Row[], { path, unit }: Signal = SPEED): readonly Finding[] {
  const channel: SignalChannel = { kind: 'signal', topic: '/vss/Vehicle', signals: [{ path, field: 'value', unit }] };
  const check = new RecordingCheck(defaultStandard());
  for (const [sequence, { seconds, value }] of drive.entries()) {
    const logTimeNs = START_NS + BigInt(Math.round(seconds * 1e9));
    const times = { sequence, logTimeNs, publishTimeNs: logTimeNs };
    check.push({ kind: 'signal', channel, ...times, values: Float64Array.of(value) });
  }
  return check.finish({}).findings.filter(({ rule }) => rule === 'value.unit-change' || rule === 'value.step');
}

const secondsOf = ({ fromNs, toNs }: Finding): readonly number[] =>
  [fromNs, toNs].map((ns) => Number(BigInt(ns ?? 0) - START_NS) / 1e9);
const inSecondHalf = (change: (value: number) => number) => (seconds: number, index: number) =>
  index < HALF ? kmh(seconds) : change(kmh(seconds));

describe('a speed whose unit changes', () => {
  it('half-way is found at that instant, with both units', () => {
    const found = findingsOf(rows(inSecondHalf((value) => value / KMH)));
    expect(found).toMatchObject([
      {
        rule: 'value.unit-change',
        severity: 'error',
        topic: '/vss/Vehicle',
        evidence: { path: 'Vehicle.Speed', unitBefore: 'km/h', unitAfter: 'm/s', changes: 1 },
      },
    ]);
    expect(found.map(secondsOf)).toEqual([[29.9, 30]]);
    expect(found[0]?.message).toMatch(
      /goes from 70\.72 to 19\.69 within 0\.10 s and stays there, as from km\/h to m\/s/,
    );
  });

  it.each([
    ['mph', 1 / 1.609344],
    ['knots', 1 / 1.852],
    ['m/s', 1 / KMH],
  ])('to %s is named, whichever of the two the file declares', (unit, factor) => {
    const units = { unitBefore: 'km/h', unitAfter: unit };
    for (const declared of ['km/h', unit]) {
      const found = findingsOf(rows(inSecondHalf((value) => value * factor)), { ...SPEED, unit: declared });
      expect(found.map(({ evidence }) => evidence)).toMatchObject([units]);
    }
  });

  it('at 1 Hz is found where the step is more than brakes can do', () => {
    const slow = (mps: number): readonly Row[] =>
      Array.from({ length: 120 }, (_, seconds) => ({
        seconds,
        value: (mps + 2 * Math.sin(seconds / 9)) * (seconds < 60 ? KMH : 1),
      }));
    expect(findingsOf(slow(25)).map(({ rule }) => rule)).toEqual(['value.unit-change']);
    expect(findingsOf(slow(9))).toEqual([]);
  });

  it('back and forth every ten seconds is one finding from the first change to the last', () => {
    const found = findingsOf(rows((seconds) => kmh(seconds) / (Math.floor(seconds / 10) % 2 === 0 ? 1 : KMH)));
    expect(found).toMatchObject([{ rule: 'value.unit-change', evidence: { changes: 5 } }]);
    expect(found.map(secondsOf)).toEqual([[9.9, 50]]);
  });

  it.each([
    ['row by row', (index: number) => index % 2 === 0],
    ['every third row', (index: number) => index % 3 === 0],
    ['one row in forty', (index: number) => index % 40 === 0],
    ['in batches of four', (index: number) => index % 8 < 4],
    ['as two sources come in', (index: number) => (index * 0.618_033_988_7) % 1 < 0.4],
  ])('%s is one finding of two sources in one column', (_, isOther) => {
    const found = findingsOf(rows((seconds, index) => kmh(seconds) / (isOther(index) ? KMH : 1)));
    expect(found).toMatchObject([{ rule: 'value.unit-change', evidence: { values: expect.any(Number) } }]);
    expect(found[0]?.message).toMatch(/by what (km\/h and m\/s|m\/s and km\/h) are apart.*two sources in one column$/);
  });

  it('row by row is found where nobody said the unit, and half-way is not', () => {
    const unknown = { ...SPEED, unit: '' };
    const mixed = rows((seconds, index) => kmh(seconds) / (index % 2 === 0 ? 1 : KMH));
    expect(findingsOf(mixed, unknown)).toMatchObject([{ rule: 'value.unit-change' }]);
    expect(findingsOf(rows(inSecondHalf((value) => value / KMH)), unknown)).toEqual([]);
  });

  it('row by row for ten seconds of a drive in town is found there', () => {
    const town = (seconds: number): number => Math.max(0, 40 * Math.sin(seconds / 7));
    const found = findingsOf(
      rows((seconds, index) => town(seconds) / (index % 2 === 0 && seconds >= 46 && seconds < 56 ? KMH : 1)),
    );
    expect(found.map(({ rule }) => rule)).toEqual(['value.unit-change']);
    const [fromS = 0, toS = 0] = found.flatMap(secondsOf);
    expect(fromS).toBeGreaterThanOrEqual(45.9);
    expect(toS).toBeLessThanOrEqual(56);
  });
});

describe('no change of unit is found', () => {
  it('where the vehicle stands or creeps at the change', () => {
    const slow = (seconds: number): number => Math.abs(seconds - 30) / 3;
    expect(findingsOf(rows((seconds, index) => slow(seconds) / (index < HALF ? 1 : KMH)))).toEqual([]);
  });

  it('where nothing was recorded meanwhile, or the value was held', () => {
    const drive = rows((seconds) => (seconds < 30 ? 100 : 100 / KMH));
    const moving = drive.map(({ seconds, value }) => ({ seconds, value: value + Math.sin(seconds) }));
    const isDropout = ({ seconds }: Row): boolean => seconds >= 25 && seconds < 30;
    expect(findingsOf(moving)).toHaveLength(1);
    expect(findingsOf(moving.filter((row) => !isDropout(row)))).toEqual([]);
    expect(findingsOf(moving.map((row) => (isDropout(row) ? { ...row, value: Number.NaN } : row)))).toEqual([]);
    expect(findingsOf(moving.map((row) => (isDropout(row) ? { ...row, value: 96.5 } : row)))).toEqual([]);
  });

  it('where a receiver gives zero in a tunnel, and another speed after it', () => {
    const found = findingsOf(
      rows((seconds) => (seconds < 20 ? 100 + Math.sin(seconds) : seconds < 35 ? 0 : 28 + Math.sin(seconds))),
    );
    expect(found).toEqual([]);
  });

  it('where the vehicle was hit and comes to rest', () => {
    const crash = (rest: number) =>
      rows((seconds) => (seconds < 30 ? 72 + Math.sin(seconds) : Math.max(0, rest - 25 * (seconds - 30))));
    for (const rest of [0, 5, 20, 32.2, 38.9, 44.7]) expect(findingsOf(crash(rest))).toEqual([]);
  });

  it('in spikes, and in steps that brakes or stamps of a buffer explain', () => {
    expect(findingsOf(rows((seconds, index) => (index % 90 === 89 ? 3.6 : 1) * kmh(seconds)))).toEqual([]);
    expect(findingsOf(rows((seconds, index) => kmh(seconds) + (index % 50 === 49 ? 177 : 0)))).toEqual([]);
    expect(findingsOf(rows((seconds) => Math.max(0, 100 - 35 * Math.max(0, seconds - 30))))).toEqual([]);
    // The value before the leap is the spike: it came within what is possible.
    const late = rows((seconds, index) =>
      index === HALF - 1 ? 82 : 70 - 2 * Math.sin(seconds) + (index >= HALF ? -4 : 0),
    );
    expect(findingsOf(late)).toEqual([]);
    const braking = (seconds: number): number => 60 + Math.sin(seconds) - (seconds < 62 ? 0 : 15);
    const buffered = Array.from({ length: 120 }, (_, second) => ({
      seconds: second - (second % 5) * 0.999,
      value: braking(second),
    }));
    expect(findingsOf(buffered)).toEqual([]);
  });

  it('in spikes of one height while the speed is steady, whatever factor that looks like', () => {
    const steady = (seconds: number, index: number): number =>
      35 + Math.sin(seconds) / 3 + (index % 50 === 49 ? 91 : 0);
    expect(findingsOf(rows(steady))).toEqual([]);
  });

  it('in leaps of which only every other one is by a factor', () => {
    expect(findingsOf(rows((_, index) => [50, 80.5, 50, 75][index % 4] ?? 0))).toEqual([]);
  });

  it('in noise', () => {
    const level = evenly(10, 130);
    fc.assert(
      fc.property(fc.array(level, { minLength: ROWS, maxLength: ROWS }), (values) => {
        expect(findingsOf(rows((_, index) => values[index] ?? 0))).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('in any drive that changes no faster than a vehicle can', () => {
    const change = evenly(-4.5, 4.5);
    fc.assert(
      fc.property(fc.array(change, { minLength: 50, maxLength: 400 }), (changes) => {
        let value = 60;
        const drive = changes.map((each, index) => {
          value = Math.min(200, Math.max(0, value + each));
          return { seconds: index / 10, value };
        });
        expect(findingsOf(drive)).toEqual([]);
      }),
    );
  });
});

it('finds a level that steps by no factor between units, as a warning', () => {
  const found = findingsOf(rows((seconds) => kmh(seconds) + (seconds < 30 ? 0 : 100)));
  expect(found).toMatchObject([{ rule: 'value.step', severity: 'warning', evidence: { changes: 1 } }]);
  expect(found.map(secondsOf)).toEqual([[29.9, 30]]);
});

describe('other quantities', () => {
  const steady = (level: number) => (seconds: number) => level + Math.min(5, 0.01 * level) * Math.sin(seconds);
  it.each([
    ['Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature', 'Celsius', 88, 190.4, 'Fahrenheit'],
    ['Vehicle.Exterior.AirTemperature', 'Celsius', 21, 294.15, 'K'],
    ['Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure', 'kPa', 240, 2.4, 'bar'],
    ['Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure', 'kPa', 240, 34.809, 'psi'],
    ['Vehicle.Exterior.AirPressure', 'hPa', 1_013, 101.3, 'kPa'],
    ['Vehicle.CurrentLocation.Altitude', 'm', 400, 1_312.34, 'ft'],
    ['Vehicle.TraveledDistance', 'm', 41_000_000, 41_000, 'km'],
    ['Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', 'percent', 80, 0.8, 'ratio'],
    ['Vehicle.Acceleration.Vertical', 'm/s^2', 9.80665, 1, 'g'],
    ['Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed', 'km/h', 90, 25, 'm/s'],
    ['Vehicle.CurrentLocation.GNSSReceiver.Speed', 'm/s', 90, 25, 'm/s'],
  ])('%s, from %s at %d to %d, as in %s', (...[path, unit, before, after, other]) => {
    const half = rows((seconds, index) => steady(index < HALF ? before : after)(seconds));
    expect(findingsOf(half, { path, unit })).toMatchObject([
      { rule: 'value.unit-change', evidence: { unitAfter: other } },
    ]);
    const mixed = rows((seconds, index) => steady(index % 2 === 0 ? before : after)(seconds));
    expect(findingsOf(mixed, { path, unit })).toMatchObject([{ rule: 'value.unit-change' }]);
  });

  it('a yaw rate row by row in degrees and radians is found, and half-way is not: a bend may end', () => {
    const yaw = { path: 'Vehicle.AngularVelocity.Yaw', unit: 'degrees/s' };
    const bends = (seconds: number): number => 12 * Math.sin(seconds / 3);
    const turned = (isOther: (index: number) => boolean) =>
      rows((seconds, index) => bends(seconds) * (isOther(index) ? Math.PI / 180 : 1));
    expect(
      findingsOf(
        turned((index) => index % 2 === 0),
        yaw,
      ),
    ).toMatchObject([{ rule: 'value.unit-change' }]);
    expect(
      findingsOf(
        turned((index) => index >= HALF),
        yaw,
      ),
    ).toEqual([]);
  });
});
