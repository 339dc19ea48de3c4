/** Why: every later stage starts from a frozen version, found by name or digest. */
import { type FactBody, FleetError } from '@fleetloop/schemas';
import type { Projection } from '../ports.ts';

export type FrozenVersion = FactBody<'dataset.frozen'>;

/** All frozen versions, oldest first. */
export async function frozenVersions(projection: Projection): Promise<readonly FrozenVersion[]> {
  return (await projection.facts('dataset.frozen')).map(({ body }) => body);
}

/**
 * The version that `name/version` or a digest means.
 * @throws FleetError NOT_FOUND naming what exists
 */
export async function findDataset(projection: Projection, reference: string): Promise<FrozenVersion> {
  const versions = await frozenVersions(projection);
  const found = versions.find((entry) => entry.digest === reference || nameOf(entry) === reference);
  if (found !== undefined) return found;
  throw new FleetError(
    'NOT_FOUND',
    `no dataset version ${reference} is frozen: there is ${versions.map(nameOf).join(', ') || 'none yet'}`,
  );
}

const nameOf = (entry: FrozenVersion): string => `${entry.dataset}/${entry.version}`;
