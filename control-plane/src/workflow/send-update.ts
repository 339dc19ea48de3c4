/** Why: an update that a workflow refuses comes back as Temporal's error; callers get the code and words of the refusal. */
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import { reasonOf } from '@fleetloop/workflows';
import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';

export type UpdateOrder = {
  readonly workflowId: string;
  readonly update: string;
  readonly argument: unknown /** Code when the workflow has ended or never was. */;
  readonly absent: ErrorCode;
};

/**
 * Sends an update and waits until it was carried out.
 * @throws FleetError with the code of the refusal, or `absent`
 */
export async function sendUpdate(client: Client, order: UpdateOrder): Promise<unknown> {
  try {
    return await client.workflow.getHandle(order.workflowId).executeUpdate(order.update, { args: [order.argument] });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      throw new FleetError(order.absent, `${order.workflowId} does not run: it has ended, or never began`, {
        cause: error,
      });
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const { code, message } = reasonOf(error.cause);
    throw new FleetError(isErrorCode(code) ? code : 'INTERNAL_UNEXPECTED', message, { cause: error });
  }
}

const isErrorCode = (code: string): code is ErrorCode => code in ERROR_TABLE;
