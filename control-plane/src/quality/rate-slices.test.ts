/** The slices of a topic hold every message but those of the first and the last one, at any length of the recording. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateSlices } from './rate-slices.ts';

function slicesOf(timesNs: readonly number[]): RateSlices['slices'] {
  const rates = new RateSlices();
  for (const timeNs of timesNs) rates.push(timeNs);
  return rates.slices;
}

describe('RateSlices', () => {
  it('shows where a rate halves', () => {
    const times = Array.from({ length: 300 }, (_, index) =>
      index < 200 ? index * 0.1e9 : 20e9 + (index - 200) * 0.2e9,
    );
    const slices = slicesOf(times);
    expect(slices.filter(({ toNs }) => toNs <= 20e9).map(({ count }) => count)).toEqual(
      Array.from({ length: 19 }, () => 10),
    );
    expect(slices.filter(({ fromNs }) => fromNs >= 20e9).every(({ count }) => count === 5)).toBe(true);
  });

  it('counts what lies in each slice, however long the recording and its silences are', () => {
    const steps = fc.array(
      fc.nat(40_000).map((milliseconds) => milliseconds * 1e6),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (gaps) => {
        let now = 0;
        const times = gaps.map((gap) => (now += gap));
        const slices = slicesOf(times);
        expect(slices.length).toBeLessThan(64);
        for (const { fromNs, toNs, count } of slices)
          expect(count).toBe(times.filter((time) => time >= fromNs && time < toNs).length);
      }),
    );
  });
});
