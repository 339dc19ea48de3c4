/**
 * Why: the words of the lineage graph. An edge points **down**, from what was made to what it was made from or because
 * of; against the edges is **up**, to what came of it.
 */

export type LineageNode = {
  readonly id: string;
  readonly kind: NodeKind;
  readonly label: string;
  readonly detail: Readonly<Record<string, unknown>>;
};
export type LineageEdge = { readonly from: string; readonly relation: Relation; readonly to: string };
/** From now on `name` (a digest, `campaign:<id>` or `health:<rollout>`) stands for `node`. */
export type LineageName = { readonly name: string; readonly node: string };
export type Lineage = {
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  readonly names: readonly LineageName[];
};
/** The node that a name stood for when the entry was written. */
export type ResolveName = (name: string) => string | undefined;

export const NODE_KINDS = [
  'vehicle',
  'campaign',
  'event',
  'recording',
  'import',
  'generator',
  'check',
  'standard',
  'quarantine',
  'release',
  'lost-recording',
  'pull',
  'label',
  'feature-set',
  'dataset',
  'feature-table',
  'monitor',
  'drift-report',
  'audit',
  'bias-report',
  'skew-report',
  'parity-report',
  'run',
  'model',
  'policy',
  'gate',
  'promotion',
  'bundle',
  'rollout',
  'wave',
  'action',
  'health',
  'rollback',
  'anomaly',
  'brief',
  'regression',
  'inference',
] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

/** Read an edge as a sentence: `recording holds event`. */
export const RELATIONS = [
  'captured_by',
  'recorded_by',
  'holds',
  'asked_for_by',
  'answers',
  'describes',
  'trains_on',
  'tests_on',
  'labelled_by',
  'excludes',
  'computed_from',
  'computed_with',
  'trained_on',
  'produced_by',
  'evaluates',
  'judged_on',
  'judged_by',
  'proposes',
  'rests_on',
  'packages',
  'allowed_by',
  'ships',
  'replaces',
  'part_of',
  'on',
  'judges',
  'undoes',
  'seen_in',
  'seen_on',
  'found_by',
  'opened_for',
  'built_for',
  'made_from',
  'holds_against',
  'made_by',
] as const;
export type Relation = (typeof RELATIONS)[number];

/** A trace shows what these lead to and goes no further: nothing was made of what was left out, replaced or refused. */
export const END_RELATIONS: readonly Relation[] = ['excludes', 'replaces', 'holds_against'];

export const nodeId = {
  vehicle: (id: string): string => `vehicle:${id}`,
  event: (id: string): string => `event:${id}`,
  campaign: (id: string, version: number): string => `campaign:${id}@${version}`,
  recording: (digest: string): string => `recording:${digest}`,
  import: (key: string): string => `import:${key}`,
  generator: (name: string, version: string): string => `generator:${name}@${version}`,
  check: (report: string): string => `check:${report}`,
  standard: (digest: string): string => `standard:${digest}`,
  quarantine: (digest: string): string => `quarantine:${digest}`,
  release: (quarantine: number): string => `release:${quarantine}`,
  lostRecording: (vehicle: string, event: string): string => `lost-recording:${vehicle}/${event}`,
  pull: (id: string): string => `pull:${id}`,
  label: (recording: string, label: string): string => `label:${recording}/${label}`,
  featureSet: (name: string, version: number): string => `feature-set:${name}@${version}`,
  dataset: (dataset: string, version: string): string => `dataset:${dataset}/${version}`,
  featureTable: (digest: string): string => `feature-table:${digest}`,
  monitor: (digest: string): string => `monitor:${digest}`,
  driftReport: (digest: string): string => `drift-report:${digest}`,
  audit: (digest: string): string => `audit:${digest}`,
  biasReport: (digest: string): string => `bias-report:${digest}`,
  parityReport: (digest: string): string => `parity-report:${digest}`,
  skewReport: (digest: string): string => `skew-report:${digest}`,
  run: (id: string): string => `run:${id}`,
  model: (name: string, version: number): string => `model:${name}@${version}`,
  policy: (digest: string): string => `policy:${digest}`,
  gate: (id: string): string => `gate:${id}`,
  promotion: (id: string): string => `promotion:${id}`,
  bundle: (digest: string): string => `bundle:${digest}`,
  rollout: (id: string): string => `rollout:${id}`,
  wave: (rollout: string, wave: number): string => `wave:${rollout}/${wave}`,
  action: (rollout: string, vehicle: string): string => `action:${rollout}/${vehicle}`,
  health: (rollout: string, sequence: number): string => `health:${rollout}/${sequence}`,
  rollback: (rollout: string): string => `rollback:${rollout}`,
  anomaly: (id: string): string => `anomaly:${id}`,
  brief: (id: string): string => `brief:${id}`,
  regression: (id: string): string => `regression:${id}`,
  inference: (vehicle: string, sequence: number): string => `inference:${vehicle}:${sequence}`,
} as const;

/** A node as one fact speaks of it. */
export function node(
  kind: NodeKind,
  id: string,
  label: string,
  detail: Readonly<Record<string, unknown>>,
): LineageNode {
  return { id, kind, label, detail };
}

export function edge(from: string, relation: Relation, to: string): LineageEdge {
  return { from, relation, to };
}

export function lineage(
  nodes: readonly LineageNode[],
  edges: readonly LineageEdge[] = [],
  names: readonly LineageName[] = [],
): Lineage {
  return { nodes, edges, names };
}
