/** A standard is policy that somebody writes by hand: what is wrong in it is named, and what is left out has stated values. */
import { describe, expect, it } from 'vitest';
import strict from '../../standards/strict.json' with { type: 'json' };
import vehicle from '../../standards/vehicle.json' with { type: 'json' };
import { defaultStandard } from './default-standard.ts';
import { RULES } from './rules.ts';
import { parseStandard } from './standard.ts';

const SMALLEST = { kind: 'quality-standard', name: 'small', version: 1, quarantineOn: [] };

describe('parseStandard', () => {
  it('takes the committed standards, which differ in what they quarantine only', () => {
    expect(parseStandard(vehicle).digest).toBe(defaultStandard().digest);
    expect(parseStandard(strict).values).toEqual(parseStandard(vehicle).values);
  });

  it('fills in what is left out', () => {
    expect(parseStandard(SMALLEST)).toMatchObject({
      imu: { gravity: 9.80665 },
      alignment: { lagMsMax: 150 },
      rules: {},
    });
  });

  it('has another digest for another document', () => {
    expect(parseStandard({ ...SMALLEST, version: 2 }).digest).not.toBe(parseStandard(SMALLEST).digest);
  });

  it.each([
    ['quarantineOn', { quarantineOn: ['imu.gravity'] }],
    ['rules', { rules: { 'imu.gravity': { isOff: true } } }],
    ['severity', { rules: { 'rate.gap': { severity: 'fatal' } } }],
    ['timing', { timing: { gapPeriodsMin: -1 } }],
    ['unknownKey', { unknownKey: 1 }],
    ['units', { values: { steps: [{ path: 'Vehicle.Speed', step: 8, units: ['km/h', 'm/s^2'] }] } }],
    ['units', { values: { steps: [{ path: 'Vehicle.Speed', step: 8, units: ['km/h', 'furlong'] }] } }],
    ['unit', { fields: [{ names: ['v'], path: 'Vehicle.Speed', unit: 'furlong' }] }],
  ])('refuses a wrong %s and names it', (name, change) => {
    expect(() => parseStandard({ ...SMALLEST, ...change })).toThrow(
      expect.objectContaining({ code: 'STANDARD_INVALID', message: expect.stringContaining(name) }),
    );
  });

  it('refuses what is no document', () => {
    for (const value of [null, 1, 'x', []])
      expect(() => parseStandard(value)).toThrow(expect.objectContaining({ code: 'STANDARD_INVALID' }));
  });
});

describe('the rules', () => {
  it('say what they mean and what to do', () => {
    for (const { meaning, action, version } of Object.values(RULES)) {
      expect(meaning.length).toBeGreaterThan(10);
      expect(action.length).toBeGreaterThan(10);
      expect(version).toBeGreaterThan(0);
    }
  });
});
