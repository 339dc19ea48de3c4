/** Why: long work of any kind is ended, and what failed of it is tried again, in the same way under each of its routes. */
import { FleetError } from '@fleetloop/schemas';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRequest } from '../api/request.ts';
import { sendUpdate } from './send-update.ts';

export type ControlledRoute = {
  /** Such as `/v1/drift`; the workflow's id follows. */
  readonly route: string;
  /** Ids of this kind of work, so that no route reaches work of another kind. */
  readonly id: RegExp;
};

/** DELETE <route>/:id ends a work; POST <route>/:id/retry runs the parts that have failed once more. */
export function registerControls(app: FastifyInstance, client: Client, { route, id: pattern }: ControlledRoute): void {
  const Path = z.object({ id: z.string().max(128).regex(pattern) });
  app.delete(`${route}/:id`, async (request, reply) => {
    const { id } = parseRequest(Path, request.params, 'path');
    await cancelWork(client, id);
    return reply.code(202).send({ workflowId: id });
  });
  app.post(`${route}/:id/retry`, async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    return { workflowId: id, parts: await retryParts(client, id) };
  });
}

/** Asks a workflow to end; what it has done stays. @throws FleetError NOT_FOUND when it has ended or never was */
export async function cancelWork(client: Client, workflowId: string): Promise<void> {
  await client.workflow
    .getHandle(workflowId)
    .cancel()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) throw new FleetError('NOT_FOUND', `no ${workflowId} is running`);
      throw error;
    });
}

/**
 * Runs the parts that have failed once more, and says how many.
 * @throws FleetError NOT_FOUND when it has ended or never was, WORKFLOW_STATE while no part waits for that
 */
export async function retryParts(client: Client, workflowId: string): Promise<number> {
  const order = { workflowId, update: 'retryParts', argument: undefined, absent: 'NOT_FOUND' } as const;
  return Number(await sendUpdate(client, order));
}
