import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { estimateLag, type Series } from './lag-estimate.ts';

/** A drive's speed: a few slow swings, never twice the same. */
const speed = (timeS: number): number =>
  20 + 8 * Math.sin(timeS / 3.1) + 5 * Math.sin(timeS / 1.3 + 1) + 2 * Math.sin(timeS * 2.3 + 2);

function series(rateHz: number, lagS: number, noise: (index: number) => number = () => 0): Series {
  const count = Math.round(30 * rateHz);
  const timesS = Float64Array.from({ length: count }, (_, index) => index / rateHz);
  return { timesS, values: timesS.map((timeS, index) => speed(timeS - lagS) + noise(index)) };
}

const pseudoNoise = (scale: number) => (index: number) =>
  scale * Math.sin(index * 12.9898 + Math.sin(index * 78.233) * 43.7);

describe('estimateLag', () => {
  it('finds the lag of one series behind another within its stated uncertainty', () => {
    fc.assert(
      fc.property(
        evenly(-0.5, 0.5),
        fc.constantFrom([50, 20], [10, 50], [100, 25]),
        evenly(0, 1),
        (lagS, [first = 50, second = 20], noise) => {
          const estimate = estimateLag(series(first, 0), series(second, lagS, pseudoNoise(noise)));
          expect(estimate).toBeDefined();
          if (estimate === undefined) return;
          expect(Math.abs(estimate.lagS - lagS)).toBeLessThanOrEqual(3 * estimate.uncertaintyS);
          expect(estimate.uncertaintyS).toBeLessThan(0.1);
        },
      ),
    );
  });

  it('does not care about factor and offset between the two', () => {
    const second = series(50, 0.2);
    const scaled = { ...second, values: second.values.map((value) => 3.6 * value - 7) };
    expect(estimateLag(series(50, 0), scaled)?.lagS).toBeCloseTo(0.2, 2);
  });

  it('says nothing of series that do not move, do not overlap, or are not alike', () => {
    const flat = { ...series(50, 0), values: new Float64Array(1_500).fill(4) };
    const later = { ...series(50, 0), timesS: series(50, 0).timesS.map((timeS) => timeS + 100) };
    const other = {
      ...series(50, 0),
      values: Float64Array.from({ length: 1_500 }, (_, index) => pseudoNoise(1)(index)),
    };
    const empty = { timesS: new Float64Array(0), values: new Float64Array(0) };
    for (const second of [flat, later, other, empty]) expect(estimateLag(series(50, 0), second)).toBeUndefined();
  });
});
