/** What rests on a feature set, from the lineage: whoever changes or ends one wants to know whom it concerns. */
import type { Projection } from '../ports.ts';
import { nodeId } from '../trace/lineage.ts';
import { ProjectionGraph } from '../trace/projection-graph.ts';
import { type TraceNode, TraceWalk } from '../trace/trace-walk.ts';
import { idOf } from './feature-registry.ts';
import type { FeatureSetId } from './feature-steps.ts';

/** Things of one kind in an answer. */
export const USED_BY_LISTED_MAX = 200;

export type UsedThing = { readonly id: string; readonly label: string; readonly at: string | null };
export type UsedBy = {
  readonly datasets: readonly UsedThing[];
  readonly featureTables: readonly UsedThing[];
  readonly models: readonly UsedThing[];
  readonly bundles: readonly UsedThing[];
  readonly rollouts: readonly UsedThing[];
  /** Evaluations of drift, bias or skew over its tables and vectors. */
  readonly monitors: readonly UsedThing[];
  /** Feature sets that it takes the place of. */
  readonly replaces: readonly string[];
  /** There is more than is listed. */
  readonly truncated: boolean;
};

/** As of what `projection` knows. */
export async function usedBy(projection: Projection, { name, version }: FeatureSetId): Promise<UsedBy> {
  const walk = new TraceWalk(new ProjectionGraph(projection, projection.appliedSequence()));
  const from = nodeId.featureSet(name, version);
  walk.add(from);
  await walk.go(from, 'up');
  const tables = new Set(walk.idsOf('feature-table'));
  const nodes = await walk.describe();
  let truncated = walk.truncated;
  const ofKind = (...kinds: readonly string[]): readonly UsedThing[] => {
    const found = nodes.filter((node) => kinds.includes(node.kind)).map(toThing);
    truncated ||= found.length > USED_BY_LISTED_MAX;
    return found.slice(0, USED_BY_LISTED_MAX);
  };
  const things = {
    featureTables: ofKind('feature-table'),
    models: ofKind('model'),
    bundles: ofKind('bundle'),
    rollouts: ofKind('rollout'),
    monitors: ofKind('drift-report', 'bias-report', 'skew-report'),
  };
  const datasets = await datasetsOf(projection, tables);
  return {
    datasets: datasets.slice(0, USED_BY_LISTED_MAX),
    ...things,
    replaces: await replacedBy(projection, idOf(name, version)),
    truncated: truncated || datasets.length > USED_BY_LISTED_MAX,
  };
}

/** A table was computed from a dataset with a feature set: the dataset lies on the other side of it. */
async function datasetsOf(projection: Projection, tables: ReadonlySet<string>): Promise<readonly UsedThing[]> {
  const found = new Map<string, UsedThing>();
  for (const table of tables) {
    const rows = await projection.query(
      `SELECT e.to_id AS id, any_value(n.label) AS label, min(n.at) AS at FROM edges e LEFT JOIN nodes n ON n.id = e.to_id
       WHERE e.from_id = $table AND e.to_id LIKE 'dataset:%' GROUP BY e.to_id`,
      { table },
    );
    for (const row of rows) {
      const [id, label, at] = [row['id'], row['label'], row['at']].map((value) =>
        typeof value === 'string' ? value : null,
      );
      if (typeof id === 'string') found.set(id, { id, label: label ?? id, at: at ?? null });
    }
  }
  return [...found.values()].toSorted((left, right) => left.id.localeCompare(right.id));
}

async function replacedBy(projection: Projection, successor: string): Promise<readonly string[]> {
  const rows = await projection.query(
    'SELECT DISTINCT name, version FROM feature_set_states WHERE successor = $successor ORDER BY name, version',
    { successor },
  );
  return rows.map((row) => idOf(String(row['name']), Number(row['version'])));
}

const toThing = ({ id, label, at }: TraceNode): UsedThing => ({ id, label, at });
