/** File names choose sessions and labels, so a name that only nearly fits must not be taken. */
import { describe, expect, it } from 'vitest';
import { fillTemplate, matchTemplate } from './name-template.ts';

describe('matchTemplate', () => {
  it('reads words out of a name', () => {
    expect(matchTemplate('imu_{run}.csv', 'imu_03.csv')).toEqual({ run: '03' });
    expect(matchTemplate('{a}-{b}', 'x-y')).toEqual({ a: 'x', b: 'y' });
    expect(matchTemplate('first_40s', 'first_40s')).toEqual({});
  });

  it.each(['imu_03xcsv', 'imu_.csv', 'ximu_03.csv', 'imu_03.csv.zst', 'imu_a/b.csv'])('refuses %s', (name) => {
    expect(matchTemplate('imu_{run}.csv', name)).toBeUndefined();
  });
});

describe('fillTemplate', () => {
  it('fills words in and refuses unknown ones', () => {
    expect(fillTemplate('borealtc/{folder}/{run}', { folder: 'ICE', run: '03' })).toBe('borealtc/ICE/03');
    expect(() => fillTemplate('{drive}', { run: '03' })).toThrow(expect.objectContaining({ code: 'MAPPING_INVALID' }));
  });
});
