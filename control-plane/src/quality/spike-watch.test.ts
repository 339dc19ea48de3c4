/** Single values far away from both neighbours are found with their place; steps, shocks of a rough ride and noise are none. */
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { SpikeWatch } from './spike-watch.ts';

const PERIOD_NS = 10e6;
const BOUND = { step: 10, perSecond: 20, fromMps: 0 };

function watch(values: readonly number[]): SpikeWatch {
  const spikes = new SpikeWatch(BOUND);
  for (const [index, value] of values.entries()) spikes.push(value, index * PERIOD_NS);
  return spikes;
}

const quiet = Array.from({ length: 200 }, (_, index) => Math.sin(index / 5));
const withValue = (at: number, value: number): readonly number[] =>
  quiet.map((each, index) => (index === at ? value : each));

describe('SpikeWatch', () => {
  it('finds a spike, its place and its neighbours', () => {
    const { count, firstNs, lastNs, highest } = watch(withValue(120, -40));
    expect({ count, firstNs, lastNs }).toEqual({ count: 1, firstNs: 120 * PERIOD_NS, lastNs: 120 * PERIOD_NS });
    expect(highest).toMatchObject({ value: -40, before: quiet[119], after: quiet[121] });
  });

  it('finds none in a step, a peak of two values, a gap, and where the first values are', () => {
    expect(watch(quiet.map((value, index) => (index < 100 ? value : value + 80))).count).toBe(0);
    expect(watch(quiet.map((value, index) => (index === 100 || index === 101 ? 80 : value))).count).toBe(0);
    expect(watch(withValue(120, Number.NaN)).count).toBe(0);
    expect(watch(withValue(5, 80)).count).toBe(0);
  });

  it('finds none in a signal that jumps like that all the time', () => {
    expect(watch(quiet.map((value, index) => value + (index % 2) * 40)).count).toBe(0);
  });

  it('finds none within its bound, whatever the values are', () => {
    fc.assert(
      fc.property(fc.array(evenly(-5, 5), { maxLength: 300 }), (values) => {
        expect(watch(values).count).toBe(0);
      }),
    );
  });
});
