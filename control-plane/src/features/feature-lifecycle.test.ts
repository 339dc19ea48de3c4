import { FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { checkStep, checkValidator, FEATURE_SET_STATES, type FeatureSetStep } from './feature-lifecycle.ts';

const codeOf = (work: () => void): string => {
  try {
    work();
    return 'allowed';
  } catch (error) {
    return FleetError.from(error).code;
  }
};

describe('the life of a feature set', () => {
  const allowed: Readonly<Record<FeatureSetStep, readonly string[]>> = {
    validate: ['proposed', 'validated'],
    activate: ['validated'],
    deprecate: ['proposed', 'validated', 'active'],
  };
  it.each(Object.keys(allowed) as FeatureSetStep[])('allows to %s only from the states before it', (step) => {
    const states = FEATURE_SET_STATES.filter((state) => codeOf(() => checkStep(step, 'norms@1', state)) === 'allowed');
    expect(states).toEqual(allowed[step]);
  });

  it('says which version is in which state and what has to happen first', () => {
    expect(() => checkStep('activate', 'norms@1', 'proposed')).toThrow(
      'norms@1 is proposed and cannot be active: have it validated first',
    );
  });
});

describe('who may validate a feature set', () => {
  const featureSet = { name: 'norms', version: 1, owner: 'perception', validator: 'safety' };
  const asked = { featureSet, proposer: 'ada', actor: 'bob', actors: ['ada', 'bob'] };

  it('is never who proposed it, not even as the validator that the definition names', () => {
    expect(codeOf(() => checkValidator({ ...asked, actor: 'ada' }))).toBe('FEATURE_SET_APPROVAL');
    expect(codeOf(() => checkValidator({ ...asked, actor: 'safety', proposer: 'safety' }))).toBe(
      'FEATURE_SET_APPROVAL',
    );
  });

  it('is the named validator alone where that name holds a token', () => {
    const actors = ['ada', 'bob', 'safety'];
    expect(codeOf(() => checkValidator({ ...asked, actors }))).toBe('FEATURE_SET_APPROVAL');
    expect(codeOf(() => checkValidator({ ...asked, actor: 'safety', actors }))).toBe('allowed');
  });

  it('is any third person but the owner where the definition names a team', () => {
    expect(codeOf(() => checkValidator(asked))).toBe('allowed');
    expect(codeOf(() => checkValidator({ ...asked, actor: 'perception' }))).toBe('FEATURE_SET_APPROVAL');
  });
});
