/** /v1/feature-sets: register a feature set, and list them. */
import { type Digest, type FeatureSet, FleetError, type JsonValue, parseFeatureSet } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import type { Ledger, Projection } from '../ports.ts';
import { digestKey, recordFacts } from '../workflow/record-facts.ts';

const FeatureSetBody = z.strictObject({ document: z.unknown() });

type Stores = { readonly ledger: Ledger; readonly projection: Projection };

export function registerFeatureRoutes(app: FastifyInstance, context: Stores): void {
  app.post('/v1/feature-sets', async (request, reply) => {
    const { document } = parseRequest(FeatureSetBody, request.body);
    const { digest, featureSet, isNew } = await registerFeatureSet({ document, actor: actorOf(request) }, context);
    return reply.code(isNew ? 201 : 200).send({ digest, name: featureSet.name, version: featureSet.version });
  });
  app.get('/v1/feature-sets', async () => {
    const facts = await context.projection.facts('feature_set.registered');
    return { featureSets: facts.map(({ body, at, actor }) => ({ ...body, at, actor })) };
  });
}

/**
 * Records a feature set once; the same document again changes nothing.
 * @throws FleetError FEATURE_SET_INVALID for a malformed document, or a version that is registered with other content
 */
export async function registerFeatureSet(
  request: { readonly document: unknown; readonly actor: string },
  stores: Stores,
): Promise<{ readonly digest: Digest; readonly featureSet: FeatureSet; readonly isNew: boolean }> {
  const featureSet = parseFeatureSet(request.document);
  const digest = digestOfDocument(featureSet as JsonValue);
  const key = `${featureSet.name}-${featureSet.version}`;
  await stores.projection.waitFor(await stores.ledger.lastSequenceOf(`feature_set.${key}`));
  const [known] = await stores.projection.facts('feature_set.registered', { key });
  if (known !== undefined && known.body.digest !== digest) {
    throw new FleetError(
      'FEATURE_SET_INVALID',
      `version ${featureSet.version} of ${featureSet.name} is registered as ${digestKey(known.body.digest).slice(0, 12)} with other content: raise the version`,
    );
  }
  const body = { digest, featureSet };
  const isNew = await recordFacts(stores, [
    { kind: 'feature_set.registered', key, actor: request.actor, evidence: [digest], body },
  ]);
  return { digest, featureSet, isNew };
}
