/** Why: feature sets, runs and model versions are found by name, version or digest in many places, always the same way. */
import { type FactBody, type FeatureSet, FleetError } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';

export type RegisteredModel = FactBody<'model.registered'>;

/**
 * The newest version of the feature set of that name, or the one with that digest.
 * @throws FleetError NOT_FOUND
 */
export async function findFeatureSet(
  projection: Projection,
  reference: string,
): Promise<{ readonly digest: string; readonly featureSet: FeatureSet }> {
  const sets = (await projection.facts('feature_set.registered')).map(({ body }) => body);
  const found = sets.findLast(
    (entry) =>
      entry.digest === reference ||
      entry.featureSet.name === reference ||
      `${entry.featureSet.name}@${entry.featureSet.version}` === reference,
  );
  if (found !== undefined) return found;
  throw new FleetError(
    'NOT_FOUND',
    `no feature set ${reference} is registered: there is ${sets.map((entry) => entry.featureSet.name).join(', ') || 'none yet'}`,
  );
}

/** Versions of one model name, or of all, oldest first. The first fact of a version counts. */
export async function modelVersionsOf(projection: Projection, name?: string): Promise<readonly RegisteredModel[]> {
  const versions = new Map<string, RegisteredModel>();
  for (const { body } of await projection.facts('model.registered', { every: true })) {
    const key = `${body.name}@${body.version}`;
    if ((name === undefined || body.name === name) && !versions.has(key)) versions.set(key, body);
  }
  return [...versions.values()];
}

/** @throws FleetError NOT_FOUND */
export async function findModelVersion(
  projection: Projection,
  name: string,
  version: number,
): Promise<RegisteredModel> {
  const found = (await modelVersionsOf(projection, name)).find((entry) => entry.version === version);
  if (found === undefined) throw new FleetError('NOT_FOUND', `no model version ${name}@${version} is registered`);
  return found;
}

/** The newest run that gave a model. @throws FleetError NOT_FOUND */
export async function runOfModel(projection: Projection, model: string): Promise<FactBody<'run.finished'>> {
  const found = (await projection.facts('run.finished')).findLast(({ body }) => body.model === model);
  if (found === undefined) throw new FleetError('NOT_FOUND', `no training run gave the model ${model}`);
  return found.body;
}
