import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { differenceBounds, mixDistance, normalQuantile, shareBounds } from './share-bounds.ts';

/** Two-sided 95 % intervals of Newcombe 1998, table II, case (a): 56/70 and 48/80, method 10. */
const NEWCOMBE = { left: { hits: 56, of: 70 }, right: { hits: 48, of: 80 }, lower: 0.0524, upper: 0.3339 };

describe('normalQuantile', () => {
  it.each([
    [0.5, 0],
    [0.05, 1.6448536269514722],
    [0.025, 1.959963984540054],
    [0.01, 2.3263478740408408],
    [0.0001, 3.719016485455709],
  ])('is right for an upper tail of %d', (chance, quantile) => {
    expect(normalQuantile(chance)).toBeCloseTo(quantile, 9);
  });
});

describe('shareBounds', () => {
  it('agrees with a published Wilson interval', () => {
    const { lower, upper } = shareBounds({ hits: 81, of: 263 }, 1.959963984540054);
    expect([lower, upper]).toEqual([expect.closeTo(0.2553, 4), expect.closeTo(0.3662, 4)]);
  });

  it('always holds the share between its bounds, and knows nothing of nothing', () => {
    expect(shareBounds({ hits: 0, of: 0 }, 2)).toEqual({ value: 0, lower: 0, upper: 1 });
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), evenly(0.5, 5), (hits, misses, quantile) => {
        fc.pre(hits + misses > 0);
        const { value, lower, upper } = shareBounds({ hits, of: hits + misses }, quantile);
        expect(lower >= 0 && lower <= value && value <= upper && upper <= 1).toBe(true);
      }),
    );
  });
});

describe('differenceBounds', () => {
  it('agrees with a published interval', () => {
    const bounds = differenceBounds(NEWCOMBE.left, NEWCOMBE.right, 1.959963984540054);
    expect(bounds).toMatchObject({
      lower: expect.closeTo(NEWCOMBE.lower, 4),
      upper: expect.closeTo(NEWCOMBE.upper, 4),
    });
  });
});

describe('mixDistance', () => {
  const options = { designEffect: 1, chance: 0.01 };

  it('is 0 for equal mixes and 1 for mixes without a common output', () => {
    expect(mixDistance({ a: 50, b: 50 }, { a: 5, b: 5 }, options).value).toBe(0);
    expect(mixDistance({ a: 50 }, { b: 50 }, options)).toMatchObject({ value: 1, upper: 1 });
  });

  it('knows nothing when a side is empty', () => {
    expect(mixDistance({}, { a: 1 }, options)).toEqual({ value: 0, lower: 0, upper: 1 });
  });

  it('keeps its lower bound below a true distance of 0 far more often than the chance allows', () => {
    let exceeded = 0;
    let state = 42;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const draw = (): Record<string, number> => {
      const mix: Record<string, number> = {};
      for (let index = 0; index < 60; index += 1) {
        const output = `o${Math.floor(random() * 5)}`;
        mix[output] = (mix[output] ?? 0) + 1;
      }
      return mix;
    };
    for (let trial = 0; trial < 2_000; trial += 1) if (mixDistance(draw(), draw(), options).lower > 0) exceeded += 1;
    expect(exceeded / 2_000).toBeLessThanOrEqual(0.01);
  });
});
