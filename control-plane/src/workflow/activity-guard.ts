/**
 * Why: Temporal must know which failures are final and under which code a person will look them up; long activities must
 * say that they live, and stop when they are told to.
 */
import { FleetError } from '@fleetloop/schemas';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/** Five of these fit into the heartbeat timeout of the workflows. */
const HEARTBEAT_EVERY_MS = 3_000;

type Activity = (input: never) => Promise<unknown>;

/** The same activities; whatever they throw reaches the workflow with a code of the one table. */
export function guardActivities<Activities extends object>(activities: Activities): Activities {
  const guarded = Object.entries(activities as Record<string, Activity>).map(([name, activity]) => [
    name,
    guard(activity),
  ]);
  return Object.fromEntries(guarded) as Activities;
}

function guard(activity: Activity): Activity {
  return async (input) => {
    try {
      return await activity(input);
    } catch (thrown) {
      if (thrown instanceof CancelledFailure || thrown instanceof ApplicationFailure) throw thrown;
      throw toFailure(thrown);
    }
  };
}

/** A failure that is not ours may be a passing one: it is tried again. */
function toFailure(thrown: unknown): ApplicationFailure {
  const failure = FleetError.from(thrown);
  const nonRetryable = thrown instanceof FleetError && !failure.retryable;
  return ApplicationFailure.create({
    type: failure.code,
    message: failure.message,
    nonRetryable,
    details: [failure.details],
    ...(thrown instanceof Error ? { cause: thrown } : {}),
  });
}

export type Liveness = {
  /** Aborts when the workflow no longer wants the result. */
  readonly signal: AbortSignal;
  /** Details that the next heartbeat carries. */
  readonly say: (details: unknown) => void;
};

/** Runs work of an activity under a regular heartbeat. */
export async function withHeartbeat<Result>(work: (liveness: Liveness) => Promise<Result>): Promise<Result> {
  const context = Context.current();
  let details: unknown;
  const timer = setInterval(() => context.heartbeat(details), HEARTBEAT_EVERY_MS);
  try {
    return await work({
      signal: context.cancellationSignal,
      say: (next) => {
        details = next;
      },
    });
  } finally {
    clearInterval(timer);
  }
}
