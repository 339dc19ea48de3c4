/** Why: runs and model versions are found by name, version or digest in many places, always the same way. */
import { type FactBody, FleetError } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';

export type RegisteredModel = FactBody<'model.registered'>;

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
