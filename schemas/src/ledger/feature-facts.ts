/** The facts about features: what a definition means and who answers for it, and what its values were found to be. */
import { z } from 'zod';
import { FeatureSet } from '../features/feature-set.ts';
import { digestText } from '../package/bundle.ts';
import { shortText, text } from './fact-fields.ts';

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

export const FEATURE_FACTS = {
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
} as const;
