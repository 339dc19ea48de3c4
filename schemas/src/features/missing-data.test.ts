import { describe, expect, it } from 'vitest';
import { sampleAt, testSet, vectorsOf } from './feature-test-set.ts';

const values = (...parameters: Parameters<typeof vectorsOf>): number[][] =>
  vectorsOf(...parameters).map((vector) => Array.from(vector.values));
const features = ['mean', 'count', 'last'].map((transform) => ({
  name: transform,
  input: 'speed',
  transform,
  otherwise: 'missing',
}));

describe('missing data', () => {
  it('holds the newest sample before a window, up to its bound, at the start of the window', () => {
    const set = testSet({ features, rules: { speed: { fill: { kind: 'hold', ageMsMax: 1_500 } } } });
    const messages = [sampleAt(900, 8), sampleAt(1_500, 1, 'yaw'), sampleAt(2_500, 2), sampleAt(5_500, 3)];
    expect(values(set, messages)).toEqual([
      [8, 1, 8],
      [8, 1, 8],
      [5, 2, 2],
      [3, 1, 3],
    ]);
  });

  it('lets a constant stand in for too few samples of one signal, and nothing else', () => {
    const set = testSet({
      features: [...features, { name: 'other', input: 'yaw', transform: 'count' }],
      rules: { speed: { samplesMin: 2, fill: { kind: 'constant', value: -1 } } },
    });
    expect(values(set, [sampleAt(0, 5), sampleAt(10, 1, 'yaw')])).toEqual([[-1, 1, -1, 1]]);
    expect(values(set, [sampleAt(0, 5), sampleAt(1, 7), sampleAt(10, 1, 'yaw')])).toEqual([[6, 2, 7, 1]]);
  });

  it('drops a window with a feature that is not defined, unless the feature says what is to stand there', () => {
    const slope = { name: 'slope', input: 'speed', transform: 'slope' };
    const messages = [sampleAt(0, 5)];
    expect(values(testSet({ features: [slope] }), messages)).toEqual([]);
    expect(values(testSet({ features: [{ ...slope, otherwise: -9 }] }), messages)).toEqual([[-9]]);
    expect(values(testSet({ features: [{ ...slope, otherwise: 'missing' }] }), messages)).toEqual([[Number.NaN]]);
  });

  it('gives no window without a sample, however much may be held or filled', () => {
    const set = testSet({ features, rules: { speed: { samplesMin: 1, fill: { kind: 'constant', value: 1 } } } });
    expect(vectorsOf(set, [sampleAt(0, 1), sampleAt(60_000, 1)])).toHaveLength(2);
  });
});
