/**
 * Why: an exception of ours inside a workflow would make Temporal replay the step for ever. A failure that is final
 * must be Temporal's own, and its type carries the code of our one table.
 */
import type { ErrorCode } from '@fleetloop/schemas';
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';

/** A final failure of a workflow or an update, with a code of the one table. */
export function flowFailure(code: ErrorCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true });
}

export type FailureReason = { readonly code: string; readonly message: string };

/** The innermost reason of whatever a step threw. */
export function reasonOf(thrown: unknown): FailureReason {
  let inner = thrown;
  while ((inner instanceof ActivityFailure || inner instanceof ChildWorkflowFailure) && inner.cause !== undefined) {
    inner = inner.cause;
  }
  if (inner instanceof ApplicationFailure) {
    return { code: inner.type ?? 'INTERNAL_UNEXPECTED', message: inner.message };
  }
  return { code: 'INTERNAL_UNEXPECTED', message: inner instanceof Error ? inner.message : String(inner) };
}
