/** Why: a command that starts long work on the server shows how it goes on, and may be left without ending that work. */
import { setTimeout as delay } from 'node:timers/promises';
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import type { WorkflowState } from '../api/api-client.ts';
import type { CommandClient } from '../ledger/command-io.ts';

const POLL_INTERVAL_MS = 250;

export type FollowOptions = { readonly progress: (line: string) => void; readonly signal: AbortSignal };
type Steps = readonly { readonly step: string; readonly detail: string }[];

/**
 * Waits for the end of a workflow and returns its result.
 * @throws FleetError with the workflow's own code, or WORKFLOW_STATE when whoever waits leaves
 */
export async function followWorkflow<Result>(
  client: CommandClient,
  { workflowId, route }: { readonly workflowId: string; readonly route: string },
  { progress, signal }: FollowOptions,
): Promise<Result> {
  for (let said = ''; ; ) {
    if (signal.aborted)
      throw new FleetError(
        'WORKFLOW_STATE',
        `${workflowId} goes on without this command: GET ${route} has its result, DELETE ${route} cancels it`,
      );
    const state = await client.get<WorkflowState>(`/v1/workflows/${workflowId}`);
    const line = ((state.progress ?? []) as Steps).map(({ step, detail }) => `${step}: ${detail}`).join('; ');
    if (line !== said) progress((said = line));
    if (state.status === 'completed') return state.result as Result;
    if (state.status !== 'running') throw failureOf(state);
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

function failureOf({ workflowId, status, error }: WorkflowState): FleetError {
  const code = error?.code ?? '';
  const message = error?.message ?? `${workflowId} was ${status}`;
  return new FleetError(isCode(code) ? code : 'WORKFLOW_STATE', message);
}

const isCode = (code: string): code is ErrorCode => code in ERROR_TABLE;
