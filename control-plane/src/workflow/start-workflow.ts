/** Why: starting a workflow twice under one id must not run it twice, and whoever asks again gets the same answer. */
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';

export type WorkflowStart = { readonly workflowId: string; readonly taskQueue: string; readonly input: unknown };

/** Starts the workflow of that name; one that runs under the id already is left alone. */
export async function startWorkflow(
  client: Client,
  name: string,
  start: WorkflowStart,
): Promise<{ readonly workflowId: string }> {
  const { workflowId, taskQueue, input } = start;
  try {
    await client.workflow.start(name, { workflowId, taskQueue, args: [input] });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  return { workflowId };
}
