/** What the registry knows of feature sets: each version with how it stands and how it got there. */
import { FeatureSet, FleetError } from '@fleetloop/schemas';
import type { Projection, Row } from '../ports.ts';
import type { FeatureSetState } from './feature-lifecycle.ts';

/** Feature sets in one answer; a fleet has dozens. */
export const FEATURE_SETS_LISTED_MAX = 1_000;

/** One step, as it stands in the ledger. */
export type FeatureSetStepTaken = {
  readonly state: FeatureSetState;
  readonly at: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly evidence: readonly string[];
  /** `name@version` of what takes its place. */
  readonly successor: string | null;
};

export type RegisteredFeatureSet = {
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly state: FeatureSetState;
  /** Of the last step. */
  readonly at: string;
  readonly proposer: string;
  readonly featureSet: FeatureSet;
  /** Oldest first. */
  readonly steps: readonly FeatureSetStepTaken[];
};

/** All versions by name, then version. `name` asks for those of one name. */
export async function listFeatureSets(projection: Projection, name?: string): Promise<readonly RegisteredFeatureSet[]> {
  const rows = await projection.query(
    `SELECT s.name, s.version, s.digest, s.document, t.state, t.at, t.actor, t.reason, t.evidence, t.successor
     FROM feature_sets s JOIN feature_set_states t ON t.name = s.name AND t.version = s.version
     WHERE $name::VARCHAR IS NULL OR s.name = $name
     ORDER BY s.name, s.version, t.sequence`,
    { name: name ?? null },
  );
  const versions = Map.groupBy(rows, (row) => idOf(String(row['name']), Number(row['version'])));
  if (versions.size > FEATURE_SETS_LISTED_MAX)
    throw new FleetError('FEATURE_LIMIT', `${versions.size} feature sets are registered: ask for those of one name`);
  return [...versions.values()].map(toRegistered);
}

/** @throws FleetError NOT_FOUND */
export async function readFeatureSetVersion(
  projection: Projection,
  { name, version }: { readonly name: string; readonly version: number },
): Promise<RegisteredFeatureSet> {
  const found = (await listFeatureSets(projection, name)).find((each) => each.version === version);
  if (found === undefined) throw new FleetError('NOT_FOUND', `no feature set ${idOf(name, version)} is registered`);
  return found;
}

/**
 * A digest or `name@version` is that version, whatever its state. A name alone is the newest active version; where none is
 * active, the newest that is not deprecated; where all are, the newest.
 * @throws FleetError NOT_FOUND
 */
export async function findRegistered(projection: Projection, reference: string): Promise<RegisteredFeatureSet> {
  const all = await listFeatureSets(projection);
  const exact = all.find((each) => each.digest === reference || idOf(each.name, each.version) === reference);
  const named = all.filter((each) => each.name === reference);
  const found =
    exact ??
    named.findLast((each) => each.state === 'active') ??
    named.findLast((each) => each.state !== 'deprecated') ??
    named.at(-1);
  if (found !== undefined) return found;
  const names = [...new Set(all.map((each) => each.name))].join(', ');
  throw new FleetError('NOT_FOUND', `no feature set ${reference} is registered: there is ${names || 'none yet'}`);
}

export function idOf(name: string, version: number): string {
  return `${name}@${version}`;
}

function toRegistered(rows: readonly Row[]): RegisteredFeatureSet {
  const steps = rows.map(toStep);
  const [first, last] = [steps[0] as FeatureSetStepTaken, steps.at(-1) as FeatureSetStepTaken];
  const row = rows[0] as Row;
  return {
    name: String(row['name']),
    version: Number(row['version']),
    digest: String(row['digest']),
    state: last.state,
    at: last.at,
    proposer: first.actor,
    featureSet: FeatureSet.parse(JSON.parse(String(row['document']))),
    steps,
  };
}

function toStep(row: Row): FeatureSetStepTaken {
  const text = (column: string): string | null => (typeof row[column] === 'string' ? row[column] : null);
  return {
    state: String(row['state']) as FeatureSetState,
    at: String(row['at']),
    actor: String(row['actor']),
    reason: text('reason'),
    evidence: JSON.parse(text('evidence') ?? '[]') as string[],
    successor: text('successor'),
  };
}
