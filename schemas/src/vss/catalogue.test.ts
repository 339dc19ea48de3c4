/** The table is derived from the COVESA catalogue, so it is held against it where it is present. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { catalogueLeaves, findSignal } from './catalogue.ts';
import { OVERLAY_SIGNALS } from './overlay.ts';
import { isUnitName } from './units.ts';

const CATALOGUE_FILE = fileURLToPath(new URL('../../../../shared/data/vss/vss_flat_derived.json', import.meta.url));
const LEAVES_OF_VSS = 518;
type Node = { readonly type: string; readonly unit?: string; readonly datatype?: string };

describe('catalogue', () => {
  it('finds VSS and overlay signals by exact path only', () => {
    expect(findSignal('Vehicle.Speed')?.unit).toBe('km/h');
    expect(findSignal('Vehicle.Powertrain.ElectricMotor.Left.Current')?.unit).toBe('A');
    expect(findSignal('vehicle.speed')).toBeUndefined();
    expect(findSignal('Vehicle.Spede')).toBeUndefined();
    expect(findSignal('')).toBeUndefined();
    expect(findSignal('constructor')).toBeUndefined();
  });

  it('asks for the instance of a branch that has some', () => {
    expect(findSignal('Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed')).toEqual({
      path: 'Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed',
      unit: 'km/h',
    });
    expect(findSignal('Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen')?.unit).toBe('');
    expect(findSignal('Vehicle.Chassis.Axle.Wheel.Speed')).toBeUndefined();
    expect(findSignal('Vehicle.Chassis.Axle.Row3.Wheel.Left.Speed')).toBeUndefined();
    expect(findSignal('Vehicle.Cabin.Door.Row2.IsOpen')).toBeUndefined();
  });

  it('has every numeric leaf once and only units that can be converted', () => {
    const leaves = catalogueLeaves();
    expect(leaves).toHaveLength(LEAVES_OF_VSS);
    expect(new Set(leaves.map(({ path }) => path)).size).toBe(LEAVES_OF_VSS);
    expect([...leaves, ...OVERLAY_SIGNALS].filter(({ unit }) => !isUnitName(unit))).toEqual([]);
  });

  it.skipIf(!existsSync(CATALOGUE_FILE))(
    'agrees with the catalogue of COVESA (skipped where ../shared/data is absent)',
    () => {
      const nodes = JSON.parse(readFileSync(CATALOGUE_FILE, 'utf8')) as Readonly<Record<string, Node>>;
      const theirs = Object.entries(nodes)
        .filter(([, node]) => /^(float|double|boolean|u?int\d+)$/.test(node.datatype ?? ''))
        .map(([path, node]) => ({ path, unit: node.unit ?? '' }));
      const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
      expect(catalogueLeaves().toSorted(byPath)).toEqual(
        theirs.filter(({ path }) => path.startsWith('Vehicle.')).toSorted(byPath),
      );
      expect(OVERLAY_SIGNALS.filter(({ path }) => nodes[path] !== undefined)).toEqual([]);
    },
  );
});
