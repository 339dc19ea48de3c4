/** Why: people ask whether what they started has ended, how far it is, and why it failed, in words and codes of ours. */
import { FleetError } from '@fleetloop/schemas';
import { type ProgressStep, reasonOf } from '@fleetloop/workflows';
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

export type WorkflowStatus = {
  readonly workflowId: string;
  readonly kind: string;
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly progress: readonly ProgressStep[];
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
};

/** @throws FleetError NOT_FOUND */
export async function workflowStatus(client: Client, workflowId: string): Promise<WorkflowStatus> {
  const handle = client.workflow.getHandle(workflowId);
  const described = await handle.describe().catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) throw new FleetError('NOT_FOUND', `there is no workflow ${workflowId}`);
    throw error;
  });
  const progress = await progressOf(client, workflowId);
  const base = { workflowId, kind: described.type, progress };
  if (described.status.name === 'RUNNING') return { ...base, status: 'running' };
  try {
    return { ...base, status: 'completed', result: await handle.result() };
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    const isCancelled = cause instanceof CancelledFailure || cause instanceof TerminatedFailure;
    return { ...base, status: isCancelled ? 'cancelled' : 'failed', error: reasonOf(cause) };
  }
}

/** A query needs a worker; without one the status is still known, the steps are not. */
async function progressOf(client: Client, workflowId: string): Promise<readonly ProgressStep[]> {
  try {
    return await client.workflow.getHandle(workflowId).query<readonly ProgressStep[]>('progress');
  } catch {
    return [];
  }
}

/**
 * All events of a workflow in Temporal's JSON form: for support, and for replaying it with newer code.
 * @throws FleetError NOT_FOUND
 */
export async function workflowHistory(client: Client, workflowId: string): Promise<unknown> {
  try {
    return JSON.parse(historyToJSON(await client.workflow.getHandle(workflowId).fetchHistory()));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new FleetError('NOT_FOUND', `there is no workflow ${workflowId}`);
    throw error;
  }
}
