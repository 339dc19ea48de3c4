import { describe, expect, it } from 'vitest';
import { countOutcome, decideHealth, EMPTY_WINDOW, type HealthLimits } from './health-window.ts';

const LIMITS: HealthLimits = { inferencesMin: 4, failuresMax: 2, missShareMax: 0.25 };
type Outcome = Parameters<typeof countOutcome>[1];
const after = (...outcomes: Outcome[]) => decideHealth(outcomes.reduce(countOutcome, EMPTY_WINDOW), LIMITS).kind;

describe('the health window', () => {
  it('stays open until enough inferences in a row were good', () => {
    expect(after('valid', 'valid', 'valid')).toBe('open');
    expect(after('valid', 'valid', 'valid', 'valid')).toBe('healthy');
  });

  it('starts counting again after a failure', () => {
    expect(after('valid', 'valid', 'failure', 'valid', 'valid', 'valid')).toBe('open');
    expect(after('valid', 'failure', 'valid', 'valid', 'valid', 'valid')).toBe('healthy');
  });

  it('fails at the limit of failures, however many were good', () => {
    expect(after('failure', 'valid', 'valid', 'valid', 'failure')).toBe('failing');
  });

  it('fails when too large a share missed the deadline', () => {
    expect(after('valid', 'valid', 'valid', 'deadline-miss')).toBe('healthy');
    expect(after('valid', 'valid', 'deadline-miss', 'deadline-miss')).toBe('late');
  });
});
