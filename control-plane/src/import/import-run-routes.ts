/** POST /v1/import-runs starts an import of files beside the control plane; DELETE ends one. How it stands is asked of /v1/workflows. */
import { randomUUID } from 'node:crypto';
import { FleetError } from '@fleetloop/schemas';
import type { ImportRunsInput } from '@fleetloop/workflows';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { planImport } from './import-plan.ts';

const WORKFLOW_PREFIX = 'import-';
const Body = z.strictObject({ root: z.string().min(1).max(64), specification: z.unknown() });
const Path = z.object({ id: z.string().startsWith(WORKFLOW_PREFIX).max(128) });

export function registerImportRunRoutes(
  app: FastifyInstance,
  context: Pick<ControlPlane, 'temporal' | 'config'>,
): void {
  const { temporal, config } = context;
  app.post('/v1/import-runs', async (request, reply) => {
    const { root, specification } = parseRequest(Body, request.body);
    // Whoever asks learns at once what is wrong with the document itself.
    planImport(specification, '/');
    if (!Object.hasOwn(config.import.roots, root))
      throw new FleetError('IMPORT_INVALID', `no folder is named ${root}: add it to import.roots of the control plane`);
    const input: ImportRunsInput = { root, specification, actor: actorOf(request) };
    const workflowId = `${WORKFLOW_PREFIX}${randomUUID()}`;
    const { taskQueue } = config.temporal;
    return reply.code(202).send(await startWorkflow(temporal, 'importRuns', { workflowId, taskQueue, input }));
  });
  app.delete('/v1/import-runs/:id', async (request, reply) => {
    const { id } = parseRequest(Path, request.params, 'path');
    await temporal.workflow
      .getHandle(id)
      .cancel()
      .catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) throw new FleetError('NOT_FOUND', `no import ${id} is running`);
        throw error;
      });
    return reply.code(202).send({ workflowId: id });
  });
}
