/**
 * Why: the tables of the projection as data, so that DDL, writing and comparing come from one place. Each row belongs to
 * the one ledger entry whose `sequence` it carries and rows are only ever added: "as of" is `WHERE sequence <= n`.
 *
 * To add a table: name its columns here, give its rows for a kind of fact in rows-of.ts (or a file that it calls), and
 * raise PROJECTION_VERSION. What lineage says of the fact stands in trace/lineage-of.ts. Nothing else: every file of the
 * former version is dropped and replayed.
 */
import { FleetError } from '@fleetloop/schemas';

/** Change this whenever tables or rows change: a file of another version is dropped and replayed. */
export const PROJECTION_VERSION = 4;

/** `json` is a VARCHAR with JSON text, which DuckDB's JSON functions read. */
export type ColumnType = 'text' | 'integer' | 'real' | 'flag' | 'json';
export type TableName = keyof typeof TABLES;
/** A value of a cell; objects only in `json` columns. */
export type Cell = string | number | bigint | boolean | null | object;
/** What a `json` cell is given as where its text is at hand. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
export type TableRow = { readonly table: TableName; readonly values: Readonly<Record<string, Cell>> };

export const TABLES = {
  facts: {
    kind: 'text',
    entity: 'text',
    key: 'text',
    at: 'text',
    at_ms: 'integer',
    actor: 'text',
    reason: 'text',
    evidence: 'json',
    body: 'json',
  },
  vehicles: {
    vehicle_id: 'text',
    public_key: 'text',
    hardware_revision: 'text',
    software_version: 'text',
    place: 'text',
    expires_at: 'text',
  },
  /** What stands of a vehicle's key: the newest row counts. */
  vehicle_keys: { vehicle_id: 'text', public_key: 'text', state: 'text', expires_at: 'text', reason: 'text' },
  campaigns: {
    campaign: 'text',
    version: 'integer',
    digest: 'text',
    vehicles: 'json',
    brief: 'text',
    document: 'json',
  },
  recordings: {
    recording: 'text',
    source: 'text',
    size_bytes: 'integer',
    messages: 'integer',
    start_ns: 'integer',
    end_ns: 'integer',
    vehicle_id: 'text',
    hardware_revision: 'text',
    software_version: 'text',
    session: 'text',
    event: 'text',
    brief: 'text',
    pull: 'text',
    attributes: 'json',
    topics: 'json',
    manifest: 'text',
    time_of_day: 'text',
    sun_elevation_degrees: 'real',
    weather: 'text',
    place_class: 'text',
    firmware: 'text',
    models: 'json',
    operator: 'text',
    consent: 'text',
    consent_scope: 'json',
    consent_expires_at: 'text',
    licence: 'text',
    licence_scope: 'json',
    licence_expires_at: 'text',
    synthetic: 'flag',
    generator: 'text',
    import_key: 'text',
  },
  quarantine: {
    recording: 'text',
    vehicle_id: 'text',
    event: 'text',
    code: 'text',
    message: 'text',
    source: 'text',
    report: 'text',
  },
  released: { recording: 'text', quarantine: 'integer', reason: 'text' },
  /** One row for each check of a recording, and one for each finding that stands in the ledger. */
  checks: {
    recording: 'text',
    standard: 'text',
    standard_version: 'integer',
    verdict: 'text',
    infos: 'integer',
    warnings: 'integer',
    errors: 'integer',
    report: 'text',
  },
  findings: {
    recording: 'text',
    position: 'integer',
    rule: 'text',
    version: 'integer',
    severity: 'text',
    topic: 'text',
    from_ns: 'text',
    to_ns: 'text',
    message: 'text',
    verdict: 'text',
    standard: 'text',
  },
  /** One row for each topic and software version: the form that it was first seen with, and in which recording. */
  forms: {
    recording: 'text',
    vehicle_id: 'text',
    hardware_revision: 'text',
    software_name: 'text',
    software_version: 'text',
    generator: 'text',
    topic: 'text',
    encoding: 'text',
    schema_name: 'text',
    schema_digest: 'text',
    fields: 'json',
    rate_hz: 'real',
  },
  lost_recordings: {
    vehicle_id: 'text',
    event: 'text',
    recording: 'text',
    size_bytes: 'integer',
    priority: 'text',
    session: 'text',
    campaigns: 'json',
    start_ns: 'integer',
    end_ns: 'integer',
    code: 'text',
    reason: 'text',
    lost_at: 'text',
  },
  /** One row for each thing that happened to a pull; the newest counts. */
  pulls: {
    pull_id: 'text',
    vehicle_id: 'text',
    state: 'text',
    request: 'json',
    events: 'json',
    code: 'text',
    reason: 'text',
  },
  labels: { recording: 'text', label: 'text', annotator: 'text', method: 'text' },
  feature_sets: { name: 'text', version: 'integer', digest: 'text', document: 'json' },
  /** One row for each step of a feature set's life; the newest one says how it stands. */
  feature_set_states: {
    name: 'text',
    version: 'integer',
    digest: 'text',
    state: 'text',
    at: 'text',
    actor: 'text',
    reason: 'text',
    evidence: 'json',
    successor: 'text',
  },
  datasets: {
    dataset: 'text',
    version: 'text',
    digest: 'text',
    specification: 'text',
    recordings: 'integer',
    excluded: 'integer',
  },
  dataset_recordings: {
    digest: 'text',
    recording: 'text',
    session: 'text',
    split: 'text',
    label: 'text',
    vehicle_id: 'text',
    hardware_revision: 'text',
    brief: 'text',
  },
  dataset_exclusions: { digest: 'text', recording: 'text', session: 'text', reason: 'text' },
  feature_tables: {
    digest: 'text',
    dataset: 'text',
    feature_set: 'text',
    rows: 'integer',
    train_rows: 'integer',
    test_rows: 'integer',
  },
  runs: {
    run_id: 'text',
    state: 'text',
    mlflow_run_id: 'text',
    trainer: 'text',
    seed: 'integer',
    dataset: 'text',
    feature_table: 'text',
    feature_set: 'text',
    model: 'text',
    seconds: 'real',
    message: 'text',
  },
  models: { name: 'text', version: 'integer', model: 'text', run_id: 'text', dataset: 'text', feature_set: 'text' },
  gates: {
    gate_id: 'text',
    model: 'text',
    model_name: 'text',
    model_version: 'integer',
    dataset: 'text',
    policy: 'text',
    verdict: 'text',
    overall: 'real',
    decided_by: 'text',
  },
  gate_slices: {
    gate_id: 'text',
    name: 'text',
    value: 'real',
    lower_bound: 'real',
    count: 'integer',
    runs: 'integer',
    required: 'flag',
    threshold: 'real',
    verdict: 'text',
  },
  promotions: {
    promotion_id: 'text',
    state: 'text',
    model: 'text',
    model_name: 'text',
    model_version: 'integer',
    gate: 'text',
    actor: 'text',
    reason: 'text',
  },
  bundles: {
    bundle: 'text',
    model: 'text',
    model_name: 'text',
    model_version: 'integer',
    feature_set: 'text',
    promotion: 'text',
  },
  rollouts: {
    rollout_id: 'text',
    phase: 'text',
    bundle: 'text',
    former_bundle: 'text',
    model: 'text',
    updated: 'json',
    rolled_back: 'json',
    seconds: 'real',
    reason: 'text',
  },
  actions: {
    rollout_id: 'text',
    vehicle_id: 'text',
    state: 'text',
    bundle: 'text',
    counter: 'integer',
    reason: 'text',
  },
  health: { rollout_id: 'text', wave: 'integer', verdict: 'text', findings: 'json' },
  anomalies: {
    anomaly_id: 'text',
    rollout_id: 'text',
    bundle: 'text',
    model: 'text',
    vehicles: 'json',
    hardware_revision: 'text',
    feature: 'text',
    since: 'text',
  },
  briefs: {
    brief_id: 'text',
    state: 'text',
    anomaly_id: 'text',
    owner: 'text',
    vehicles: 'json',
    recordings_wanted: 'integer',
    recordings: 'json',
    dataset: 'text',
    outcome: 'text',
  },
  regressions: { regression_id: 'text', anomaly_id: 'text', policy: 'text', slice: 'json', former_model: 'text' },
  /** Lineage: what each fact says about a node, and which node was made from which. */
  nodes: { id: 'text', kind: 'text', label: 'text', at: 'text', detail: 'json' },
  edges: { from_id: 'text', relation: 'text', to_id: 'text' },
  /** Which node a digest or another short name stands for, where a fact names a thing by that alone. */
  names: { name: 'text', node: 'text' },
} as const satisfies Record<string, Readonly<Record<string, ColumnType>>>;

export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

/** What a column of each type is in DuckDB. */
export const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  real: 'DOUBLE',
  flag: 'BOOLEAN',
  json: 'VARCHAR',
};

/** JSON texts hardly repeat: looking for what they have in common takes a checkpoint longer than writing them. */
const STORAGE: Readonly<Partial<Record<ColumnType, string>>> = { json: ' USING COMPRESSION uncompressed' };

/** Columns of a table in the order in which they are written; `sequence` is the first of each. */
export function columnsOf(table: TableName): readonly (readonly [string, ColumnType])[] {
  return COLUMNS[table];
}

const COLUMNS = Object.fromEntries(
  TABLE_NAMES.map((table) => [
    table,
    [['sequence', 'integer'], ...Object.entries(TABLES[table] as Readonly<Record<string, ColumnType>>)],
  ]),
) as unknown as Readonly<Record<TableName, readonly (readonly [string, ColumnType])[]>>;

/** The label of each recording: the one assigned last. */
export const CURRENT_LABELS =
  'SELECT * FROM labels QUALIFY row_number() OVER (PARTITION BY recording ORDER BY sequence DESC) = 1';

/** Statements that make an empty projection. There is no index: keeping one costs each row more than scanning a column costs a question. */
export function schemaStatements(): string[] {
  const tables = TABLE_NAMES.map((table) => {
    const columns = columnsOf(table).map(([name, type]) => `"${name}" ${SQL_TYPES[type]}${STORAGE[type] ?? ''}`);
    return `CREATE TABLE "${table}" (${columns.join(', ')})`;
  });
  return [
    ...tables,
    'CREATE TABLE applied (projection_version INTEGER, sequence BIGINT)',
    `INSERT INTO applied VALUES (${PROJECTION_VERSION}, 0)`,
    `CREATE VIEW current_labels AS ${CURRENT_LABELS}`,
  ];
}

/** The text of a cell in a `json` column. */
export function jsonTextOf(cell: Cell): string {
  return cell instanceof JsonText ? cell.text : JSON.stringify(cell);
}

export function row(table: TableName, values: Readonly<Record<string, Cell>>): TableRow {
  return { table, values };
}

/** The text of a cell in a `text` column. @throws FleetError INTERNAL_UNEXPECTED when it is something else */
export function textOf(cell: Cell | undefined): string {
  if (typeof cell === 'string') return cell;
  throw new FleetError('INTERNAL_UNEXPECTED', `a text column was given a ${typeof cell}`);
}
