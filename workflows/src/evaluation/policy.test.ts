import { FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { parseGatePolicy } from './policy.ts';
import { addRegression, lostRegressions } from './regression.ts';

const SLICE = {
  name: 'ICE',
  label: 'ICE',
  required: true,
  threshold: 0.5,
  windowsMin: 10,
  runsMin: 2,
  reason: 'for the test',
};
const POLICY = {
  kind: 'gate-policy',
  name: 'terrain',
  version: 1,
  owner: 'safety',
  date: '2026-01-01',
  metric: 'recall',
  bound: { method: 'wilson-clustered', confidence: 0.95, designEffectMin: 2 },
  assumption: 'runs are independent',
  slices: [SLICE, { ...SLICE, name: 'SNOW', label: 'SNOW', required: false }],
};
const REGRESSION = { anomaly: 'anomaly-1', name: 'revision-b', where: 'hardwareRevision == "B"', date: '2026-01-02' };

const refusal = (document: unknown): string => {
  try {
    parseGatePolicy(document);
  } catch (error) {
    return FleetError.from(error).code;
  }
  return 'none';
};

describe('parseGatePolicy', () => {
  it('reads a policy', () => expect(refusal(POLICY)).toBe('none'));

  it.each<[string, unknown]>([
    ['not an object', 'x'],
    ['an unknown key', { ...POLICY, extra: 1 }],
    ['no slices', { ...POLICY, slices: [] }],
    ['a slice twice', { ...POLICY, slices: [SLICE, SLICE] }],
    ['no required slice', { ...POLICY, slices: [{ ...SLICE, required: false }] }],
    ['a threshold above 1', { ...POLICY, slices: [{ ...SLICE, threshold: 1.1 }] }],
    ['a threshold that is not a number', { ...POLICY, slices: [{ ...SLICE, threshold: Number.NaN }] }],
    ['a confidence without a quantile', { ...POLICY, bound: { ...POLICY.bound, confidence: 0.5 } }],
    ['a design effect that makes windows worth more', { ...POLICY, bound: { ...POLICY.bound, designEffectMin: 0.5 } }],
    ['no assumption', { ...POLICY, assumption: '' }],
  ])('refuses %s', (_, document) => expect(refusal(document)).toBe('EVALUATION_POLICY_INVALID'));
});

describe('regression slices', () => {
  const former = parseGatePolicy(POLICY);
  const next = addRegression(former, REGRESSION);

  it('repeat each required slice under the conditions of the anomaly', () => {
    expect(next.version).toBe(2);
    expect(next.slices).toHaveLength(3);
    expect(next.slices[2]).toMatchObject({
      name: 'revision-b/ICE',
      where: REGRESSION.where,
      anomaly: 'anomaly-1',
      threshold: 0.5,
    });
  });

  it('are not added twice for one anomaly', () => {
    expect(() => addRegression(next, REGRESSION)).toThrow('anomaly-1');
  });

  it('are kept by a policy that adds another anomaly', () => {
    expect(lostRegressions(next, addRegression(next, { ...REGRESSION, anomaly: 'anomaly-2', name: 'night' }))).toEqual(
      [],
    );
  });

  it.each([{ threshold: 0.4 }, { required: false }, { windowsMin: 1 }, { where: 'false' }, { label: 'SNOW' }])(
    'are lost by a policy that weakens them: %o',
    (change) => {
      const slices = next.slices.map((slice) => (slice.anomaly === undefined ? slice : { ...slice, ...change }));
      expect(lostRegressions(next, { ...next, slices })).toEqual(['revision-b/ICE']);
    },
  );

  it('are lost by a policy that drops them', () => {
    expect(lostRegressions(next, former)).toEqual(['revision-b/ICE']);
  });
});
