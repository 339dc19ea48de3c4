import { describe, expect, it } from 'vitest';
import { BASE_NS, sampleAt, testSet, vectorsOf } from './feature-test-set.ts';
import { createStreamingEvaluator } from './streaming-evaluator.ts';

const features = ['count', 'last'].map((transform) => ({ name: transform, input: 'speed', transform }));
const ranges = (...parameters: Parameters<typeof vectorsOf>): number[][] =>
  vectorsOf(...parameters).map(({ windowStartNs, windowEndNs, values }) => [
    Number(windowStartNs - BASE_NS) / 1e6,
    Number(windowEndNs - BASE_NS) / 1e6,
    ...values,
  ]);

describe('lateness', () => {
  const set = testSet({ features, window: { lengthMs: 1_000, hopMs: 1_000, latenessMs: 200 } });

  it('takes a late sample into its window, at its place in time', () => {
    const messages = [sampleAt(100, 1), sampleAt(990, 2), sampleAt(1_150, 9), sampleAt(995, 3), sampleAt(500, 4)];
    expect(ranges(set, messages)).toEqual([
      [0, 1_000, 4, 3],
      [1_000, 2_000, 1, 9],
    ]);
  });

  it('closes a window when its bound has passed, and counts what comes after', () => {
    const evaluator = createStreamingEvaluator(set);
    evaluator.push(sampleAt(100, 1));
    expect(evaluator.push(sampleAt(1_199, 1))).toHaveLength(0);
    expect(evaluator.push(sampleAt(1_200, 1))).toHaveLength(1);
    evaluator.push(sampleAt(999, 1));
    expect(evaluator.lateSamples).toBe(1);
  });
});

describe('session windows', () => {
  const set = testSet({ features, window: { gapMs: 300, lengthMsMax: 1_000, latenessMs: 100 } });

  it('run from silence to silence and end with their last sample', () => {
    const messages = [sampleAt(10, 1), sampleAt(300, 2), sampleAt(600, 3), sampleAt(901, 4), sampleAt(950, 5)];
    expect(ranges(set, messages)).toEqual([
      [10, 600.000001, 3, 3],
      [901, 950.000001, 2, 5],
    ]);
  });

  it('are joined by a late sample in the silence between them', () => {
    const messages = [sampleAt(0, 1), sampleAt(400, 2), sampleAt(300, 3)];
    expect(ranges(set, messages)).toEqual([[0, 400.000001, 3, 2]]);
  });

  it('are cut where they get too long', () => {
    const messages = Array.from({ length: 13 }, (_, index) => sampleAt(index * 200, index));
    expect(ranges(set, messages)).toEqual([
      [0, 800.000001, 5, 4],
      [1_000, 1_800.000001, 5, 9],
      [2_000, 2_400.000001, 3, 12],
    ]);
  });

  it('close as soon as nothing can join them any more', () => {
    const evaluator = createStreamingEvaluator(set);
    evaluator.push(sampleAt(0, 1));
    expect(evaluator.push(sampleAt(400, 2, 'yaw'))).toHaveLength(0);
    expect(evaluator.push(sampleAt(401, 2, 'yaw'))).toHaveLength(1);
  });
});
