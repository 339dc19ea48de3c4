/** /v1/import-runs: import files beside the control plane, end an import, or import again what failed of it. How it stands is asked of /v1/workflows. */
import { randomUUID } from 'node:crypto';
import { FleetError } from '@fleetloop/schemas';
import type { ImportOrder, ImportRunsInput, ImportRunsResult } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { cancelWork, retryParts } from '../workflow/work-controls.ts';
import { workflowStatus } from '../workflow/workflow-status.ts';
import { planImport } from './import-plan.ts';

const WORKFLOW_PREFIX = 'import-';
const Body = z.strictObject({ root: z.string().min(1).max(64), specification: z.unknown() });
const Path = z.object({ id: z.string().startsWith(WORKFLOW_PREFIX).max(128) });

type Context = Pick<ControlPlane, 'temporal' | 'config'>;

export function registerImportRunRoutes(app: FastifyInstance, context: Context): void {
  const { temporal, config } = context;
  app.post('/v1/import-runs', async (request, reply) => {
    const { root, specification } = parseRequest(Body, request.body);
    // Whoever asks learns at once what is wrong with the document itself.
    planImport(specification, '/');
    if (!Object.hasOwn(config.import.roots, root))
      throw new FleetError('IMPORT_INVALID', `no folder is named ${root}: add it to import.roots of the control plane`);
    const order: ImportOrder = { kind: 'specification', root, specification };
    const workflowId = `${WORKFLOW_PREFIX}${randomUUID()}`;
    return reply.code(202).send(await start(context, workflowId, { order, actor: actorOf(request) }));
  });
  app.delete('/v1/import-runs/:id', async (request, reply) => {
    const { id } = parseRequest(Path, request.params, 'path');
    await cancelWork(temporal, id);
    return reply.code(202).send({ workflowId: id });
  });
  app.post('/v1/import-runs/:id/retry', async (request, reply) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const state = await workflowStatus(temporal, id);
    if (state.status === 'running') return { workflowId: id, parts: await retryParts(temporal, id) };
    if (state.status !== 'completed')
      throw new FleetError(
        'WORKFLOW_STATE',
        `${id} was ${state.status} before its report: import the same again, what is in the catalogue is not decoded anew`,
      );
    const { workflowId, runs, parts } = await importAgain(context, id, {
      result: state.result as ImportRunsResult,
      actor: actorOf(request),
    });
    return reply.code(202).send({ workflowId, parts, runs });
  });
}

/** An import of nothing but the runs that failed; asked twice, it is the same one. @throws FleetError WORKFLOW_STATE */
async function importAgain(
  context: Context,
  id: string,
  { result, actor }: { readonly result: ImportRunsResult; readonly actor: string },
): Promise<{ readonly workflowId: string; readonly runs: number; readonly parts: number }> {
  const { again, quarantined, failed } = result;
  const runs = quarantined + failed;
  if (again.length === 0) throw new FleetError('WORKFLOW_STATE', `no run of ${id} failed: there is nothing to retry`);
  const order: ImportOrder = { kind: 'again', of: id, plan: { runs, parts: again } };
  const { workflowId } = await start(context, nextId(id), { order, actor });
  return { workflowId, runs, parts: again.length };
}

/** `import-x` is followed by `import-x.2`, that by `import-x.3`. */
function nextId(id: string): string {
  const [base = id, attempt = '1'] = id.split('.');
  return `${base}.${Number(attempt) + 1}`;
}

async function start(
  { temporal, config }: Context,
  workflowId: string,
  input: ImportRunsInput,
): Promise<{ readonly workflowId: string }> {
  return startWorkflow(temporal, 'importRuns', { workflowId, taskQueue: config.temporal.taskQueue, input });
}
