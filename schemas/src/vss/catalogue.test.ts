/** Paths and units are copied from the COVESA catalogue by hand, so they are held against it where it is present. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findSignal, VSS_SIGNALS } from './catalogue.ts';
import { OVERLAY_SIGNALS } from './overlay.ts';
import { isUnitName } from './units.ts';

const CATALOGUE_FILE = fileURLToPath(new URL('../../../../shared/data/vss/vss_flat_derived.json', import.meta.url));
type Node = { readonly type: string; readonly unit?: string };

/** The catalogue lists branches once and their instances apart. */
const withoutInstances = (path: string): string => path.replaceAll(/\.(Row[12]|Left|Right)(?=\.)/g, '');

describe('catalogue', () => {
  it('finds VSS and overlay signals by exact path only', () => {
    expect(findSignal('Vehicle.Speed')?.unit).toBe('km/h');
    expect(findSignal('Vehicle.Powertrain.ElectricMotor.Left.Current')?.unit).toBe('A');
    expect(findSignal('vehicle.speed')).toBeUndefined();
    expect(findSignal('Vehicle.Spede')).toBeUndefined();
  });

  it('has every path once and only units that can be converted', () => {
    const all = [...VSS_SIGNALS, ...OVERLAY_SIGNALS];
    expect(new Set(all.map((signal) => signal.path)).size).toBe(all.length);
    expect(all.filter((signal) => !isUnitName(signal.unit))).toEqual([]);
  });

  it.skipIf(!existsSync(CATALOGUE_FILE))(
    'agrees with the catalogue of COVESA (skipped where ../shared/data is absent)',
    () => {
      const nodes = JSON.parse(readFileSync(CATALOGUE_FILE, 'utf8')) as Readonly<Record<string, Node>>;
      const nodeOf = (path: string) => nodes[withoutInstances(path)];
      const theirs = VSS_SIGNALS.map(({ path }) => ({ path, unit: nodeOf(path)?.unit ?? '' }));
      expect(VSS_SIGNALS).toEqual(theirs);
      expect(VSS_SIGNALS.filter(({ path }) => !/^(sensor|actuator)$/.test(nodeOf(path)?.type ?? ''))).toEqual([]);
      expect(OVERLAY_SIGNALS.filter(({ path }) => nodeOf(path) !== undefined)).toEqual([]);
    },
  );
});
