/** Why: people start trainings and read the model versions that came of them. */
import { randomUUID } from 'node:crypto';
import { parseGatePolicy, type TrainModelInput } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import { findDataset } from '../dataset/frozen-datasets.ts';
import { refuseDeprecated } from '../features/feature-use.ts';
import { findRegistered } from '../features/feature-registry.ts';
import type { Projection } from '../ports.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { findModelVersion, modelVersionsOf } from './registered.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);

/** What a training needs beside its dataset. */
export const TrainingRequest = z.strictObject({
  model: name,
  featureSet: z.string().min(1).max(128),
  policy: z.unknown(),
  trainer: name.default('reference'),
  /** The trainer's `search`; absent takes the default. */
  parameters: z.unknown().optional(),
  seed: z.int().min(0).max(33_554_431).default(0),
});
const Body = TrainingRequest.extend({ dataset: z.string().min(3).max(128) });
const Path = z.object({ name: z.string().max(64), version: z.coerce.number().int().min(1) });

export function registerTrainingRoutes(app: FastifyInstance, context: ControlPlane): void {
  const { projection, temporal, config } = context;
  app.post('/v1/trainings', async (request, reply) => {
    const { parameters, ...training } = parseRequest(Body, request.body);
    parseGatePolicy(training.policy);
    await findDataset(projection, training.dataset);
    refuseDeprecated(await findRegistered(projection, training.featureSet));
    const input: TrainModelInput = { ...training, parameters: parameters ?? null, actor: actorOf(request) };
    const workflowId = `train-${training.model}-${randomUUID().slice(0, 8)}`;
    return reply
      .code(202)
      .send(await startWorkflow(temporal, 'trainModel', { workflowId, taskQueue: config.temporal.taskQueue, input }));
  });
  app.get('/v1/models', async (request) => ({
    models: await modelVersionsOf(await projectionFor(projection, request.query)),
  }));
  app.get('/v1/models/:name/:version', async (request) => {
    const path = parseRequest(Path, request.params, 'path');
    const view = await projectionFor(projection, request.query);
    const model = await findModelVersion(view, path.name, path.version);
    return { ...model, ...(await historyOf(view, model)) };
  });
}

async function historyOf(
  projection: Projection,
  model: { readonly name: string; readonly version: number; readonly runId: string },
): Promise<Record<string, unknown>> {
  const isMine = (body: { readonly modelName: string; readonly modelVersion: number }): boolean =>
    body.modelName === model.name && body.modelVersion === model.version;
  const run = (await projection.facts('run.finished', { key: model.runId })).at(-1)?.body;
  const gates = (await projection.facts('gate.evaluated'))
    .filter(({ body }) => isMine(body))
    .map(({ at, body }) => ({ at, ...body }));
  const promotions = (await projection.facts('promotion.proposed'))
    .filter(({ body }) => isMine(body))
    .map(({ body }) => body.promotionId);
  const bundle = (await projection.facts('bundle.built')).findLast(({ body }) => isMine(body))?.body;
  return { run: run ?? null, gates, promotions, bundle: bundle ?? null };
}
