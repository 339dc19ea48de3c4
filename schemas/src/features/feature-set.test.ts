import { describe, expect, it } from 'vitest';
import { parseFeatureSet } from './feature-set.ts';
import { testSet } from './feature-test-set.ts';

const mean = { name: 'value', input: 'speed', transform: 'mean' };

describe('a feature set', () => {
  it('keeps its document as it is, so that its digest is that of what was written', () => {
    const set = testSet({ features: [mean] });
    expect(parseFeatureSet(structuredClone(set))).toEqual(set);
    expect(Object.keys(set.features[0] ?? {})).toEqual(['name', 'input', 'transform']);
  });

  it.each([
    ['a percentile without its p', { features: [{ ...mean, transform: 'percentile' }] }, /p/],
    ['a mean with a p', { features: [{ ...mean, p: 0.5 }] }, /"p"/],
    ['a share of missing samples without a rate', { features: [{ ...mean, transform: 'missing_share' }] }, /rateHz/],
    [
      'a correlation with a series that is not there',
      { features: [{ ...mean, transform: 'correlation', with: 'none', ageMsMax: 5 }] },
      /unknown series none/,
    ],
    [
      'a correlation of an aligned series',
      {
        derived: [{ name: 'both', kind: 'ratio', of: ['speed', 'yaw'], ageMsMax: 5 }],
        features: [{ ...mean, transform: 'correlation', with: 'both', ageMsMax: 5 }],
      },
      /aligned already/,
    ],
    [
      'a band of too many frequencies',
      { features: [{ ...mean, transform: 'band_energy', lowHz: 1, highHz: 9_000, stepHz: 0.1 }] },
      /raise stepHz/,
    ],
    [
      'a lag over too many grid points',
      {
        window: { lengthMs: 60_000, hopMs: 60_000 },
        features: [{ ...mean, transform: 'lag', with: 'yaw', ageMsMax: 5, gridMs: 1, lagMsMax: 5 }],
      },
      /raise gridMs/,
    ],
    ['a sample in thousands of windows', { window: { lengthMs: 600_000, hopMs: 10 }, features: [mean] }, /raise hopMs/],
    ['windows of two kinds', { window: { lengthMs: 100, hopMs: 100, gapMs: 10 }, features: [mean] }, /window/],
    ['a window of no kind', { window: { lengthMs: 100 }, features: [mean] }, /lengthMs, hopMs} or {gapMs, lengthMsMax/],
    [
      'a ratio of three',
      { derived: [{ name: 'r', kind: 'ratio', of: ['speed', 'yaw', 'speed'] }], features: [mean] },
      /of two/,
    ],
    ['a feature with the name of a key', { features: [{ ...mean, name: 'window_start_ns' }] }, /cannot name a feature/],
    ['a tolerance without an owner', { features: [{ ...mean, tolerance: { absolute: 1, relative: 0 } }] }, /owner/],
  ])('is refused with %s', (_, changed, message) => {
    expect(() => testSet(changed)).toThrow(
      expect.objectContaining({ code: 'FEATURE_SET_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
