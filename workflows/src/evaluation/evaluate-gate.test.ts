import { FleetError } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateGate, type GateInput } from './evaluate-gate.ts';
import { parseGatePolicy, type GatePolicy } from './policy.ts';
import type { Prediction } from './prediction.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const LABELS = ['ICE', 'SNOW'];

const slice = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  label: name,
  required: true,
  threshold: 0.5,
  windowsMin: 10,
  runsMin: 2,
  reason: 'for the test',
  ...more,
});

function policyOf(...slices: readonly object[]): GatePolicy {
  return parseGatePolicy({
    kind: 'gate-policy',
    name: 'terrain',
    version: 1,
    owner: 'safety',
    date: '2026-01-01',
    metric: 'recall',
    bound: { method: 'wilson-clustered', confidence: 0.95, designEffectMin: 2 },
    assumption: 'runs are independent',
    slices,
  });
}

/** `runs` runs of 20 windows of `label`, `correct` of each run right. */
function windows(
  label: string,
  runs: number,
  correct: number,
  attributes: Record<string, string> = { hardwareRevision: 'A' },
): Prediction[] {
  return Array.from({ length: runs * 20 }, (_, index) => ({
    sampleId: `${label}-${JSON.stringify(attributes)}-${index}`,
    session: `${label}-${attributes['hardwareRevision']}-${Math.floor(index / 20)}`,
    label,
    predicted: index % 20 < correct ? label : (LABELS[(LABELS.indexOf(label) + 1) % 2] ?? label),
    confidence: 0.9,
    attributes,
  }));
}

const judge = (policy: GatePolicy, predictions: readonly Prediction[], more: Partial<GateInput> = {}) =>
  evaluateGate({ policy, predictions, labels: LABELS, datasetDigest: DIGEST, modelDigest: DIGEST, ...more });

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return FleetError.from(error).code;
  }
  return 'none';
}

describe('evaluateGate', () => {
  const both = policyOf(slice('ICE'), slice('SNOW'));

  it('passes when every required slice shows its recall and names the slice with the least margin', () => {
    const result = judge(both, [...windows('ICE', 3, 16), ...windows('SNOW', 3, 20)]);
    expect(result).toMatchObject({ verdict: 'passed', decidedBy: 'ICE', assumption: 'runs are independent' });
    expect(result.slices.map(({ value, count, runs }) => ({ value, count, runs }))).toEqual([
      { value: 0.8, count: 60, runs: 3 },
      { value: 1, count: 60, runs: 3 },
    ]);
  });

  it('fails on one slice though overall accuracy is high', () => {
    const result = judge(both, [...windows('ICE', 2, 1), ...windows('SNOW', 40, 20)]);
    expect(result).toMatchObject({ verdict: 'failed', decidedBy: 'ICE' });
    expect(result.overall.accuracy).toBeGreaterThan(0.95);
  });

  it('fails when the recall is above the threshold but its lower bound is not', () => {
    const result = judge(both, [...windows('ICE', 2, 12), ...windows('SNOW', 3, 20)]);
    expect(result.slices[0]).toMatchObject({ value: 0.6, verdict: 'failed' });
  });

  it('fails on a missing slice', () => {
    const result = judge(both, windows('SNOW', 3, 20));
    expect(result).toMatchObject({ verdict: 'failed', decidedBy: 'ICE' });
    expect(result.slices[0]).toMatchObject({ count: 0, value: null, lowerBound: null });
    expect(result.slices[0]?.reason).toContain('missing');
  });

  it('fails on a slice below its least number of windows or runs', () => {
    const tooFewWindows = judge(policyOf(slice('ICE', { windowsMin: 61 })), windows('ICE', 3, 20));
    const tooFewRuns = judge(policyOf(slice('ICE', { runsMin: 4 })), windows('ICE', 3, 20));
    expect([tooFewWindows.verdict, tooFewRuns.verdict]).toEqual(['failed', 'failed']);
  });

  it('is inconclusive when a single run is all there is', () => {
    expect(judge(policyOf(slice('ICE', { runsMin: 1 })), windows('ICE', 1, 20)).verdict).toBe('inconclusive');
  });

  it('shows a slice that is not required without deciding on it', () => {
    const result = judge(policyOf(slice('ICE', { required: false }), slice('SNOW')), [
      ...windows('ICE', 3, 0),
      ...windows('SNOW', 3, 20),
    ]);
    expect(result).toMatchObject({ verdict: 'passed', decidedBy: 'SNOW' });
    expect(result.slices[0]?.verdict).toBe('failed');
  });

  it('measures a slice only on the samples of its condition', () => {
    const policy = policyOf(
      slice('ICE', { where: 'hardwareRevision == "A"' }),
      slice('B', { label: 'ICE', where: 'hardwareRevision == "B"' }),
    );
    const result = judge(policy, [...windows('ICE', 3, 20), ...windows('ICE', 3, 0, { hardwareRevision: 'B' })]);
    expect(result.slices.map(({ value }) => value)).toEqual([1, 0]);
    expect(result).toMatchObject({ verdict: 'failed', decidedBy: 'B' });
  });

  it('refuses a slice on an attribute that no sample has', () => {
    const policy = policyOf(slice('ICE', { where: 'weather == "rain"' }));
    expect(codeOf(() => judge(policy, windows('ICE', 3, 20)))).toBe('EVALUATION_SLICE_UNKNOWN');
  });

  it('refuses a slice on a label that the model does not know', () => {
    const policy = policyOf(slice('ICE', { label: 'MUD' }));
    expect(codeOf(() => judge(policy, windows('ICE', 3, 20)))).toBe('EVALUATION_SLICE_UNKNOWN');
  });

  it('refuses a condition that does not parse', () => {
    const policy = policyOf(slice('ICE', { where: 'hardwareRevision ==' }));
    expect(codeOf(() => judge(policy, windows('ICE', 3, 20)))).toBe('EVALUATION_POLICY_INVALID');
  });

  it('gives the verdict error when a condition fails on a sample', () => {
    const policy = policyOf(slice('ICE', { where: 'int(hardwareRevision) > 1' }));
    expect(judge(policy, windows('ICE', 3, 20)).verdict).toBe('error');
  });

  it.each([{ datasetDigest: '' }, { modelDigest: 'sha256:12' }])('refuses metrics without digests %o', (more) => {
    expect(codeOf(() => judge(both, windows('ICE', 3, 20), more))).toBe('EVALUATION_DIGEST_MISSING');
  });

  it.each<[string, (good: Prediction) => readonly Prediction[]]>([
    ['none', () => []],
    ['a sample twice', (good) => [good, good]],
    ['a confidence that is not a number', (good) => [{ ...good, confidence: Number.NaN }]],
    ['a confidence above 1', (good) => [{ ...good, confidence: 1.5 }]],
    ['a label the model does not know', (good) => [{ ...good, predicted: 'MUD' }]],
    ['a sample without session', (good) => [{ ...good, session: '' }]],
    [
      'a sample without an attribute that others have',
      (good) => [good, { ...good, sampleId: 'other', attributes: {} }],
    ],
  ])('refuses predictions: %s', (_, make) => {
    expect(codeOf(() => judge(both, windows('ICE', 1, 20).slice(0, 1).flatMap(make)))).toBe(
      'EVALUATION_PREDICTIONS_INVALID',
    );
  });

  it('never changes its verdict with the order of samples', () => {
    const samples = [...windows('ICE', 3, 14), ...windows('SNOW', 3, 17)];
    const expected = judge(both, samples).slices;
    fc.assert(
      fc.property(fc.shuffledSubarray(samples, { minLength: samples.length }), (shuffled) => {
        expect(judge(both, shuffled).slices).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it('lowers the bound when every run has one window less right', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 2, max: 5 }), (correct, runs) => {
        const better = judge(policyOf(slice('ICE')), windows('ICE', runs, correct)).slices[0]?.lowerBound ?? 0;
        const worse = judge(policyOf(slice('ICE')), windows('ICE', runs, correct - 1)).slices[0]?.lowerBound ?? 0;
        expect(worse).toBeLessThanOrEqual(better);
      }),
    );
  });
});
