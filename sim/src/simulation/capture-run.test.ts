/** The simulation itself: deterministic, not empty, and able to see a fault. */
import { describe, expect, it } from 'vitest';
import { runCapture } from './capture-run.ts';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

describe('runCapture', () => {
  it('gives the same outcome for the same seed', () => {
    for (const seed of SEEDS.slice(0, 5)) expect(runCapture(seed)).toEqual(runCapture(seed));
  });

  it('finds nothing lost, doubled or out of order', () => {
    expect(SEEDS.flatMap((seed) => runCapture(seed).problems)).toEqual([]);
  });

  it('exercises triggers and events', () => {
    const outcomes = SEEDS.map(runCapture);
    expect(outcomes.reduce((sum, outcome) => sum + outcome.firings, 0)).toBeGreaterThan(100);
    expect(outcomes.filter((outcome) => outcome.events > 1).length).toBeGreaterThan(5);
  });
});
