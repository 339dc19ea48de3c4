/** Why: people start rollouts, watch them, and can pause, promote and abort them at any time. */
import { randomUUID } from 'node:crypto';
import { FleetError } from '@fleetloop/schemas';
import { checkWaves, parseHealthRules, type RolloutInput, type RolloutStatus } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { Projection } from '../ports.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { sendUpdate } from '../workflow/send-update.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { type WorkflowStatus, workflowStatus } from '../workflow/workflow-status.ts';
import { findModelVersion } from '../training/registered.ts';

const Body = z.strictObject({
  model: z.string().max(64),
  version: z.int().min(1),
  waves: z.array(z.array(z.string().min(1).max(64))),
  health: z.unknown().optional(),
});
const Path = z.object({ id: z.string().regex(/^ro-[a-z0-9-]{1,60}$/) });
const OrderBody = z.strictObject({ reason: z.string().max(4_000).default('') });
const ORDERS = ['pause', 'promote', 'abort'] as const;

export function registerRolloutRoutes(app: FastifyInstance, context: ControlPlane): void {
  const { temporal, config } = context;
  app.post('/v1/rollouts', async (request, reply) => {
    const { health, ...body } = parseRequest(Body, request.body);
    checkWaves(body.waves);
    await findModelVersion(context.projection, body.model, body.version);
    const rolloutId = `ro-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    const input: RolloutInput = { ...body, rolloutId, health: parseHealthRules(health), actor: actorOf(request) };
    await startWorkflow(temporal, 'rollOut', {
      workflowId: `rollout-${rolloutId}`,
      taskQueue: config.temporal.taskQueue,
      input,
    });
    return reply.code(202).send({ rolloutId, workflowId: `rollout-${rolloutId}` });
  });
  for (const order of ORDERS) {
    app.post(`/v1/rollouts/:id/${order}`, async (request) => {
      const { id } = parseRequest(Path, request.params, 'path');
      const argument = { by: actorOf(request), reason: parseRequest(OrderBody, request.body ?? {}).reason };
      return sendUpdate(temporal, { workflowId: `rollout-${id}`, update: order, argument, absent: 'ROLLOUT_STATE' });
    });
  }
  app.get('/v1/rollouts', async (request) => ({
    rollouts: await listRollouts(await projectionFor(context.projection, request.query)),
  }));
  app.get('/v1/rollouts/:id', async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const projection = await projectionFor(context.projection, request.query);
    return describeRollout(projection, id, projection === context.projection ? context.temporal : undefined);
  });
}

async function listRollouts(projection: Projection): Promise<readonly Record<string, unknown>[]> {
  const ends = new Map(
    (await projection.facts('rollout.finished')).map(({ at, body }) => [body.rolloutId, { at, body }]),
  );
  return (await projection.facts('rollout.started')).map(({ at, actor, body }) => {
    const end = ends.get(body.rolloutId);
    const finished = end === undefined ? null : { at: end.at, ...end.body };
    const outcome = { phase: end?.body.phase ?? 'progressing', reason: end?.body.reason ?? '', finished };
    return {
      rolloutId: body.rolloutId,
      startedAt: at,
      actor,
      bundle: body.bundle,
      formerBundle: body.formerBundle,
      model: body.model,
      waves: body.waves,
      ...outcome,
    };
  });
}

/**
 * All facts of one rollout in order, beside how its workflow stands: that is only known of now, so nobody asks for it as of before.
 * @throws FleetError NOT_FOUND
 */
async function describeRollout(
  projection: Projection,
  rolloutId: string,
  temporal: ControlPlane['temporal'] | undefined,
): Promise<Record<string, unknown>> {
  const options = { key: rolloutId, every: true } as const;
  const started = (await projection.facts('rollout.started', options)).at(0);
  const { status, workflow } = await standingOf(temporal, `rollout-${rolloutId}`);
  if (started === undefined && workflow === null) throw new FleetError('NOT_FOUND', `there is no rollout ${rolloutId}`);
  const actions = (await projection.facts('rollout.action', options)).map(({ at, body }) => ({ at, ...body }));
  const health = (await projection.facts('rollout.health', options)).map(({ at, body }) => ({ at, ...body }));
  const finished = (await projection.facts('rollout.finished', options)).at(-1);
  const anomalies = (await projection.facts('anomaly.opened'))
    .filter(({ body }) => body.rolloutId === rolloutId)
    .map(({ body }) => body.anomalyId);
  return {
    rolloutId,
    started: started === undefined ? null : { at: started.at, actor: started.actor, ...started.body },
    actions,
    health,
    finished: finished === undefined ? null : { at: finished.at, ...finished.body },
    anomalies,
    status,
    workflow,
  };
}

/** A query needs a worker; without one the facts still tell the story. */
async function standingOf(
  temporal: ControlPlane['temporal'] | undefined,
  workflowId: string,
): Promise<{ readonly status: RolloutStatus | null; readonly workflow: WorkflowStatus | null }> {
  if (temporal === undefined) return { status: null, workflow: null };
  const handle = temporal.workflow.getHandle(workflowId);
  const status = await handle.query<RolloutStatus>('status').catch(() => null);
  return { status, workflow: await workflowStatus(temporal, workflowId).catch(() => null) };
}
