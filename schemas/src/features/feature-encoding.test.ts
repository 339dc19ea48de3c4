import { describe, expect, it } from 'vitest';
import { compileEncoding, FeatureEncoding } from './feature-encoding.ts';

const encoded = (steps: readonly object[], ...values: number[]): number[] =>
  values.map(compileEncoding(steps.map((step) => FeatureEncoding.parse(step))));
const categories = [
  { label: 'park', code: 0 },
  { label: 'reverse', code: -1 },
  { label: 'drive', code: 4 },
];

describe('encodings', () => {
  it('clip, take the logarithm and standardise', () => {
    expect(encoded([{ kind: 'clip', min: -1, max: 2 }], -5, 0.5, 7)).toEqual([-1, 0.5, 2]);
    expect(encoded([{ kind: 'log', offset: 1 }], 0, Math.E - 1, -1)).toEqual([0, 1, Number.NaN]);
    expect(encoded([{ kind: 'standardise', mean: 10, std: 4 }], 12)).toEqual([0.5]);
  });

  it('number buckets from below, an edge belonging to the bucket above it', () => {
    expect(encoded([{ kind: 'bucketize', edges: [0, 10] }], -1, 0, 9.9, 10, 99)).toEqual([0, 1, 1, 2, 2]);
  });

  it('give one category of an enum', () => {
    const drive = { kind: 'one_hot', categories, category: 'drive', unknown: 'other' };
    expect(encoded([drive], 4, 0, 77)).toEqual([1, 0, 0]);
    expect(encoded([{ ...drive, category: 'other' }], 4, 77)).toEqual([0, 1]);
    expect(encoded([{ ...drive, unknown: 'undefined' }], 4, 77)).toEqual([1, Number.NaN]);
  });

  it('give the position of a category, and one more for all others', () => {
    expect(encoded([{ kind: 'ordinal', categories, unknown: 'other' }], 0, -1, 4, 5)).toEqual([0, 1, 2, 3]);
    expect(encoded([{ kind: 'ordinal', categories, unknown: 'undefined' }], 5)).toEqual([Number.NaN]);
  });

  it('are applied in their order, and what is not defined stays so', () => {
    const steps = [
      { kind: 'log', offset: 0 },
      { kind: 'bucketize', edges: [0, 1] },
    ];
    expect(encoded(steps, 0.5, 2, 9, -3)).toEqual([0, 1, 2, Number.NaN]);
  });

  it.each([
    ['a category that is none', { kind: 'one_hot', categories, category: 'neutral', unknown: 'other' }],
    [
      'two categories of one code',
      { kind: 'ordinal', categories: [...categories, { label: 'p', code: 0 }], unknown: 'other' },
    ],
    ['edges that do not rise', { kind: 'bucketize', edges: [1, 1] }],
    ['a standard deviation of nothing', { kind: 'standardise', mean: 0, std: 0 }],
    ['bounds that are the wrong way round', { kind: 'clip', min: 2, max: 1 }],
  ])('are refused with %s', (_, step) => {
    expect(FeatureEncoding.safeParse(step).success).toBe(false);
  });
});
