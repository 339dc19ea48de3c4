import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, FRESH_DAY, leftFor, passTime, timeWhileOffMs } from './daily-budget.ts';

const LIMITS = { dailyBytes: 1_000, carryBytes: 300, safetyReserveBytes: 200, normalReserveBytes: 100 };

describe('a budget of a day', () => {
  it('keeps back from bulk and normal what is reserved', () => {
    expect((['safety', 'normal', 'bulk'] as const).map((each) => leftFor(FRESH_DAY, LIMITS, each))).toEqual([
      1_000, 800, 700,
    ]);
    const used = { ...FRESH_DAY, usedBytes: 900 };
    expect((['safety', 'normal', 'bulk'] as const).map((each) => leftFor(used, LIMITS, each))).toEqual([100, 0, 0]);
  });

  it('adds what was left, up to the carry, when the day is over', () => {
    const next = passTime({ ...FRESH_DAY, usedBytes: 800 }, LIMITS, DAY_MS);
    expect(leftFor(next, LIMITS, 'safety')).toBe(1_200);
    expect(leftFor(passTime(FRESH_DAY, LIMITS, 5 * DAY_MS), LIMITS, 'safety')).toBe(1_300);
  });

  it('never lets more through than its bytes per day and one carry, over any time', () => {
    const step = fc.tuple(fc.integer({ min: 0, max: DAY_MS }), fc.integer({ min: 0, max: 600 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
        let budget = FRESH_DAY;
        let sent = 0;
        let elapsedMs = 0;
        for (const [passedMs, wanted] of steps) {
          budget = passTime(budget, LIMITS, passedMs);
          elapsedMs += passedMs;
          const bytes = Math.min(wanted, leftFor(budget, LIMITS, 'safety'));
          budget = { ...budget, usedBytes: budget.usedBytes + bytes };
          sent += bytes;
          expect(sent).toBeLessThanOrEqual(
            (Math.floor(elapsedMs / DAY_MS) + 1) * LIMITS.dailyBytes + LIMITS.carryBytes,
          );
        }
      }),
    );
  });

  it('has no end without a limit', () => {
    expect(leftFor({ ...FRESH_DAY, usedBytes: 1e15 }, { ...LIMITS, dailyBytes: null }, 'bulk')).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});

describe('the time between two runs', () => {
  it('counts each moment of the wall clock once, however it is stepped', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1e12 }), { minLength: 1, maxLength: 50 }), (starts) => {
        let seenMs = 5e11;
        let total = 0;
        for (const nowMs of starts) {
          total += timeWhileOffMs(seenMs, nowMs);
          seenMs = Math.max(seenMs, nowMs);
        }
        expect(total).toBe(seenMs - 5e11);
      }),
    );
  });
});
