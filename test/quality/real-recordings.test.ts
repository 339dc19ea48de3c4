/** False alarms: every finding in every committed recording is a fault of that recording that is listed here, with its reason in the guide. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check, readReal, RECORDINGS } from './real-recordings.ts';

/** Rule and topic of the faults that the recordings really have. Whatever is not here must have none. */
const ENGINE = 'completeness.topic /vss/Vehicle.Powertrain.CombustionEngine';
/** The engine's columns are empty from a hole of the recording on. */
const ENGINE_ENDS = 'completeness.end /vss/Vehicle.Powertrain.CombustionEngine';
const HOLE = 'rate.gap null';
const DRIFT = 'alignment.lag /vss/Vehicle.AngularVelocity';
const TRUE_FAULTS: Readonly<Record<string, readonly string[]>> = {
  'blackbox_drives/drive_01.csv.zst': [ENGINE],
  'blackbox_drives/drive_04.csv.zst': [ENGINE_ENDS, HOLE],
  'blackbox_drives/drive_07.csv.zst': [ENGINE],
  'blackbox_drives/drive_09.csv.zst': [ENGINE, HOLE],
  'blackbox_drives/drive_11.csv.zst': [ENGINE],
  'blackbox_drives/drive_12.csv.zst': [ENGINE],
  'blackbox_drives/drive_13.csv.zst': [ENGINE],
  'blackbox_drives/drive_14.csv.zst': [ENGINE],
  'blackbox_drives/drive_15.csv.zst': [ENGINE_ENDS, HOLE],
  'blackbox_drives/drive_23.csv.zst': [ENGINE],
  'blackbox_drives/drive_24.csv.zst': [ENGINE],
  'blackbox_drives/drive_28.csv.zst': [ENGINE],
  'blackbox_drives/drive_30.csv.zst': [ENGINE_ENDS, HOLE, HOLE, HOLE, HOLE, HOLE, HOLE],
  'borealtc/ASPHALT/imu_01.csv.zst': [DRIFT],
  'borealtc/FLOORING/imu_00.csv.zst': [DRIFT],
  'borealtc/FLOORING/imu_05.csv.zst': [DRIFT],
  'borealtc/FLOORING/imu_07.csv.zst': [DRIFT],
  'borealtc/FLOORING/imu_08.csv.zst': [DRIFT],
  'borealtc/SNOW/imu_05.csv.zst': [DRIFT],
  'borealtc/SNOW/imu_10.csv.zst': [DRIFT],
  'comma2k19_segment/first_40s': [
    'alignment.lag /vss/Vehicle.Acceleration',
    'alignment.lag /vss/Vehicle.CurrentLocation',
  ],
};

function recordings(): readonly string[] {
  const names = readdirSync(RECORDINGS, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => /(drive_\d+|imu_\d+)\.csv\.zst$/.test(name));
  return [...files, 'comma2k19_segment/first_40s'].toSorted();
}

describe('the committed recordings', () => {
  const all = recordings();

  it('are there', () => {
    expect(all.length).toBeGreaterThan(60);
    expect(Object.keys(TRUE_FAULTS).filter((name) => !all.includes(name))).toEqual([]);
  });

  it.each(all)('%s has no findings but its true faults', async (name) => {
    const [dataset = '', ...path] = name.split('/');
    const { findings, suppressed } = check(await readReal(dataset, join(...path)));
    expect(findings.map(({ rule, topic }) => `${rule} ${topic}`).toSorted()).toEqual(
      (TRUE_FAULTS[name] ?? []).toSorted(),
    );
    expect(suppressed).toBe(0);
  });

  it('show the fault of the firmware that sent g for m/s², and only that', async () => {
    const { findings } = check(await readReal('borealtc', 'ICE/imu_00.csv.zst', 'mapping-firmware-fault.json'));
    expect(findings.map(({ rule }) => rule)).toEqual(['imu.gravity-length']);
    expect(findings[0]?.message).toContain('the values are in g');
  });

  it('show the sensor that was mounted on its side, and only that', async () => {
    const { findings } = check(await readReal('borealtc', 'ICE/imu_00.csv.zst', 'mapping-revision-b.json'));
    expect(findings.map(({ rule }) => rule)).toEqual(['imu.gravity-axis']);
    expect(findings[0]?.message).toContain('lateral axis');
  });
});
