/** A campaign: which moments a vehicle keeps, as data. Identified by the digest of its canonical JSON. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';

/** Longest pre- and post-window, ms; bounds the memory of the ring. */
export const WINDOW_MS_MAX = 120_000;
export const CAMPAIGN_INPUTS_MAX = 64;
export const CONDITION_LENGTH_MAX = 2_000;

const id = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/, 'use a-z, 0-9, - and _');

/**
 * One declared input of the condition, by the name that the CEL expression uses.
 * `signal` reads the latest value of a signal, converted into `unit`; it is absent until the first value and while NaN.
 * `model` reads a field of the latest inference: output (string), confidence (0..1), distance, of role active or shadow.
 */
const CampaignInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('signal'),
    name: z.string().regex(/^[a-z][a-zA-Z0-9_]{0,62}$/),
    path: z.string().max(256),
    unit: z.string().max(32),
  }),
  z.strictObject({
    kind: z.literal('model'),
    name: z.string().regex(/^[a-z][a-zA-Z0-9_]{0,62}$/),
    field: z.enum(['output', 'confidence', 'distance']),
    role: z.enum(['active', 'shadow']),
  }),
]);
export type CampaignInput = z.infer<typeof CampaignInput>;

export const Campaign = z.strictObject({
  kind: z.literal('campaign'),
  id,
  version: z.int().min(1).max(1_000_000),
  description: z.string().max(1_000),
  owner: z.string().min(1).max(128),
  /** Upload order: safety before normal before bulk. */
  priority: z.enum(['safety', 'normal', 'bulk']),
  inputs: z.array(CampaignInput).min(1).max(CAMPAIGN_INPUTS_MAX),
  /** CEL over the declared inputs, of type bool; `abs(x)` is available. False while an input it needs is absent. */
  condition: z.string().min(1).max(CONDITION_LENGTH_MAX),
  preWindowMs: z.int().min(0).max(WINDOW_MS_MAX),
  postWindowMs: z.int().min(0).max(WINDOW_MS_MAX),
  /** After a trigger, further triggers inside this time extend nothing and are not listed; 0 lists every sample that fires. */
  cooldownMs: z.int().min(0).max(3_600_000).default(0),
  /** Topics to keep; absent keeps all. */
  topics: z.array(z.string().max(256)).max(256).optional(),
  /** Longest recording of one event, ms; a longer chain of merged windows is closed and a new event begins. */
  eventMsMax: z.int().min(1_000).max(3_600_000).default(600_000),
  /** The data brief that asked for this campaign. */
  brief: z.string().max(64).optional(),
});
export type Campaign = z.infer<typeof Campaign>;

/** Priority classes in the order in which they are uploaded. */
export const PRIORITIES = ['safety', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** @throws FleetError CAMPAIGN_INVALID naming each field that is wrong */
export function parseCampaign(document: unknown): Campaign {
  const parsed = Campaign.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('CAMPAIGN_INVALID', `the campaign is not valid: ${z.prettifyError(parsed.error)}`);
}
