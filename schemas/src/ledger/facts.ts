/** The kinds of facts that the ledger holds, each with its body; whatever the system knows is derived from these. */
import { z } from 'zod';
import { Campaign } from '../campaign/campaign.ts';
import { DatasetVersion } from '../dataset/dataset-version.ts';
import { FeatureSet } from '../features/feature-set.ts';
import { PULL_STATES, PullRequest } from '../assign/desired-state.ts';
import { digestText } from '../package/bundle.ts';
import { RECORDING_FACTS } from './recording-facts.ts';

const text = z.string().max(4_096);
const shortText = z.string().min(1).max(256);
const driftVerdict = z.enum(['passed', 'failed', 'inconclusive']);
const driftCounts = z.strictObject({
  passed: z.int().min(0),
  failed: z.int().min(0),
  inconclusive: z.int().min(0),
});
const featureSetName = {
  digest: digestText,
  name: shortText,
  version: z.int().min(1),
};
const sliceResult = z.strictObject({
  name: shortText,
  value: z.number().nullable(),
  lowerBound: z.number().nullable(),
  count: z.int().min(0),
  runs: z.int().min(0),
  required: z.boolean(),
  threshold: z.number().nullable(),
  verdict: z.enum(['passed', 'failed', 'error', 'inconclusive']),
  reason: text,
});

export const GateResult = z.strictObject({
  verdict: z.enum(['passed', 'failed', 'error', 'inconclusive']),
  overall: z.number(),
  slices: z.array(sliceResult).max(256),
  /** The slice or rule that decided, in words. */
  decidedBy: text,
  assumption: text,
});
export type GateResult = z.infer<typeof GateResult>;

export const HEALTH_VERDICTS = ['passed', 'failed', 'inconclusive'] as const;
export const ROLLOUT_PHASES = [
  'pending',
  'progressing',
  'paused',
  'healthy',
  'degraded',
  'aborted',
  'rolled_back',
] as const;
export const ACTION_STATES = [
  'assigned',
  'activated',
  'confirmed',
  'refused',
  'silent',
  'rolling_back',
  'rolled_back',
] as const;

/** One cause for a health verdict, with the figures it rests on. */
export const HealthFinding = z.strictObject({
  rule: shortText,
  verdict: z.enum(HEALTH_VERDICTS),
  hardwareRevision: z.string(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  windows: z.int().min(0),
  controlWindows: z.int().min(0),
  /** Feature that differs most, when the rule is about features. */
  feature: z.string().optional(),
  vehicles: z.array(shortText).max(10_000),
  message: text,
});
export type HealthFinding = z.infer<typeof HealthFinding>;

/** Body of each fact kind. The kind's first word is the entity, whose id is the key of the ledger subject. */
export const FACTS = {
  'vehicle.enrolled': z.strictObject({
    vehicleId: shortText,
    publicKey: shortText,
    hardwareRevision: shortText,
    softwareVersion: shortText,
    place: z.string(),
    /** When its credentials stop to be good; absent: never. */
    expiresAt: z.iso.datetime().optional(),
  }),
  /** New credentials, for the key that it had or for another one. */
  'vehicle.renewed': z.strictObject({
    vehicleId: shortText,
    publicKey: shortText,
    expiresAt: z.iso.datetime().optional(),
  }),
  /** Nothing that this key signs is taken any more. */
  'vehicle.revoked': z.strictObject({ vehicleId: shortText, publicKey: shortText, reason: text }),
  'campaign.published': z.strictObject({
    campaign: Campaign,
    digest: digestText,
    vehicles: z.array(shortText).max(10_000),
    brief: z.string().nullable(),
  }),
  'campaign.ended': z.strictObject({ campaignId: shortText, vehicles: z.array(shortText).max(10_000), reason: text }),
  ...RECORDING_FACTS,
  'pull.requested': z.strictObject({ pullId: shortText, vehicleId: shortText, request: PullRequest }),
  'pull.cancelled': z.strictObject({ pullId: shortText, vehicleId: shortText, reason: text }),
  /** The vehicle has answered: what it captured, or why it could not. */
  'pull.finished': z.strictObject({
    pullId: shortText,
    vehicleId: shortText,
    state: z.enum(PULL_STATES),
    eventIds: z.array(z.string()).max(64),
    code: z.string().optional(),
    reason: text.optional(),
  }),
  'label.assigned': z.strictObject({ recording: digestText, label: shortText, annotator: shortText, method: text }),
  /** Proposed: from here on these bytes are what name and version mean. */
  'feature_set.registered': z.strictObject({ digest: digestText, featureSet: FeatureSet }),
  /** Somebody else than the proposer had both engines compared, on these recordings. */
  'feature_set.validated': z.strictObject({
    ...featureSetName,
    validationId: shortText,
    /** Who answers for validation according to the definition; the actor of the fact is who did it. */
    validator: shortText,
    recordings: z.array(digestText).min(1).max(512),
    windows: z.int().min(1),
    /** Of all features and windows; null where one engine had a value and the other had none. */
    worstAbsolute: z.number().nullable(),
    /** Digest of the parity report. */
    report: digestText,
  }),
  'feature_set.activated': z.strictObject({ ...featureSetName, reports: z.array(digestText).min(1).max(64) }),
  'feature_set.deprecated': z.strictObject({
    ...featureSetName,
    /** Name and version of what takes its place. */
    successor: z.strictObject({ ...featureSetName }).nullable(),
  }),
  /** Vectors that vehicles reported, held against their recomputation from recordings and from the inputs that vehicles sampled. */
  'skew.evaluated': z.strictObject({
    evaluationId: shortText,
    featureSet: z.strictObject({ ...featureSetName }),
    owner: shortText,
    verdict: driftVerdict,
    /** Reported and sampled windows, and what became of each. */
    windows: z.strictObject({
      logged: z.int().min(0),
      compared: z.int().min(0),
      uncovered: z.int().min(0),
      unmatched: z.int().min(0),
      malformed: z.int().min(0),
      outside: z.int().min(0),
      withheld: z.int().min(0),
      incomparable: z.int().min(0),
      enginesApart: z.int().min(0),
    }),
    differs: z
      .array(
        z.strictObject({
          feature: shortText,
          transform: shortText,
          /** `all`, or the vehicle, firmware, hardware revision or variant, as `kind:value`. */
          group: z.string().max(300),
          shareOutside: z.number(),
        }),
      )
      .max(64),
    differsCount: z.int().min(0),
    report: digestText,
  }),
  /** Features of many recordings in one table. */
  'features.computed': z.strictObject({
    computationId: shortText,
    featureSet: z.strictObject({ ...featureSetName }),
    /** CEL over the catalogue; null takes all of it. */
    where: text.nullable(),
    /** Ledger sequence up to which recordings were taken. */
    asOf: z.int().min(0),
    recordings: z.int().min(0),
    /** Recordings without the signals that the features need, the first ones. */
    skipped: z.array(digestText).max(64),
    skippedCount: z.int().min(0),
    /** Samples that came after all their windows had closed, and are in none. */
    lateSamples: z.int().min(0),
    rows: z.int().min(0),
    table: digestText,
  }),
  'dataset.frozen': z.strictObject({
    digest: digestText,
    dataset: shortText,
    version: shortText,
    document: DatasetVersion,
  }),
  'feature_table.computed': z.strictObject({
    digest: digestText,
    dataset: digestText,
    featureSet: digestText,
    rows: z.int(),
    recordings: z.int(),
    trainRows: z.int(),
    testRows: z.int(),
  }),
  /** Rows held against a reference: which partitions, by which monitor, with what verdict; the report has every figure. */
  'drift.evaluated': z.strictObject({
    evaluationId: shortText,
    monitor: digestText,
    monitorName: shortText,
    monitorVersion: z.int().min(1),
    owner: shortText,
    /** The first ones; the counts say how many there are. */
    reference: z.array(digestText).max(64),
    referenceCount: z.int().min(0),
    current: z.array(digestText).max(64),
    currentCount: z.int().min(0),
    /** Bins and categories that both sides were counted by. */
    definition: digestText,
    sketches: z.strictObject({ reference: digestText, current: digestText }),
    report: digestText,
    rows: z.strictObject({ reference: z.int().min(0), current: z.int().min(0) }),
    verdict: driftVerdict,
    counts: driftCounts,
    alerts: z
      .array(
        z.strictObject({
          feature: shortText,
          slice: shortText,
          season: z.array(z.string().max(256)).max(8),
          owner: shortText,
          severity: z.enum(['info', 'warning', 'error']),
          tests: z.array(shortText).max(16),
        }),
      )
      .max(64),
    alertCount: z.int().min(0),
  }),
  /** Groups of one table held against each other. */
  'bias.audited': z.strictObject({
    evaluationId: shortText,
    audit: digestText,
    auditName: shortText,
    auditVersion: z.int().min(1),
    owner: shortText,
    tables: z.array(digestText).max(64),
    tableCount: z.int().min(0),
    definition: digestText,
    report: digestText,
    rows: z.int().min(0),
    verdict: driftVerdict,
    counts: driftCounts,
    findings: z
      .array(
        z.strictObject({
          attribute: shortText,
          group: z.string().max(256),
          measure: z.string().max(600),
          difference: z.number(),
        }),
      )
      .max(64),
    findingCount: z.int().min(0),
  }),
  'run.finished': z.strictObject({
    runId: shortText,
    mlflowRunId: z.string().nullable(),
    trainer: shortText,
    seed: z.int(),
    dataset: digestText,
    featureTable: digestText,
    featureSet: digestText,
    model: digestText,
    artifacts: z.record(z.string(), digestText),
    parameters: z.record(z.string(), z.union([z.string(), z.number()])),
    metrics: z.record(z.string(), z.number()),
    seconds: z.number(),
  }),
  'run.failed': z.strictObject({ runId: shortText, dataset: digestText, code: shortText, message: text }),
  'model.registered': z.strictObject({
    name: shortText,
    version: z.int().min(1),
    model: digestText,
    runId: shortText,
    dataset: digestText,
    featureSet: digestText,
    datasetName: z.string(),
    featureSetName: z.string(),
  }),
  'gate.evaluated': z.strictObject({
    gateId: shortText,
    model: digestText,
    modelName: shortText,
    modelVersion: z.int(),
    dataset: digestText,
    policy: digestText,
    predictions: digestText,
    result: GateResult,
  }),
  'promotion.proposed': z.strictObject({
    promotionId: shortText,
    modelName: shortText,
    modelVersion: z.int(),
    model: digestText,
    gate: shortText,
    dataset: digestText,
    policy: digestText,
    proposer: shortText,
    expiresAt: z.iso.datetime(),
  }),
  'promotion.approved': z.strictObject({
    promotionId: shortText,
    model: digestText,
    dataset: digestText,
    policy: digestText,
    approver: shortText,
    reason: text,
  }),
  'promotion.refused': z.strictObject({ promotionId: shortText, model: digestText, by: shortText, reason: text }),
  'bundle.built': z.strictObject({
    bundle: digestText,
    model: digestText,
    modelName: shortText,
    modelVersion: z.int(),
    featureSet: digestText,
    variants: z.record(z.string(), digestText),
    promotion: shortText,
  }),
  'rollout.started': z.strictObject({
    rolloutId: shortText,
    bundle: digestText,
    formerBundle: digestText.nullable(),
    model: digestText,
    waves: z.array(z.array(shortText)).max(100),
    healthRule: z.string(),
  }),
  'rollout.wave': z.strictObject({ rolloutId: shortText, wave: z.int().min(0), vehicles: z.array(shortText) }),
  'rollout.action': z.strictObject({
    rolloutId: shortText,
    vehicleId: shortText,
    state: z.enum(ACTION_STATES),
    bundle: digestText.nullable(),
    counter: z.int(),
    reason: text,
  }),
  'rollout.health': z.strictObject({
    rolloutId: shortText,
    wave: z.int().min(0),
    verdict: z.enum(HEALTH_VERDICTS),
    findings: z.array(HealthFinding).max(256),
  }),
  'rollout.finished': z.strictObject({
    rolloutId: shortText,
    phase: z.enum(ROLLOUT_PHASES),
    updated: z.array(shortText),
    rolledBack: z.array(shortText),
    reason: text,
    seconds: z.number(),
  }),
  'anomaly.opened': z.strictObject({
    anomalyId: shortText,
    rolloutId: shortText,
    bundle: digestText,
    model: digestText,
    vehicles: z.array(shortText),
    hardwareRevision: shortText,
    feature: z.string(),
    since: z.iso.datetime(),
    findings: z.array(HealthFinding).max(256),
  }),
  'brief.opened': z.strictObject({
    briefId: shortText,
    anomalyId: shortText,
    owner: shortText,
    vehicles: z.array(shortText),
    recordingsWanted: z.int().min(1),
    text,
  }),
  'brief.closed': z.strictObject({
    briefId: shortText,
    recordings: z.array(digestText).max(100_000),
    dataset: digestText.nullable(),
    outcome: text,
  }),
  /** A confirmed failure that every later gate must hold: a named slice that is added to the policy. */
  'regression.added': z.strictObject({
    regressionId: shortText,
    anomalyId: shortText,
    policyName: shortText,
    slice: z.strictObject({
      name: shortText,
      where: shortText,
      countMin: z.int().min(1),
      runsMin: z.int().min(1),
      lowerBoundMin: z.number(),
    }),
    formerModel: digestText,
  }),
  /** From this entry on, checkpoints are signed with another key; the former key says so, and the new one that it is held. */
  'checkpoint.key_rotated': z.strictObject({
    /** Verifier keys in the text form of Go's sumdb/note. */
    formerKey: shortText,
    key: shortText,
    /** A signed note that names both keys and carries a signature of each. */
    note: text,
    /** Sequence of the rotation before this one; 0 for the first. */
    formerRotation: z.int().min(0),
  }),
} as const;

export type FactKind = keyof typeof FACTS;
export type FactBody<Kind extends FactKind> = z.infer<(typeof FACTS)[Kind]>;
/** A fact as a tagged union over all kinds. */
export type Fact = { [Kind in FactKind]: { readonly kind: Kind; readonly body: FactBody<Kind> } }[FactKind];
