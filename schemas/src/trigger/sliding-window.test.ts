/** Sliding windows against the plain computation over all samples, with negatives, bursts, silences and more samples than there is room. */
import fc from 'fast-check';
import { evenly } from '../fixtures/evenly.ts';
import { describe, expect, it } from 'vitest';
import { entriesOf, makeWindow, type WindowDefinition } from './make-window.ts';
import { WINDOW_SPANS } from './sliding-window.ts';

const NS_PER_MS = 1e6;
type Sample = { readonly timeNs: number; readonly value: number };

const steps = (stepMsMax: number, countMax: number): fc.Arbitrary<readonly Sample[]> =>
  fc
    .array(
      fc.record({
        stepMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: stepMsMax })),
        value: fc.oneof(evenly(-1_000, 1_000), fc.integer({ min: -3, max: 3 })),
      }),
      { minLength: 1, maxLength: countMax },
    )
    .map((list) => {
      let timeNs = 0;
      // No -0: as the middle of several zeros it may be either.
      return list.map(({ stepMs, value }) => ({ timeNs: (timeNs += stepMs * NS_PER_MS), value: value + 0 }));
    });

function plain({ statistic, p = 0 }: WindowDefinition, values: readonly number[]): number {
  const count = values.length;
  if (statistic === 'count') return count;
  if (count === 0) return Number.NaN;
  const sorted = values.toSorted((left, right) => left - right);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  switch (statistic) {
    case 'min':
      return sorted[0] as number;
    case 'max':
      return sorted[count - 1] as number;
    case 'range':
      return (sorted[count - 1] as number) - (sorted[0] as number);
    case 'mean':
      return mean;
    case 'std':
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
    case 'percentile':
      return sorted[Math.max(1, Math.ceil((p / 100) * count)) - 1] as number;
    case 'rate':
      return Number.NaN;
  }
}

const DEFINITIONS: readonly WindowDefinition[] = [
  { statistic: 'min', windowMs: 100 },
  { statistic: 'max', windowMs: 100 },
  { statistic: 'range', windowMs: 100 },
  { statistic: 'mean', windowMs: 100 },
  { statistic: 'std', windowMs: 100 },
  { statistic: 'count', windowMs: 100 },
  { statistic: 'percentile', windowMs: 100, p: 50, rateHzMax: 10_000 },
  { statistic: 'percentile', windowMs: 100, p: 95, rateHzMax: 10_000 },
];

describe.each(DEFINITIONS)('$statistic over a sliding window', (definition) => {
  it('is what the samples of the window give, after each sample and at each later moment', () => {
    fc.assert(
      fc.property(steps(60, 200), fc.integer({ min: 0, max: 150 }), (samples, laterMs) => {
        const window = makeWindow(definition);
        const check = (nowNs: number, seen: readonly Sample[]): void => {
          const within = seen.filter(({ timeNs }) => timeNs > nowNs - definition.windowMs * NS_PER_MS);
          const expected = plain(
            definition,
            within.map(({ value }) => value),
          );
          expect(window.contents().samples).toBe(within.length);
          if (definition.statistic === 'mean' || definition.statistic === 'std')
            expect(window.read()).toSatisfy(
              (read: number) => Object.is(read, expected) || Math.abs(read - expected) < 1e-9 * 1_000,
            );
          else expect(window.read()).toBe(expected);
        };
        samples.forEach(({ timeNs, value }, index) => {
          window.push(timeNs, value);
          check(timeNs, samples.slice(0, index + 1));
        });
        const nowNs = (samples.at(-1)?.timeNs ?? 0) + laterMs * NS_PER_MS;
        window.expire(nowNs);
        check(nowNs, samples);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(DEFINITIONS.slice(0, 6))('$statistic over more samples than the window has room for', (definition) => {
  it('is that of a window which reaches back by at most one span more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
        const window = makeWindow(definition);
        const lengthNs = definition.windowMs * NS_PER_MS;
        const samples: Sample[] = [];
        let state = seed;
        for (let index = 0; index < 6_000; index += 1) {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
          const sample = { timeNs: index * 40_000, value: (state / 2 ** 31 - 1) * 50 - 20 };
          samples.push(sample);
          window.push(sample.timeNs, sample.value);
          if (index % 997 !== 0) continue;
          const { samples: held } = window.contents();
          const [least, most] = [lengthNs, lengthNs + lengthNs / WINDOW_SPANS].map(
            (backNs) => samples.filter(({ timeNs }) => timeNs > sample.timeNs - backNs).length,
          ) as [number, number];
          expect(held).toBeGreaterThanOrEqual(least);
          expect(held).toBeLessThanOrEqual(most + 1);
          const values = samples.slice(-held).map(({ value }) => value);
          expect(window.read()).toBeCloseTo(plain(definition, values), 9);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('a sliding window', () => {
  it('forgets a huge value when it has left', () => {
    for (const statistic of ['mean', 'std'] as const) {
      const window = makeWindow({ statistic, windowMs: 10 });
      window.push(0, 1e300);
      for (let index = 1; index <= 20; index += 1) window.push(index * NS_PER_MS, 0.5);
      expect(window.read()).toBe(statistic === 'mean' ? 0.5 : 0);
    }
  });

  it('takes a sample that is late as one of now', () => {
    const window = makeWindow({ statistic: 'max', windowMs: 10 });
    window.push(20 * NS_PER_MS, 1);
    window.push(5 * NS_PER_MS, 7);
    expect(window.read()).toBe(7);
    window.expire(29 * NS_PER_MS);
    expect(window.read()).toBe(7);
    window.expire(30 * NS_PER_MS);
    expect(window.read()).toBeNaN();
  });

  it('keeps the newest samples of a percentile when more come than were declared, and says so', () => {
    const definition = { statistic: 'percentile', windowMs: 1_000, p: 100, rateHzMax: 4 } as const;
    const window = makeWindow(definition);
    expect(entriesOf(definition)).toBe(5);
    for (let index = 0; index < 20; index += 1) window.push(index * NS_PER_MS, -index);
    expect(window.contents().samples).toBe(5);
    expect(window.read()).toBe(-15);
    expect(window.contents().resolutionNs).toBeGreaterThan(0);
  });

  it('is absent below its least number of samples', () => {
    const window = makeWindow({ statistic: 'mean', windowMs: 10, samplesMin: 2 });
    window.push(0, 4);
    expect(window.read()).toBeNaN();
    window.push(1, 6);
    expect(window.read()).toBe(5);
  });
});
