import { describe, expect, it } from 'vitest';
import { firstValue, sampleAt, testSet, vectorsOf } from './feature-test-set.ts';

const wave = (ms: number): number => Math.sin(ms / 90) + Math.sin(ms / 37);
const sampled = (everyMs: number, signal: 'speed' | 'yaw', value: (ms: number) => number) =>
  Array.from({ length: Math.floor(1_000 / everyMs) }, (_, index) =>
    sampleAt(index * everyMs, value(index * everyMs), signal),
  );
const merged = (...lists: readonly (readonly ReturnType<typeof sampleAt>[])[]) =>
  lists.flat().toSorted((left, right) => Number(left.logTimeNs - right.logTimeNs));

describe('a correlation', () => {
  const set = testSet({
    features: [
      { name: 'value', input: 'speed', transform: 'correlation', with: 'yaw', ageMsMax: 50, otherwise: 'missing' },
    ],
  });

  it('meets series of different rates by their newest samples', () => {
    const messages = merged(
      sampled(8, 'yaw', (ms) => 2 * wave(ms)),
      sampled(40, 'speed', (ms) => 5 - wave(ms)),
    );
    expect(firstValue(set, messages)).toBeCloseTo(-1, 9);
  });

  it('is not defined where one side stands still, or too few of its samples are new enough', () => {
    const still = merged(
      sampled(40, 'speed', wave),
      sampled(8, 'yaw', () => 1),
    );
    expect(firstValue(set, still)).toBeNaN();
    const old = [sampleAt(0, 1, 'yaw'), ...sampled(40, 'speed', wave).slice(1)];
    expect(firstValue(set, old)).toBeNaN();
  });
});

describe('a lag', () => {
  it('says by how much the other series follows', () => {
    const feature = {
      name: 'value',
      input: 'speed',
      transform: 'lag',
      with: 'yaw',
      ageMsMax: 30,
      gridMs: 10,
      lagMsMax: 200,
    };
    const set = testSet({ features: [feature] });
    const later = merged(
      sampled(10, 'speed', wave),
      sampled(10, 'yaw', (ms) => 4 * wave(ms - 70)),
    );
    expect(firstValue(set, later)).toBe(70);
    const earlier = merged(
      sampled(10, 'speed', wave),
      sampled(10, 'yaw', (ms) => wave(ms + 120)),
    );
    expect(firstValue(set, earlier)).toBe(-120);
    expect(vectorsOf(set, sampled(10, 'speed', wave))).toEqual([]);
  });
});

describe('a series derived over channels', () => {
  const set = testSet({
    derived: [{ name: 'difference', kind: 'difference', of: ['speed', 'yaw'], ageMsMax: 100 }],
    features: ['count', 'last'].map((transform) => ({ name: transform, input: 'difference', transform })),
  });

  it('has a value at each sample of its first part for which the other is new enough', () => {
    const messages = [sampleAt(0, 10), sampleAt(50, 1, 'yaw'), sampleAt(60, 20), sampleAt(150, 30), sampleAt(151, 40)];
    expect(vectorsOf(set, messages)[0]?.values).toEqual(Float64Array.of(2, 29));
  });

  it('takes a part that was sampled before the window', () => {
    const messages = [sampleAt(500, 1), sampleAt(960, 3, 'yaw'), sampleAt(1_010, 5)];
    expect(vectorsOf(set, messages).map(({ values }) => values)).toEqual([Float64Array.of(1, 2)]);
  });

  it('keeps to the order of arrival between samples of one instant', () => {
    expect(vectorsOf(set, [sampleAt(10, 5), sampleAt(10, 1, 'yaw')])).toEqual([]);
    expect(vectorsOf(set, [sampleAt(10, 1, 'yaw'), sampleAt(10, 5)])).toHaveLength(1);
  });
});
