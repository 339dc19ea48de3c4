/** Why: the rows of the projection that one step in the life of a feature set adds. */
import { assertNever, type LedgerEntry } from '@fleetloop/schemas';
import { row, type TableRow } from '../projection/tables.ts';
import type { FeatureSetState } from './feature-lifecycle.ts';

type StepEntry = Extract<LedgerEntry, { readonly kind: `feature_set.${string}` }>;
type Named = { readonly name: string; readonly version: number; readonly digest: string };

export function featureSetRows(entry: StepEntry): readonly TableRow[] {
  switch (entry.kind) {
    case 'feature_set.registered': {
      const { digest, featureSet } = entry.body;
      const { name, version } = featureSet;
      const named = { name, version, digest };
      return [row('feature_sets', { ...named, document: featureSet }), stateRow(entry, named, 'proposed')];
    }
    case 'feature_set.validated':
      return [stateRow(entry, entry.body, 'validated')];
    case 'feature_set.activated':
      return [stateRow(entry, entry.body, 'active')];
    case 'feature_set.deprecated':
      return [stateRow(entry, entry.body, 'deprecated')];
    default:
      return assertNever(entry);
  }
}

function stateRow(entry: StepEntry, { name, version, digest }: Named, state: FeatureSetState): TableRow {
  const { at, actor, reason, evidence } = entry;
  const successor = entry.kind === 'feature_set.deprecated' ? entry.body.successor : null;
  return row('feature_set_states', {
    name,
    version,
    digest,
    state,
    at,
    actor,
    reason: reason ?? null,
    evidence,
    successor: successor === null ? null : `${successor.name}@${successor.version}`,
  });
}
