import { describe, expect, it } from 'vitest';
import { firstValue, sampleAt, testSet, vectorsOf } from './feature-test-set.ts';

const of = (feature: object, rules = {}): ReturnType<typeof testSet> =>
  testSet({ features: [{ name: 'value', input: 'speed', ...feature }], rules });
const ramp = [0, 100, 250, 400, 900].map((ms) => sampleAt(ms, 3 + ms / 500));

describe('transforms over time', () => {
  it('give the slope and the rate of a straight line, per second, whatever the spacing of its samples', () => {
    expect(firstValue(of({ transform: 'slope' }), ramp)).toBeCloseTo(2, 12);
    expect(firstValue(of({ transform: 'rate_of_change' }), ramp)).toBeCloseTo(2, 12);
  });

  it('give no slope of samples with one stamp, and exactly none of a constant', () => {
    const slope = of({ transform: 'slope', otherwise: 'missing' });
    expect(firstValue(slope, [sampleAt(5, 1), sampleAt(5, 2)])).toBeNaN();
    expect(
      firstValue(
        slope,
        [0.1, 0.1, 0.1].map((value, index) => sampleAt(index * 7, value)),
      ),
    ).toBe(0);
  });

  it('interpolate a percentile between the two samples around it', () => {
    const messages = [5, 1, 4, 2, 3].map((value, index) => sampleAt(index, value));
    const at = (p: number) => firstValue(of({ transform: 'percentile', p }), messages);
    expect([at(0), at(0.5), at(1)]).toEqual([1, 3, 5]);
    expect(at(0.9)).toBeCloseTo(4.6, 12);
  });

  it('count as missing what the rate of the signal promised, and never less than nothing', () => {
    const share = of({ transform: 'missing_share' }, { speed: { rateHz: 10 } });
    expect(firstValue(share, ramp)).toBe(0.5);
    expect(
      firstValue(
        share,
        Array.from({ length: 30 }, (_, index) => sampleAt(index, 0)),
      ),
    ).toBe(0);
    expect(vectorsOf(share, [sampleAt(0, 1, 'yaw')])[0]?.values[0]).toBe(1);
  });
});

describe('band energy', () => {
  const band = (lowHz: number, highHz: number) => of({ transform: 'band_energy', lowHz, highHz, stepHz: 1 });
  const sine = (hz: number) =>
    Array.from({ length: 200 }, (_, index) =>
      sampleAt(index * 5, 7 + 3 * Math.sin((2 * Math.PI * hz * index * 5) / 1_000)),
    );

  it('is half the square of the amplitude of a sine inside the band', () => {
    expect(firstValue(band(8, 16), sine(12))).toBeCloseTo(4.5, 6);
  });

  it('is next to nothing for a sine far from the band', () => {
    expect(firstValue(band(30, 40), sine(12))).toBeLessThan(1e-6);
  });

  it('finds the sine also where a third of its samples is missing', () => {
    const irregular = sine(12).filter((_, index) => index % 3 !== 1);
    expect(firstValue(band(8, 16), irregular)).toBeGreaterThan(3);
    expect(firstValue(band(30, 40), irregular)).toBeLessThan(0.5);
  });

  it('is nothing for a constant, and not defined for one sample', () => {
    const constant = Array.from({ length: 50 }, (_, index) => sampleAt(index * 10, 0.1));
    expect(firstValue(band(1, 20), constant)).toBe(0);
    expect(vectorsOf(band(1, 20), [sampleAt(0, 1)])).toEqual([]);
  });
});
