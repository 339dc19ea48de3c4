/** /v1/feature-computations and /v1/skew-evaluations: start long work on features, follow, cancel or retry it, and read what came of it. */
import { randomUUID } from 'node:crypto';
import { FleetError, parseDigest } from '@fleetloop/schemas';
import type { ComputeFeaturesInput, EvaluateSkewInput } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, PageQuery, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { registerControls } from '../workflow/work-controls.ts';
import { findRegistered } from './feature-registry.ts';

const VEHICLES_NAMED_MAX = 1_000;

const reference = z.string().min(1).max(128);
const ComputationBody = z.strictObject({
  featureSet: reference,
  where: z.string().min(1).max(2_000).nullable().default(null),
});
const SkewBody = z.strictObject({
  featureSet: reference,
  vehicles: z.array(z.string().min(1).max(64)).max(VEHICLES_NAMED_MAX).default([]),
  since: z.iso.datetime({ offset: true }).nullable().default(null),
  /** The day on which declared divergences are to hold; null: today. */
  on: z.iso.date().nullable().default(null),
});
const FACT_OF = { 'feature-computations': 'features.computed', 'skew-evaluations': 'skew.evaluated' } as const;
const PREFIX_OF = { 'feature-computations': 'features', 'skew-evaluations': 'skew' } as const;
type Kind = keyof typeof FACT_OF;

type Context = Pick<ControlPlane, 'blobs' | 'projection' | 'temporal' | 'config'>;

export function registerComputationRoutes(app: FastifyInstance, context: Context): void {
  const { temporal, config, projection } = context;
  app.post('/v1/feature-computations', async (request, reply) => {
    const { featureSet, where } = parseRequest(ComputationBody, request.body);
    const computationId = newId('feature-computations');
    const { digest } = await findRegistered(projection, featureSet);
    const input: ComputeFeaturesInput = { computationId, featureSet: digest, where, actor: actorOf(request) };
    const { taskQueue } = config.temporal;
    await startWorkflow(temporal, 'computeFeatures', { workflowId: computationId, taskQueue, input });
    return reply.code(202).send({ computationId, workflowId: computationId });
  });
  app.post('/v1/skew-evaluations', async (request, reply) => {
    const { featureSet, vehicles, since, on } = parseRequest(SkewBody, request.body);
    const evaluationId = newId('skew-evaluations');
    const { digest } = await findRegistered(projection, featureSet);
    const sinceMs = since === null ? null : Date.parse(since);
    const asked = { featureSet: digest, vehicles, sinceMs, on };
    const input: EvaluateSkewInput = { evaluationId, ...asked, actor: actorOf(request) };
    const { taskQueue } = config.temporal;
    await startWorkflow(temporal, 'evaluateSkew', { workflowId: evaluationId, taskQueue, input });
    return reply.code(202).send({ evaluationId, workflowId: evaluationId });
  });
  for (const kind of ['feature-computations', 'skew-evaluations'] as const) registerResults(app, context, kind);
}

function registerResults(app: FastifyInstance, { temporal, projection, blobs }: Context, kind: Kind): void {
  const pattern = new RegExp(`^${PREFIX_OF[kind]}-[0-9a-f]{16}$`);
  const Path = z.object({ id: z.string().regex(pattern) });
  app.get(`/v1/${kind}`, async (request) => {
    const { limit } = parseRequest(PageQuery, request.query, 'query');
    const facts = await (await projectionFor(projection, request.query)).facts(FACT_OF[kind]);
    const newest = facts.toSorted((left, right) => right.sequence - left.sequence).slice(0, limit);
    return { results: newest.map(({ at, actor, body }) => ({ at, actor, ...body })) };
  });
  app.get(`/v1/${kind}/:id`, async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const [fact] = await (await projectionFor(projection, request.query)).facts(FACT_OF[kind], { key: id });
    if (fact === undefined) throw new FleetError('NOT_FOUND', `${id} has not ended: ask /v1/workflows/${id}`);
    const answer = { at: fact.at, actor: fact.actor, ...fact.body };
    if (fact.kind === 'features.computed') return answer;
    const report = await blobs.get(parseDigest(fact.body.report));
    return { ...answer, result: JSON.parse(Buffer.from(report).toString('utf8')) as unknown };
  });
  registerControls(app, temporal, { route: `/v1/${kind}`, id: pattern });
}

function newId(kind: Kind): string {
  return `${PREFIX_OF[kind]}-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
}
