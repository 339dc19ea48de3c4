/** Why: whoever waits for a workflow wants to see which step it is in; every workflow answers the same query. */
import { defineQuery, setHandler } from '@temporalio/workflow';

export type StepState = 'running' | 'waiting' | 'done' | 'failed';

/** One step as it stands. `at` is RFC 3339 UTC, the time of its last change. */
export type ProgressStep = {
  readonly step: string;
  readonly state: StepState;
  readonly detail: string;
  readonly at: string;
};

export const progressQuery = defineQuery<readonly ProgressStep[]>('progress');

/** Says how a step stands: a new step is added, a known one is replaced in its place. */
export type ReportStep = (step: string, state: StepState, detail?: string) => void;

/** Answers the `progress` query from now on with whatever is reported. */
export function trackProgress(): ReportStep {
  const steps = new Map<string, ProgressStep>();
  setHandler(progressQuery, () => [...steps.values()]);
  return (step, state, detail = '') => {
    steps.set(step, { step, state, detail, at: new Date().toISOString() });
  };
}
