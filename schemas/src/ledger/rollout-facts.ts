/** The facts about rollouts: which vehicle got what, how it did, and what was made of an anomaly. */
import { z } from 'zod';
import { digestText } from '../package/bundle.ts';
import { shortText, text } from './fact-fields.ts';

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

export const ROLLOUT_FACTS = {
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
} as const;
