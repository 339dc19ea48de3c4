/** Why: lineage of what is said about feature sets: their steps, the tables computed with them, and how true vehicles are to them. */
import { assertNever, type LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, node, nodeId } from './lineage.ts';

type FeatureEntity = 'feature_set' | 'features' | 'skew';
export type FeatureEntry = Extract<LedgerEntry, { readonly kind: `${FeatureEntity}.${string}` }>;

export function lineageOfFeatures(entry: FeatureEntry, find: (name: string) => string): Lineage {
  switch (entry.kind) {
    case 'feature_set.registered': {
      const { digest, featureSet } = entry.body;
      const id = nodeId.featureSet(featureSet.name, featureSet.version);
      const detail = { digest, owner: featureSet.owner, features: featureSet.features.length, state: 'proposed' };
      return lineage(
        [node('feature-set', id, `${featureSet.name}@${featureSet.version}`, detail)],
        [],
        [{ name: digest, node: id }],
      );
    }
    case 'feature_set.validated': {
      const { report, recordings, windows } = entry.body;
      const set = stepNode(entry, { state: 'validated' });
      // A node of its own: what came of a recording is the report on the set, not all that is made with the set.
      const id = nodeId.parityReport(report);
      const made = recordings.map((recording) => edge(id, 'computed_from', nodeId.recording(recording)));
      return lineage(
        [set, node('parity-report', id, `${set.label} equal`, { windows })],
        [edge(id, 'judges', set.id), ...made],
      );
    }
    case 'feature_set.activated':
      return lineage([stepNode(entry, { state: 'active' })]);
    case 'feature_set.deprecated': {
      const { name, version, successor } = entry.body;
      const next = successor === null ? null : nodeId.featureSet(successor.name, successor.version);
      const replaced = next === null ? [] : [edge(next, 'replaces', nodeId.featureSet(name, version))];
      return lineage([stepNode(entry, { state: 'deprecated' })], replaced);
    }
    case 'features.computed': {
      const { table, featureSet, rows, recordings } = entry.body;
      const id = nodeId.featureTable(table);
      return lineage(
        [node('feature-table', id, `${rows} windows`, { recordings })],
        [edge(id, 'computed_with', find(featureSet.digest))],
      );
    }
    case 'skew.evaluated': {
      const { report, featureSet, verdict, windows } = entry.body;
      const id = nodeId.skewReport(report);
      const label = `${featureSet.name}@${featureSet.version} ${verdict}`;
      return lineage(
        [node('skew-report', id, label, { verdict, windows })],
        [edge(id, 'judges', find(featureSet.digest))],
      );
    }
    default:
      return assertNever(entry);
  }
}

type StepEntry = Exclude<
  Extract<FeatureEntry, { readonly kind: `feature_set.${string}` }>,
  { readonly kind: 'feature_set.registered' }
>;

function stepNode(entry: StepEntry, detail: Readonly<Record<string, unknown>>): ReturnType<typeof node> {
  const { name, version } = entry.body;
  return node('feature-set', nodeId.featureSet(name, version), `${name}@${version}`, detail);
}
