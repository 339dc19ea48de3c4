/** A campaign: which moments a vehicle keeps, as data. Identified by the digest of its canonical JSON. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import { CAMPAIGN_INPUTS_MAX, CampaignInput } from './campaign-inputs.ts';
import { Attributes, CAMPAIGN_TESTS_MAX, CampaignTest } from './campaign-trace.ts';

/** Longest pre- and post-window, ms; bounds the memory of the ring. */
export const WINDOW_MS_MAX = 120_000;
export const CONDITION_LENGTH_MAX = 2_000;
/** Longest time that a condition can be asked to hold, ms. */
const FOR_MS_MAX = 3_600_000;
const TOPICS_MAX = 256;

const id = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/, 'use a-z, 0-9, - and _');

const topics = z.array(z.string().max(256)).max(TOPICS_MAX);

/** Over a budget the campaign is quiet until there is room again; others do not notice. */
const Budgets = z.strictObject({
  /** Recordings in any 60 minutes of session time. */
  eventsPerHour: z.int().min(1).max(3_600).optional(),
  /** Bytes of its recordings in any 24 hours of session time. */
  bytesPerDay: z.int().min(1).max(1_000_000_000_000).optional(),
});

const CampaignFields = z.strictObject({
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
  /** The condition must have held for so long. A sample at which an input that it needs is absent ends the holding. */
  forMs: z.int().min(1).max(FOR_MS_MAX).optional(),
  /** `level` (default) lists each sample at which the condition holds; `rising` fires once, when it begins to. */
  edge: z.enum(['rising', 'level']).optional(),
  /** Once the condition holds it is taken to hold until `releaseCondition` is true, whatever lies between. */
  hysteresis: z.strictObject({ releaseCondition: z.string().min(1).max(CONDITION_LENGTH_MAX) }).optional(),
  preWindowMs: z.int().min(0).max(WINDOW_MS_MAX),
  postWindowMs: z.int().min(0).max(WINDOW_MS_MAX),
  /** After a trigger, further triggers inside this time extend nothing and are not listed; 0 lists every sample that fires. */
  cooldownMs: z.int().min(0).max(3_600_000).default(0),
  /** Topics to keep; absent keeps all. */
  topics: topics.optional(),
  /** Topics of which each recording carries the last message from before its start. */
  context: topics.optional(),
  /** On session time: quiet before, quiet from. */
  startsAt: z.iso.datetime().optional(),
  expiresAt: z.iso.datetime().optional(),
  /** Quiet until the operator takes it back; the recordings that it made go on. */
  suspended: z.boolean().optional(),
  budgets: Budgets.optional(),
  /** Fixed values for inputs of kind `attribute`. */
  attributes: Attributes.optional(),
  /** Run before the campaign is pushed and again on the vehicle; one that fails refuses the campaign. */
  tests: z.array(CampaignTest).max(CAMPAIGN_TESTS_MAX).optional(),
  /** Longest recording of one event, ms; a longer chain of merged windows is closed and a new event begins. */
  eventMsMax: z.int().min(1_000).max(3_600_000).default(600_000),
  /** Topics of which fewer messages are enough: at most so many per second are kept, evenly spread. */
  decimation: z
    .array(z.strictObject({ topic: z.string().max(256), rateHzMax: z.number().min(0.001).max(10_000) }))
    .max(256)
    .optional(),
  /** Events should be uploaded within this time, ms; the uplink prefers them as it runs out. */
  uploadWithinMs: z.int().min(1_000).max(604_800_000).optional(),
  /** The data brief that asked for this campaign. */
  brief: z.string().max(64).optional(),
});

export const Campaign = CampaignFields.superRefine(({ startsAt, expiresAt }, context) => {
  if (startsAt !== undefined && expiresAt !== undefined && Date.parse(startsAt) >= Date.parse(expiresAt))
    context.addIssue('expiresAt must be later than startsAt');
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
