/** Why: an owner turns the anomaly of a rollout into a brief with one request, and everybody can follow it. */
import { randomUUID } from 'node:crypto';
import { compileCondition, DatasetSpecification, parseCampaign } from '@fleetloop/schemas';
import { checkWaves, type CloseLoopInput, parseGatePolicy, parseHealthRules } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { TrainingRequest } from '../training/training-routes.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';

const HOUR_MS = 3_600_000;
const TRAININGS_MAX = 4;
const timeoutMs = (hours: number) =>
  z
    .int()
    .min(1_000)
    .max(30 * 24 * HOUR_MS)
    .default(hours * HOUR_MS);

const CampaignPart = z.strictObject({
  condition: z.string().min(1).max(2_000),
  inputs: z.array(z.unknown()).min(1).max(64),
  preWindowMs: z.int().min(0),
  postWindowMs: z.int().min(0),
  cooldownMs: z.int().min(0).default(0),
  eventMsMax: z.int().min(1_000).default(600_000),
});
const Regression = z.strictObject({
  name: z.string().min(1).max(60),
  where: z.string().min(1).max(2_000),
  countMin: z.int().min(1),
  runsMin: z.int().min(1),
  lowerBoundMin: z.number().min(0).max(1),
});

const Body = z.strictObject({
  rolloutId: z.string().regex(/^ro-[a-z0-9-]{1,60}$/),
  /** Who answers for the brief; absent: who asks. */
  owner: z.string().min(1).max(128).optional(),
  recordingsWanted: z.int().min(1).max(10_000),
  campaign: CampaignPart,
  /** The brief's own recordings are those whose `brief` is {brief}, which is replaced by the brief's id. */
  specification: DatasetSpecification,
  trainings: z.array(TrainingRequest).min(1).max(TRAININGS_MAX),
  regression: Regression,
  rollout: z.strictObject({ waves: z.array(z.array(z.string().min(1).max(64))), health: z.unknown().optional() }),
  promotionExpiresInMs: timeoutMs(24),
  recordingsTimeoutMs: timeoutMs(72),
  labelsTimeoutMs: timeoutMs(72),
});

export function registerFeedbackRoutes(app: FastifyInstance, context: ControlPlane): void {
  const { temporal, config, projection } = context;
  app.post('/v1/feedback', async (request, reply) => {
    const body = parseRequest(Body, request.body);
    checkWaves(body.rollout.waves);
    const briefId = newId('br');
    const owner = body.owner ?? actorOf(request);
    const draft = parseCampaign({
      kind: 'campaign',
      id: `brief-${briefId}`,
      version: 1,
      description: '',
      owner,
      priority: 'safety',
      ...body.campaign,
      brief: briefId,
    });
    compileCondition(draft);
    for (const training of body.trainings) parseGatePolicy(training.policy);
    const { condition, inputs, preWindowMs, postWindowMs, cooldownMs, eventMsMax } = draft;
    const input: CloseLoopInput = {
      ...body,
      briefId,
      owner,
      campaign: { condition, inputs, preWindowMs, postWindowMs, cooldownMs, eventMsMax },
      specification: { ...body.specification, include: body.specification.include.replaceAll('{brief}', briefId) },
      trainings: body.trainings.map((training) => ({ ...training, parameters: training.parameters ?? null })),
      rollout: { rolloutId: newId('ro'), waves: body.rollout.waves, health: parseHealthRules(body.rollout.health) },
      promotionId: newId('pr'),
    };
    const workflowId = `loop-${briefId}`;
    await startWorkflow(temporal, 'closeLoop', { workflowId, taskQueue: config.temporal.taskQueue, input });
    return reply
      .code(202)
      .send({ workflowId, briefId, promotionId: input.promotionId, rolloutId: input.rollout.rolloutId });
  });
  app.get('/v1/anomalies', async (request) => {
    const view = await projectionFor(projection, request.query);
    return { anomalies: (await view.facts('anomaly.opened')).map(({ at, body }) => ({ at, ...body })) };
  });
  app.get('/v1/briefs', async (request) => {
    const view = await projectionFor(projection, request.query);
    const closed = new Map((await view.facts('brief.closed')).map(({ at, body }) => [body.briefId, { at, ...body }]));
    return {
      briefs: (await view.facts('brief.opened')).map(({ at, body }) => ({
        at,
        ...body,
        closed: closed.get(body.briefId) ?? null,
      })),
    };
  });
}

const newId = (prefix: string): string => `${prefix}-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
