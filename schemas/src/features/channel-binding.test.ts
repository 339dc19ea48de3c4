import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import { bindChannel, type SeriesBinding, seriesValue } from './channel-binding.ts';
import { type FeatureSet, parseFeatureSet } from './feature-set.ts';

const axis = (name: string) => ({ path: `Vehicle.Acceleration.${name}`, field: name.toLowerCase(), unit: 'm/s^2' });
const channel = (topic: string, ...names: string[]): SignalChannel => ({
  kind: 'signal',
  topic,
  signals: names.map(axis),
});

const featureSet: FeatureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'bound',
  version: 1,
  owner: 'o',
  validator: 'v',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 500 },
  signals: ['Longitudinal', 'Lateral'].map((name) => ({
    name: name.toLowerCase(),
    path: axis(name).path,
    unit: 'm/s^2',
    samplesMin: 1,
  })),
  derived: [{ name: 'norm', kind: 'norm', of: ['longitudinal', 'lateral'] }],
  features: [{ name: 'norm_mean', input: 'norm', transform: 'mean' }],
  tolerance: { absolute: 0, relative: 0 },
  latencyBudgetMs: 1,
});

describe('binding a channel', () => {
  it('finds signals by path, whatever their order in the channel', () => {
    expect(bindChannel(featureSet, channel('/vss/a', 'Vertical', 'Lateral', 'Longitudinal'))).toEqual({
      topic: '/vss/a',
      series: [
        { series: 0, combine: 'value', parts: [2] },
        { series: 1, combine: 'value', parts: [1] },
        { series: 2, combine: 'norm', parts: [2, 1] },
      ],
    });
  });

  it('gives nothing for a channel without a signal of the set', () => {
    expect(bindChannel(featureSet, channel('/vss/a', 'Vertical'))).toBeUndefined();
  });

  it('refuses a norm over signals of two topics', () => {
    expect(() => bindChannel(featureSet, channel('/vss/a', 'Lateral'))).toThrow(/norm needs signals of one message/);
  });

  it('refuses a unit that is not the one of the set', () => {
    const inG = {
      ...channel('/vss/a', 'Longitudinal', 'Lateral'),
      signals: [{ ...axis('Longitudinal'), unit: 'g' }, axis('Lateral')],
    };
    expect(() => bindChannel(featureSet, inG)).toThrow(/wants Vehicle.Acceleration.Longitudinal in "m\/s\^2"/);
  });
});

describe('the value of a series', () => {
  const bound = (combine: SeriesBinding['combine'], ...parts: number[]): SeriesBinding => ({
    series: 0,
    combine,
    parts,
  });

  it('is the sample itself, or what its parts combine to', () => {
    expect(seriesValue(bound('value', 1), Float64Array.of(5, -7))).toBe(-7);
    expect(seriesValue(bound('norm', 0, 1), Float64Array.of(3, 4))).toBe(5);
    expect(seriesValue(bound('ratio', 1, 0), Float64Array.of(4, 3))).toBe(0.75);
    expect(seriesValue(bound('difference', 1, 0), Float64Array.of(4, 3))).toBe(-1);
  });

  it('is missing when a part is missing, infinite or beyond what is measured', () => {
    expect(seriesValue(bound('value', 0), Float64Array.of(Number.POSITIVE_INFINITY))).toBeNaN();
    expect(seriesValue(bound('value', 0), Float64Array.of(-1e101))).toBeNaN();
    expect(seriesValue(bound('norm', 0, 1), Float64Array.of(3, Number.NaN))).toBeNaN();
    expect(seriesValue(bound('norm', 0, 1), Float64Array.of(1e200, 1))).toBeNaN();
    expect(seriesValue(bound('ratio', 0, 1), Float64Array.of(1, 0))).toBeNaN();
    expect(seriesValue(bound('ratio', 0, 1), Float64Array.of(0, 0))).toBeNaN();
    expect(seriesValue(bound('difference', 0, 1), Float64Array.of(1, Number.NaN))).toBeNaN();
  });
});
