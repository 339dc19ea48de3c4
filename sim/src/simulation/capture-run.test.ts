/** The simulation itself: deterministic, not empty, and able to see a fault. */
import { describe, expect, it } from 'vitest';
import { runCapture } from './capture-run.ts';

const SEEDS = Array.from({ length: 32 }, (_, index) => index + 1);

describe('runCapture', () => {
  it('gives the same outcome for the same seed', async () => {
    for (const seed of SEEDS.slice(0, 5)) expect(await runCapture(seed)).toEqual(await runCapture(seed));
  });

  it('finds nothing lost, doubled or out of order', async () => {
    const outcomes = [];
    for (const seed of SEEDS) outcomes.push(await runCapture(seed));
    expect(
      outcomes.flatMap((outcome) => outcome.problems.map((problem) => `seed ${outcome.seed}: ${problem}`)),
    ).toEqual([]);
    expect(outcomes.reduce((sum, outcome) => sum + outcome.firings, 0)).toBeGreaterThan(100);
    expect(outcomes.filter((outcome) => outcome.events > 1).length).toBeGreaterThan(5);
    for (const kind of ['replayable', 'live', 'power-cut'])
      expect(outcomes.filter((outcome) => outcome.kind === kind && outcome.events > 0).length).toBeGreaterThan(3);
    expect(outcomes.reduce((sum, outcome) => sum + outcome.early, 0)).toBeGreaterThan(50);
  });
});
