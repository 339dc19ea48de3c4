import { type BundleManifest, FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import type { FeatureVector } from '@fleetloop/schemas/features';
import type { ModelSession } from './model-session.ts';
import { RunningModel } from './running-model.ts';
import { trainingDistance } from './training-distance.ts';

const trainingDistribution = { mean: [0, 10], std: [1, 2], distanceP50: 1, distanceP99: 4 };
const manifest = {
  labels: ['CALM', 'ROUGH'],
  latencyBudgetMs: 5,
  trainingDistribution,
  featureSet: { window: { lengthMs: 10, hopMs: 10 }, signals: [], derived: [], features: [] },
} as unknown as BundleManifest;
const window: FeatureVector = { windowStartNs: 0n, windowEndNs: 10n, values: Float64Array.of(1, 14) };

/** A session that answers from a script, on a clock that the script moves. */
function scripted(
  steps: readonly { readonly probabilities?: readonly number[]; readonly tookMs: number }[],
): RunningModel {
  let nowMs = 0;
  let index = 0;
  const session: ModelSession = {
    run: async () => {
      const step = steps[index];
      index += 1;
      nowMs += step?.tookMs ?? 0;
      if (step?.probabilities === undefined) throw new FleetError('INFER_FAILED', 'the model does not run');
      return Float32Array.from(step.probabilities);
    },
    close: async () => {},
  };
  return new RunningModel({ bundle: 'b', variant: 'fp32', manifest, session, now: () => nowMs });
}

describe('a running model', () => {
  it('gives the label with the highest probability, its latency and its distance from training', async () => {
    const output = await scripted([{ probabilities: [0.25, 0.75], tookMs: 2 }]).infer(window);
    expect(output).toMatchObject({
      output: 'ROUGH',
      confidence: 0.75,
      latencyUs: 2_000,
      distance: 2.5,
      isFallback: false,
      outcome: 'valid',
    });
  });

  it('repeats the last valid output, flagged, when a deadline is missed or a run fails', async () => {
    const model = scripted([
      { probabilities: [0.75, 0.25], tookMs: 1 },
      { probabilities: [0, 1], tookMs: 6 },
      { tookMs: 1 },
    ]);
    await model.infer(window);
    expect(await model.infer(window)).toMatchObject({
      output: 'CALM',
      confidence: 0.75,
      isFallback: true,
      outcome: 'deadline-miss',
    });
    expect(await model.infer(window)).toMatchObject({
      output: 'CALM',
      confidence: 0.75,
      isFallback: true,
      outcome: 'failure',
    });
  });

  it('has no output to repeat before the first valid one', async () => {
    expect(await scripted([{ tookMs: 1 }]).infer(window)).toMatchObject({
      output: '',
      confidence: 0,
      isFallback: true,
    });
  });
});

describe('the distance from training', () => {
  it('is the mean squared z-score', () => {
    expect(trainingDistance([0, 10], trainingDistribution)).toBe(0);
    expect(trainingDistance([3, 10], trainingDistribution)).toBe(4.5);
  });
});
