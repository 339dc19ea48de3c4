/** Halves of 64-bit integers against arithmetic of BigInt. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelativeTime } from './relative-time.ts';

describe('a moment relative to a base', () => {
  it('is the difference of the two, rounded as a double is, also before 1970 and beyond what is exact', () => {
    const moment = fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n });
    fc.assert(
      fc.property(moment, moment, fc.integer(), (base, far, near) => {
        const relative = new RelativeTime(base);
        expect(relative.of(far)).toBe(Number(far - base));
        expect(relative.of(base + BigInt(near))).toBe(near === 0 ? 0 : near);
      }),
    );
  });
});
