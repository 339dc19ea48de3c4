import type { RecordingMetadata, SourceMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { PositionSighting, timeOfDayOf } from './time-of-day.ts';

const METADATA: RecordingMetadata = {
  vehicle: { id: 'v1', hardwareRevision: 'A' },
  software: { name: 's', version: '1' },
  session: { name: 'drive', attributes: {} },
  clock: { source: 'gps', uncertaintyNs: '0' },
  gaps: [],
  loss: {},
};
const atNs = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;
const STUTTGART = { latitude: 48.78, longitude: 9.18 };

function position(latitude: number, longitude: number, timeNs: bigint): SourceMessage {
  const signals = ['Latitude', 'Longitude'].map((name) => ({
    path: `Vehicle.CurrentLocation.${name}`,
    field: name.toLowerCase(),
    unit: 'degrees',
  }));
  const channel = { kind: 'signal', topic: '/vss/Vehicle.CurrentLocation', signals } as const;
  const values = Float64Array.of(latitude, longitude);
  return { kind: 'signal', channel, sequence: 0, logTimeNs: timeNs, publishTimeNs: timeNs, values };
}

describe('the time of day', () => {
  it.each([
    ['2026-06-21T11:00:00Z', 'day'],
    ['2026-06-21T23:00:00Z', 'night'],
    ['2026-06-21T19:50:00Z', 'twilight'],
    ['2026-12-21T16:00:00Z', 'twilight'],
    ['2026-12-21T06:00:00Z', 'night'],
  ])('at %s in Stuttgart is %s', (iso, part) => {
    const found = timeOfDayOf(METADATA, { ...STUTTGART, timeNs: atNs(iso) });
    expect(found).toMatchObject({ part, basis: 'gnss' });
  });

  it('follows the place: the same moment is night on the other side of the earth', () => {
    const found = timeOfDayOf(METADATA, { latitude: -41, longitude: -170, timeNs: atNs('2026-06-21T11:00:00Z') });
    expect(found?.part).toBe('night');
  });

  it('is what the session declares when the stamps are no UTC, and unknown when it declares nothing', () => {
    const sighting = { ...STUTTGART, timeNs: 5_000_000_000n };
    const declared = { ...METADATA, session: { name: 'drive', attributes: { timeOfDay: 'Night' } } };
    expect(timeOfDayOf(declared, sighting)).toEqual({ part: 'night', basis: 'attributes' });
    expect(timeOfDayOf(METADATA, sighting)).toBeUndefined();
    expect(timeOfDayOf(METADATA, undefined)).toBeUndefined();
  });

  it('is not computed from a clock that may be off by an hour', () => {
    const metadata = { ...METADATA, clock: { source: 'system', uncertaintyNs: '3600000000000' } };
    expect(timeOfDayOf(metadata, { ...STUTTGART, timeNs: atNs('2026-06-21T11:00:00Z') })).toBeUndefined();
  });
});

it('takes the first position that is one', () => {
  const sighting = new PositionSighting();
  for (const [latitude, longitude] of [
    [Number.NaN, 9],
    [0, 0],
    [91, 9],
    [48, Number.POSITIVE_INFINITY],
    [48, 9],
    [50, 8],
  ] as const)
    sighting.push(position(latitude, longitude, 1n));
  expect(sighting.found).toEqual({ latitude: 48, longitude: 9, timeNs: 1n });
});
