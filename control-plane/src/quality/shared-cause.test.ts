/** A cause is what the recordings with a finding share and the others lack; a finding that all have points at nobody. */
import { describe, expect, it } from 'vitest';
import { type CheckedRecording, findSharedCauses } from './shared-cause.ts';

const DAY_NS = 86_400_000_000_000n;

function fleet(count: number): readonly CheckedRecording[] {
  return Array.from({ length: count }, (_, index) => ({
    recording: `r${index}`,
    vehicle: `truck-${index % 4}`,
    softwareVersion: index % 2 === 0 ? '1.0' : '1.1',
    hardwareRevision: 'A',
    firmware: index % 8 === 3 ? 'imu-7' : 'imu-6',
    startNs: String(BigInt(index) * (DAY_NS / 4n)),
    endNs: String(BigInt(index) * (DAY_NS / 4n) + 60_000_000_000n),
  }));
}

const found = (recordings: readonly CheckedRecording[], rule = 'imu.gravity-length') =>
  recordings.map(({ recording }) => ({ recording, rule, topic: '/vss/Vehicle.Acceleration' }));

describe('findSharedCauses', () => {
  const all = fleet(40);

  it('names the firmware whose recordings have the finding, with counts and lift', () => {
    const faulty = all.filter(({ firmware }) => firmware === 'imu-7');
    const [first] = findSharedCauses(all, found(faulty));
    expect(first).toMatchObject({ cause: 'firmware', value: 'imu-7', with: 5, of: 5, share: 1, elsewhere: 0 });
    expect(first?.lift).toBeGreaterThan(20);
    expect([first?.fromNs, first?.toNs]).toEqual([faulty[0]?.startNs, faulty.at(-1)?.endNs]);
  });

  it('names the vehicle when only it is affected', () => {
    const causes = findSharedCauses(all, found(all.filter(({ vehicle }) => vehicle === 'truck-2')));
    expect(causes[0]).toMatchObject({ cause: 'vehicle', value: 'truck-2', with: 10, of: 10 });
  });

  it('names the day when all vehicles of one day are affected', () => {
    const onSecondDay = all.filter(({ startNs }) => BigInt(startNs) / DAY_NS === 1n);
    expect(findSharedCauses(all, found(onSecondDay))[0]).toMatchObject({
      cause: 'day',
      value: '1970-01-02',
      with: 4,
      of: 4,
    });
  });

  it('names nobody for a finding that all recordings have, or one alone', () => {
    expect(findSharedCauses(all, found(all))).toEqual([]);
    expect(findSharedCauses(all, found(all.slice(0, 1)))).toEqual([]);
    expect(findSharedCauses([], [])).toEqual([]);
  });

  it('counts updates, not recordings, for what an update changed once', () => {
    const updated = ['truck-1', 'truck-3'].map((vehicle) => all.find((recording) => recording.vehicle === vehicle));
    const once = found(updated as readonly CheckedRecording[], 'schema.changed');
    expect(findSharedCauses(all, once)).toContainEqual(
      expect.objectContaining({ cause: 'softwareVersion', value: '1.1', with: 2, of: 2, share: 1, elsewhere: 0 }),
    );
    const often = findSharedCauses(all, found(updated as readonly CheckedRecording[]));
    expect(often.filter(({ cause }) => cause === 'softwareVersion')).toEqual([]);
  });
});
