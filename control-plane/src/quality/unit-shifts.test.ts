/** Which two units a leap lies between: told from the numbers alone, both ways, also where units have different zeros. */
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { bestShift, unitShifts } from './unit-shifts.ts';

const SPEED = unitShifts(['km/h', 'm/s', 'mph', 'knots']);
const TEMPERATURE = unitShifts(['Celsius', 'Fahrenheit', 'K']);

describe('bestShift', () => {
  it.each([
    [SPEED, 100, 27.78, 'km/h', 'm/s'],
    [SPEED, 27.78, 100, 'm/s', 'km/h'],
    [SPEED, 100, 62.14, 'km/h', 'mph'],
    [SPEED, 30, 55.56, 'knots', 'km/h'],
    [TEMPERATURE, 20, 68, 'Celsius', 'Fahrenheit'],
    [TEMPERATURE, 20, 293.15, 'Celsius', 'K'],
    [TEMPERATURE, 293.15, 68, 'K', 'Fahrenheit'],
  ])('names the units of a leap (%#)', (...[shifts, before, after, from, to]) => {
    const match = bestShift(shifts, before, after);
    expect(match?.shift).toMatchObject({ from, to });
    expect(match?.miss).toBeLessThan(0.01);
  });

  it('explains every conversion of its own, both ways, without a rest', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SPEED), evenly(1, 300), (shift, before) => {
        expect(bestShift(SPEED, before, before * shift.scale)?.miss).toBeLessThan(1e-9);
      }),
    );
  });

  it('leaves most of a leap that is none unexplained', () => {
    expect(bestShift(SPEED, 100, 5)?.miss).toBeGreaterThan(0.5);
    expect(bestShift(SPEED, 50, -50)?.miss).toBeGreaterThan(0.5);
    expect(bestShift(TEMPERATURE, -40, 215)?.miss).toBeGreaterThan(0.05);
    expect(bestShift([], 100, 27.78)).toBeUndefined();
  });
});
