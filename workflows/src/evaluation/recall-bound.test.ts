import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recallBound, type RunCount, wilsonLowerBound } from './recall-bound.ts';

const OPTIONS = { quantile: 1.6448536269514722, designEffectMin: 2 };
const anyRuns = fc.array(
  fc
    .integer({ min: 1, max: 200 })
    .chain((windows) => fc.record({ windows: fc.constant(windows), correct: fc.integer({ min: 0, max: windows }) })),
  { minLength: 2, maxLength: 12 },
);

describe('wilsonLowerBound', () => {
  // Two-sided 95 % intervals printed in Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
  it.each([
    [81 / 263, 263, 0.2553],
    [15 / 148, 148, 0.0624],
    [0, 20, 0],
    [1 / 29, 29, 0.0061],
  ])('gives the published lower limit for share %f of %i', (share, count, expected) => {
    expect(wilsonLowerBound(share, count, 1.959963984540054)).toBeCloseTo(expected, 4);
  });
});

describe('recallBound', () => {
  it('counts overlapping windows as half when runs do not differ', () => {
    const bound = recallBound(
      [
        { windows: 20, correct: 16 },
        { windows: 20, correct: 16 },
      ],
      OPTIONS,
    );
    expect(bound).toMatchObject({ value: 0.8, designEffect: 2, effectiveWindows: 20 });
  });

  it('counts a run as about one window when runs are all right or all wrong', () => {
    const bound = recallBound(
      [
        { windows: 50, correct: 50 },
        { windows: 50, correct: 0 },
      ],
      OPTIONS,
    );
    expect(bound.designEffect).toBeCloseTo(100, 9);
    expect(bound.effectiveWindows).toBeCloseTo(1, 9);
  });

  it('has no lower bound for a single run', () => {
    expect(recallBound([{ windows: 50, correct: 50 }], OPTIONS).lowerBound).toBeUndefined();
  });

  it('refuses to measure nothing', () => {
    expect(() => recallBound([], OPTIONS)).toThrow(RangeError);
  });

  it('stays between 0 and the recall', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const { value, lowerBound } = recallBound(runs, OPTIONS);
        expect(lowerBound).toBeGreaterThanOrEqual(0);
        expect(lowerBound).toBeLessThanOrEqual(value);
      }),
    );
  });

  it('does not depend on the order of runs', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const forward = recallBound(runs, OPTIONS).lowerBound ?? Number.NaN;
        expect(recallBound(runs.toReversed(), OPTIONS).lowerBound).toBeCloseTo(forward, 9);
      }),
    );
  });

  it('gains nothing from more windows of the same runs once runs differ', () => {
    fc.assert(
      fc.property(anyRuns, fc.integer({ min: 2, max: 20 }), (runs, factor) => {
        const once = recallBound(runs, OPTIONS);
        fc.pre(once.designEffect > OPTIONS.designEffectMin);
        const many: readonly RunCount[] = runs.map((run) => ({
          windows: run.windows * factor,
          correct: run.correct * factor,
        }));
        expect(recallBound(many, OPTIONS).lowerBound).toBeCloseTo(once.lowerBound ?? Number.NaN, 9);
      }),
    );
  });

  it('falls as confidence rises', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const low = recallBound(runs, { ...OPTIONS, quantile: 1.28 }).lowerBound ?? Number.NaN;
        expect(recallBound(runs, { ...OPTIONS, quantile: 2.33 }).lowerBound).toBeLessThanOrEqual(low);
      }),
    );
  });
});
