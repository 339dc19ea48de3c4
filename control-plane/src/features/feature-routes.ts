/** /v1/feature-sets: propose, validate, activate and deprecate a feature set, list them, and show one with what uses it; /v1/feature-validations. */
import { FleetError, parseDigest } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { registerControls } from '../workflow/work-controls.ts';
import {
  findRegistered,
  listFeatureSets,
  readFeatureSetVersion,
  type RegisteredFeatureSet,
} from './feature-registry.ts';
import { activateFeatureSet, deprecateFeatureSet, proposeFeatureSet } from './feature-steps.ts';
import { usedBy } from './used-by.ts';
import { startValidation, VALIDATION_ID, VALIDATION_RECORDINGS_MAX } from './validate-feature-set.ts';

const reason = z.string().min(1).max(4_000);
const ProposeBody = z.strictObject({ document: z.unknown(), reason: reason.optional() });
const ValidateBody = z.strictObject({
  recordings: z.array(z.string().max(80)).min(1).max(VALIDATION_RECORDINGS_MAX),
  reason,
});
const ActivateBody = z.strictObject({ reason });
const DeprecateBody = z.strictObject({ reason, successor: z.string().min(1).max(128).nullable().default(null) });
const ListQuery = z.object({ name: z.string().max(64).optional() });
const Path = z.object({ name: z.string().max(64), version: z.coerce.number().int().min(1) });
const Reference = z.object({ reference: z.string().min(1).max(128) });

const ValidationPath = z.object({ id: z.string().regex(VALIDATION_ID) });

export type FeatureSetContext = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs' | 'temporal' | 'config'>;

export function registerFeatureRoutes(app: FastifyInstance, context: FeatureSetContext): void {
  app.get('/v1/feature-sets', async (request) => {
    const { name } = parseRequest(ListQuery, request.query, 'query');
    const view = await projectionFor(context.projection, request.query);
    return { featureSets: (await listFeatureSets(view, name)).map(outline) };
  });
  app.get('/v1/feature-sets/:reference', async (request) => {
    const view = await projectionFor(context.projection, request.query);
    const found = await findRegistered(view, parseRequest(Reference, request.params, 'path').reference);
    return { ...outline(found), steps: found.steps, usedBy: await usedBy(view, found) };
  });
  app.get('/v1/feature-sets/:name/:version', async (request) => {
    const view = await projectionFor(context.projection, request.query);
    const found = await readFeatureSetVersion(view, parseRequest(Path, request.params, 'path'));
    return { ...outline(found), steps: found.steps, usedBy: await usedBy(view, found) };
  });
  registerStepRoutes(app, context);
  registerValidationRoutes(app, context);
}

function registerStepRoutes(app: FastifyInstance, context: FeatureSetContext): void {
  app.post('/v1/feature-sets', async (request, reply) => {
    const { document, reason: why } = parseRequest(ProposeBody, request.body);
    const asked = { document, actor: actorOf(request), ...(why === undefined ? {} : { reason: why }) };
    const { digest, featureSet, isNew } = await proposeFeatureSet(asked, context);
    return reply.code(isNew ? 201 : 200).send({ digest, name: featureSet.name, version: featureSet.version });
  });
  app.post('/v1/feature-sets/:name/:version/validate', async (request, reply) => {
    const id = parseRequest(Path, request.params, 'path');
    const asked = { ...id, ...parseRequest(ValidateBody, request.body), actor: actorOf(request) };
    const validationId = await startValidation(asked, context);
    return reply.code(202).send({ validationId, workflowId: validationId });
  });
  app.post('/v1/feature-sets/:name/:version/activate', async (request) => {
    const id = parseRequest(Path, request.params, 'path');
    const { reason: why } = parseRequest(ActivateBody, request.body);
    return standing(await activateFeatureSet({ ...id, reason: why, actor: actorOf(request) }, context));
  });
  app.post('/v1/feature-sets/:name/:version/deprecate', async (request) => {
    const id = parseRequest(Path, request.params, 'path');
    const { reason: why, successor } = parseRequest(DeprecateBody, request.body);
    return standing(await deprecateFeatureSet({ ...id, reason: why, successor, actor: actorOf(request) }, context));
  });
}

function registerValidationRoutes(app: FastifyInstance, { projection, blobs, temporal }: FeatureSetContext): void {
  app.get('/v1/feature-validations/:id', async (request) => {
    const { id } = parseRequest(ValidationPath, request.params, 'path');
    const facts = await (await projectionFor(projection, request.query)).facts('feature_set.validated', {
      every: true,
    });
    const fact = facts.find(({ body }) => body.validationId === id);
    if (fact === undefined) throw new FleetError('NOT_FOUND', `${id} has validated nothing: ask /v1/workflows/${id}`);
    const { at, actor, reason, body } = fact;
    const report = await blobs.get(parseDigest(body.report));
    const result = JSON.parse(Buffer.from(report).toString('utf8')) as unknown;
    return { at, actor, reason: reason ?? null, ...body, result };
  });
  registerControls(app, temporal, { route: '/v1/feature-validations', id: VALIDATION_ID });
}

/** What a listing says; `actor` is who proposed it. */
function outline({ digest, name, version, state, at, proposer, featureSet }: RegisteredFeatureSet): object {
  return { digest, name, version, state, at, actor: proposer, featureSet };
}

/** How a version stands after a step. */
function standing({ digest, name, version, state, steps }: RegisteredFeatureSet): object {
  const last = steps.at(-1);
  if (last === undefined) throw new FleetError('INTERNAL_UNEXPECTED', `${name}@${version} has no history`);
  return { digest, name, version, state, step: last };
}
