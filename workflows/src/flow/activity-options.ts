/** Why: how long a step may take and how often it is tried again is decided in one place, not per call. */
import type { ActivityOptions } from '@temporalio/workflow';

/** Steps that read or write a little: seconds. */
export const SHORT_STEP: ActivityOptions = {
  startToCloseTimeout: '60 s',
  retry: { initialInterval: '300 ms', backoffCoefficient: 2, maximumInterval: '5 s', maximumAttempts: 8 },
};

/** Steps that compute for minutes and say that they live. */
export const LONG_STEP: ActivityOptions = {
  startToCloseTimeout: '30 min',
  heartbeatTimeout: '15 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '20 s', maximumAttempts: 3 },
};

/** Steps of a rollback: tried until they succeed, because stopping in the middle is the worst outcome. */
export const ROLLBACK_STEP: ActivityOptions = {
  startToCloseTimeout: '60 s',
  retry: { initialInterval: '300 ms', backoffCoefficient: 2, maximumInterval: '5 s' },
};

/** Steps that wait for vehicles or people and say that they live; their own deadline is in their input. */
export const WAITING_STEP: ActivityOptions = {
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '15 s',
  retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '5 s' },
};

/** Steps that tell MLflow: given up after a while, because MLflow is a mirror and not the truth. */
export const MIRROR_STEP: ActivityOptions = {
  startToCloseTimeout: '60 s',
  retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '4 s', maximumAttempts: 4 },
};
