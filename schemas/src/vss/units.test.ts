/** A wrong factor is the kind of mistake that nobody sees in a plot. */
import fc from 'fast-check';
import { evenly } from '../fixtures/evenly.ts';
import { describe, expect, it } from 'vitest';
import { UNITS, unitConversion, type UnitName } from './units.ts';

const convert = (value: number, from: UnitName, to: UnitName): number => {
  const { scale, offset } = unitConversion(from, to);
  return value * scale + offset;
};

describe('unitConversion', () => {
  it.each([
    [1, 'g', 'm/s^2', 9.80665],
    [10, 'm/s', 'km/h', 36],
    [100, 'mph', 'km/h', 160.9344],
    [Math.PI, 'rad/s', 'degrees/s', 180],
    [1, 'mi', 'm', 1609.344],
    [300, 'K', 'Celsius', 26.85],
    [0.5, 'ratio', 'percent', 50],
  ] as const)('turns %d %s into %s', (value, from, to, expected) => {
    expect(convert(value, from, to)).toBeCloseTo(expected, 9);
  });

  it('is exactly the identity between equal units', () => {
    for (const name of Object.keys(UNITS)) expect(unitConversion(name, name)).toEqual({ scale: 1, offset: 0 });
  });

  it('comes back to the start within rounding, for any value and pair of one dimension', () => {
    const names = Object.keys(UNITS) as UnitName[];
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom(...names),
        evenly(-1_000_000, 1_000_000),
        (a, b, value) => {
          fc.pre(UNITS[a].dimension === UNITS[b].dimension);
          expect(Math.abs(convert(convert(value, a, b), b, a) - value)).toBeLessThanOrEqual(
            1e-9 * Math.max(1, Math.abs(value)) + 1e-9,
          );
        },
      ),
    );
  });

  it.each([
    ['furlong', 'm'],
    ['m', 'furlong'],
    ['g', 'km/h'],
    ['toString', 'm'],
  ])('refuses %s into %s', (from, to) => {
    expect(() => unitConversion(from, to)).toThrow(expect.objectContaining({ code: 'UNIT_UNKNOWN' }));
  });
});
