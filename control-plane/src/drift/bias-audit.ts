/** The bias audit as a file: which groups of the fleet a model, or its inputs, must not treat differently. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { type DriftMonitor, parseDriftMonitor, SEVERITIES } from './drift-monitor.ts';
import { KEYS_MAX } from './sketch-definition.ts';

/** The category feature that label and prediction are counted in. */
export const OUTCOME = 'outcome';
const ATTRIBUTES_MAX = KEYS_MAX;

const name = z.string().min(1).max(128);

export const BiasAudit = z
  .strictObject({
    kind: z.literal('bias-audit'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: z.int().min(1),
    owner: name,
    severity: z.enum(SEVERITIES).default('warning'),
    /** Columns of true and predicted labels; absent: only distributions are compared. */
    outcome: z.strictObject({ label: name, prediction: name }).optional(),
    session: name.nullable(),
    /** Columns whose values are the groups: region, hardware revision, … Each group is held against all others. */
    attributes: z.array(name).min(1).max(ATTRIBUTES_MAX),
    /** Numeric columns whose distribution is compared. */
    features: z.array(name).max(500).default([]),
    /** Differences below these are not worth anybody's attention. */
    thresholds: z
      .strictObject({
        accuracy: z.number().min(0).max(1).default(0.05),
        recall: z.number().min(0).max(1).default(0.1),
        distribution: z.number().min(0).max(1).default(0.2),
      })
      .prefault({}),
    /** Of the two-sided intervals. */
    confidence: z.number().min(0.5).max(0.999).default(0.95),
    sampleMin: z.strictObject({ rows: z.int().min(1).default(50), sessions: z.int().min(1).default(4) }).prefault({}),
    correction: z
      .strictObject({
        method: z.enum(['benjamini-hochberg', 'holm']).default('holm'),
        level: z.number().gt(0).max(0.5).default(0.05),
      })
      .prefault({}),
  })
  .refine((audit) => audit.outcome !== undefined || audit.features.length > 0, {
    message: 'name the columns of the outcome, or features: there is nothing to compare',
  });
export type BiasAudit = Readonly<z.infer<typeof BiasAudit>>;

/** @throws FleetError DRIFT_MONITOR_INVALID naming each field that is wrong */
export function parseBiasAudit(document: unknown): BiasAudit {
  const parsed = BiasAudit.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('DRIFT_MONITOR_INVALID', `the bias audit is not valid: ${z.prettifyError(parsed.error)}`);
}

/** What an audit counts is what a monitor counts: its rows are sketched by the same means. */
export function countedByAudit(audit: BiasAudit): DriftMonitor {
  const outcome = audit.outcome && {
    kind: 'category',
    name: OUTCOME,
    columns: [audit.outcome.label, audit.outcome.prediction],
  };
  return parseDriftMonitor({
    kind: 'drift-monitor',
    name: audit.name,
    version: audit.version,
    owner: audit.owner,
    session: audit.session,
    keys: audit.attributes.map((attribute) => ({ name: attribute, column: attribute, as: 'text' })),
    features: [
      ...(outcome === undefined ? [] : [outcome]),
      ...audit.features.map((feature) => ({ kind: 'numeric', name: feature })),
    ],
  });
}
