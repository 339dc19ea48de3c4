// Why this file exists: a model is marked good only after it has worked; how long, and what counts as not working, is decided here.

export type HealthLimits = {
  /** Inferences in a row without a failure that confirm a model. */
  readonly inferencesMin: number;
  /** Failures before confirmation that revert it. */
  readonly failuresMax: number;
  /** Largest share of deadline misses, 0 to 1. */
  readonly missShareMax: number;
};

export const HEALTH_LIMITS: HealthLimits = { inferencesMin: 8, failuresMax: 3, missShareMax: 0.25 };

/** Counts since activation. */
export type HealthWindow = {
  readonly total: number;
  readonly goodInRow: number;
  readonly failures: number;
  readonly misses: number;
};
export const EMPTY_WINDOW: HealthWindow = { total: 0, goodInRow: 0, failures: 0, misses: 0 };

export type HealthDecision =
  | { readonly kind: 'open' }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'failing'; readonly message: string }
  | { readonly kind: 'late'; readonly message: string };

export function countOutcome(window: HealthWindow, outcome: 'valid' | 'deadline-miss' | 'failure'): HealthWindow {
  return {
    total: window.total + 1,
    goodInRow: outcome === 'failure' ? 0 : window.goodInRow + 1,
    failures: window.failures + (outcome === 'failure' ? 1 : 0),
    misses: window.misses + (outcome === 'deadline-miss' ? 1 : 0),
  };
}

export function decideHealth(window: HealthWindow, limits: HealthLimits): HealthDecision {
  if (window.failures >= limits.failuresMax) {
    return {
      kind: 'failing',
      message: `${window.failures} of ${window.total} inferences failed before the model was confirmed`,
    };
  }
  if (window.goodInRow < limits.inferencesMin) return { kind: 'open' };
  if (window.misses / window.total > limits.missShareMax) {
    return {
      kind: 'late',
      message: `${window.misses} of ${window.total} inferences missed their deadline before the model was confirmed`,
    };
  }
  return { kind: 'healthy' };
}
