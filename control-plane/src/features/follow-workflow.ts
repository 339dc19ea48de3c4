/** Why: a command that starts long work on the server shows how it goes on, and either ends that work with itself or leaves it. */
import { setTimeout as delay } from 'node:timers/promises';
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import type { WorkflowState } from '../api/api-client.ts';
import type { FleetClient } from '../api/fleet-io.ts';

const POLL_INTERVAL_MS = 250;

export type FollowOptions = {
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
  /** What becomes of the work when whoever waits leaves; absent: it goes on. */
  readonly atInterruption?: 'leave' | 'cancel';
};
type Steps = readonly { readonly step: string; readonly state: string; readonly detail: string }[];

/**
 * Waits for the end of a workflow and returns its result.
 * @throws FleetError with the workflow's own code, or WORKFLOW_STATE when whoever waits leaves
 */
export async function followWorkflow<Result>(
  client: FleetClient,
  { workflowId, route }: { readonly workflowId: string; readonly route: string },
  { progress, signal, atInterruption = 'leave' }: FollowOptions,
): Promise<Result> {
  for (let said = ''; ; ) {
    if (signal.aborted) throw await leave(client, { workflowId, route }, atInterruption);
    const state = await client.get<WorkflowState>(`/v1/workflows/${encodeURIComponent(workflowId)}`);
    const line = describeSteps(workflowId, (state.progress ?? []) as Steps);
    if (line !== said) progress((said = line));
    if (state.status === 'completed') return state.result as Result;
    if (state.status !== 'running') throw failureOf(state);
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function leave(
  client: FleetClient,
  { workflowId, route }: { readonly workflowId: string; readonly route: string },
  atInterruption: 'leave' | 'cancel',
): Promise<FleetError> {
  if (atInterruption === 'leave')
    return new FleetError(
      'WORKFLOW_STATE',
      `${workflowId} goes on without this command: \`fleetloop workflow follow ${workflowId}\` waits for it, \`fleetloop workflow cancel ${workflowId}\` ends it`,
    );
  await client.delete(route);
  return new FleetError('WORKFLOW_STATE', `${workflowId} was cancelled`);
}

function describeSteps(workflowId: string, steps: Steps): string {
  const line = steps.map(({ step, detail }) => `${step}: ${detail}`).join('; ');
  const isWaiting = steps.some(({ state }) => state === 'waiting');
  return isWaiting ? `${line}; \`fleetloop workflow retry ${workflowId}\` tries them again` : line;
}

function failureOf({ workflowId, status, error }: WorkflowState): FleetError {
  const code = error?.code ?? '';
  const message = error?.message ?? `${workflowId} was ${status}`;
  return new FleetError(isCode(code) ? code : 'WORKFLOW_STATE', message);
}

const isCode = (code: string): code is ErrorCode => code in ERROR_TABLE;
