/** Statistics of one signal, taken block by block, against what a look at all samples at once says. */
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { DISTINCT_MAX } from './distinct-values.ts';
import { SampleBlock } from './sample-block.ts';
import { SignalStatistics } from './signal-statistics.ts';

const PERIOD_NS = 1_000_000;
const WIDTH = 3;
/** Few values, so that they repeat; both zeros, and what is no number. */
const sample = fc.oneof(
  fc.constantFrom(0, -0, 1, 1.25, 2, -3, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  evenly(-1_000_000_000, 1_000_000_000),
);
const samples = fc.oneof({ maxDepth: 1 }, fc.array(sample, { maxLength: 700 }), fc.array(fc.constantFrom(5, 6)));

/** The values stand in the middle column of a topic with neighbours. */
function statisticsOf(values: readonly number[], blockEnds: (row: number) => boolean = () => false): SignalStatistics {
  const statistics = new SignalStatistics();
  const block = new SampleBlock(WIDTH);
  const take = (): void => {
    statistics.take(block, 1);
    block.rows = 0;
  };
  for (const [row, value] of values.entries()) {
    block.add(Float64Array.of(row, value, Number.NaN), row * PERIOD_NS);
    if (block.isFull || blockEnds(row)) take();
  }
  take();
  statistics.finish(Math.max(0, values.length - 1) * PERIOD_NS);
  return statistics;
}

type Run = { readonly value: number; readonly samples: number };

/** Equal values in a row among those that are finite. */
function runsOf(finite: readonly number[]): readonly Run[] {
  const runs: { value: number; samples: number }[] = [];
  for (const value of finite) {
    const last = runs.at(-1);
    if (last !== undefined && last.value === value) last.samples += 1;
    else runs.push({ value, samples: 1 });
  }
  return runs;
}

describe('SignalStatistics', () => {
  it('counts, averages and finds the ends of the range as a look at all samples does', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const statistics = statisticsOf(values);
        const finite = values.filter((value) => Number.isFinite(value));
        expect(statistics.messages).toBe(values.length);
        expect(statistics.count).toBe(finite.length);
        expect(statistics.infinite).toBe(values.filter((value) => Math.abs(value) === Number.POSITIVE_INFINITY).length);
        if (finite.length === 0) return;
        const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
        const spread = Math.max(...finite.map((value) => Math.abs(value)), 1);
        expect(Math.abs(statistics.mean - mean)).toBeLessThan(1e-9 * spread);
        expect(statistics.high.value + 0).toBe(Math.max(...finite) + 0);
        expect(statistics.low.value + 0).toBe(Math.min(...finite) + 0);
      }),
    );
  });

  it('follows runs, changes and the rows of samples at an end', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const statistics = statisticsOf(values);
        const runs = runsOf(values.filter((value) => Number.isFinite(value)));
        expect(statistics.changes).toBe(Math.max(0, runs.length - 1));
        const longest = Math.max(0, ...runs.map((run) => run.samples));
        if (longest > 1) expect(statistics.runs[0]?.samples).toBe(longest);
        const atTop = runs.filter(({ value }) => value === statistics.high.value);
        expect(statistics.high.count).toBe(atTop.reduce((sum, run) => sum + run.samples, 0));
        const inRuns = atTop.filter((run) => run.samples >= 3).reduce((sum, run) => sum + run.samples, 0);
        expect(statistics.high.inRuns).toBe(inRuns);
      }),
    );
  });

  it('says the same however its samples are cut into blocks', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 40 }), (values, every) => {
        const cut = statisticsOf(values, (row) => row % every === 0);
        const whole = statisticsOf(values);
        expect(cut).toEqual(whole);
        expect([cut.deviation, cut.distinct, cut.step]).toEqual([whole.deviation, whole.distinct, whole.step]);
      }),
    );
  });

  it('tells different values apart up to a limit', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 4_000 }), (values) => {
        const different = new Set(values).size;
        expect(statisticsOf(values).distinct).toBe(different > DISTINCT_MAX ? undefined : different);
      }),
      { numRuns: 30 },
    );
    const grid = Array.from({ length: DISTINCT_MAX }, (_, index) => index / 4);
    expect(statisticsOf(grid)).toMatchObject({ distinct: DISTINCT_MAX, step: 0.25 });
    expect(statisticsOf([...grid, -1]).distinct).toBeUndefined();
  });
});
