import { describe, expect, it } from 'vitest';
import { FEATURE_SET_STATES, type FeatureSetState } from './feature-lifecycle.ts';
import type { RegisteredFeatureSet } from './feature-registry.ts';
import { mustBeActive, refuseDeprecated } from './feature-use.ts';

const inState = (state: FeatureSetState, successor: string | null = null): RegisteredFeatureSet =>
  ({ name: 'norms', version: 2, state, steps: [{ state, successor }] }) as unknown as RegisteredFeatureSet;
const allowedIn = (check: (set: RegisteredFeatureSet) => void): readonly FeatureSetState[] =>
  FEATURE_SET_STATES.filter((state) => {
    try {
      check(inState(state));
      return true;
    } catch {
      return false;
    }
  });

describe('what a feature set may be used for', () => {
  it('is training, until it is deprecated', () => {
    expect(allowedIn(refuseDeprecated)).toEqual(['proposed', 'validated', 'active']);
  });

  it('is the promotion of models only while it is active', () => {
    expect(allowedIn((set) => mustBeActive(set, 'terrain@3'))).toEqual(['active']);
  });

  it('is refused with what takes its place', () => {
    expect(() => refuseDeprecated(inState('deprecated', 'norms@3'))).toThrow(
      'norms@2 is deprecated: train with norms@3',
    );
  });
});
