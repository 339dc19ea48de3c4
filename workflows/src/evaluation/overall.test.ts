import { describe, expect, it } from 'vitest';
import { measureOverall } from './overall.ts';
import type { Prediction } from './prediction.ts';

const sample = (index: number, label: string, predicted: string, confidence: number): Prediction => ({
  sampleId: `${index}`,
  session: `run-${index % 2}`,
  label,
  predicted,
  confidence,
  attributes: {},
});

describe('measureOverall', () => {
  it('counts accuracy, macro recall and confusion', () => {
    const overall = measureOverall([
      sample(0, 'ICE', 'ICE', 1),
      sample(1, 'SNOW', 'ICE', 1),
      sample(2, 'SNOW', 'SNOW', 1),
      sample(3, 'SNOW', 'SNOW', 1),
    ]);
    expect(overall.accuracy).toBe(0.75);
    expect(overall.macroRecall).toBeCloseTo((1 + 2 / 3) / 2, 12);
    expect(overall.confusion).toEqual({ ICE: { ICE: 1, SNOW: 0 }, SNOW: { ICE: 1, SNOW: 2 } });
    expect(overall).toMatchObject({ count: 4, runs: 2 });
  });

  it('gives no calibration error when confidence equals the share that is right', () => {
    const samples = Array.from({ length: 4 }, (_, index) => sample(index, 'ICE', index < 3 ? 'ICE' : 'SNOW', 0.75));
    expect(measureOverall(samples).calibrationError).toBeCloseTo(0, 12);
  });

  it('gives a calibration error of 1 when all is sure and wrong', () => {
    expect(measureOverall([sample(0, 'ICE', 'SNOW', 1), sample(1, 'SNOW', 'ICE', 1)]).calibrationError).toBeCloseTo(
      1,
      12,
    );
  });

  it('leaves labels that no sample bears out of macro recall', () => {
    expect(measureOverall([sample(0, 'ICE', 'ICE', 1), sample(1, 'ICE', 'SNOW', 1)]).macroRecall).toBe(0.5);
  });
});
