/** What the cloud wants of one vehicle, and what the vehicle reports back: whole documents with versions. */
import { z } from 'zod';
import { Campaign } from '../campaign/campaign.ts';
import { DsseEnvelope } from '../signing/envelope.ts';
import { digestText } from '../package/bundle.ts';

export const DIRECTOR_PAYLOAD_TYPE = 'application/vnd.fleetloop.director+json';
export const CAMPAIGNS_PER_VEHICLE_MAX = 64;

/**
 * The director's targets for one vehicle (Uptane: director repository). `counter` never goes down: a rollback is a new
 * document with a higher counter that points at the former bundle.
 */
export const DirectorTargets = z.strictObject({
  kind: z.literal('director-targets'),
  vehicleId: z.string(),
  counter: z.int().min(1),
  /** Digest of the bundle manifest that should be active; null runs no model. */
  bundle: digestText.nullable(),
  /** A bundle that should run silently beside the active one. */
  shadow: digestText.nullable(),
  rolloutId: z.string().nullable(),
  reason: z.string().max(1_000),
  issuedAt: z.iso.datetime(),
});
export type DirectorTargets = z.infer<typeof DirectorTargets>;

export const DesiredState = z.strictObject({
  kind: z.literal('desired-state'),
  vehicleId: z.string(),
  /** Counts up with each change. */
  version: z.int().min(1),
  campaigns: z.array(Campaign).max(CAMPAIGNS_PER_VEHICLE_MAX),
  /** DirectorTargets signed by the director key; null before the first assignment. */
  director: DsseEnvelope.nullable(),
});
export type DesiredState = z.infer<typeof DesiredState>;

export const CAMPAIGN_STATES = ['received', 'compiled', 'refused', 'active', 'draining', 'done'] as const;
export const SLOT_STATES = ['empty', 'staged', 'activated', 'confirmed', 'reverted'] as const;

/** One installed bundle, in one of two slots. */
const SlotReport = z.strictObject({
  slot: z.enum(['A', 'B']),
  state: z.enum(SLOT_STATES),
  bundle: digestText.nullable(),
  variant: z.string().nullable(),
  /** Why this variant was picked: measured latencies and golden agreement in words. */
  reason: z.string().max(2_000),
});

export const ReportedState = z.strictObject({
  kind: z.literal('reported-state'),
  vehicleId: z.string(),
  at: z.iso.datetime(),
  desiredVersion: z.int().min(0),
  hardwareRevision: z.string(),
  softwareVersion: z.string(),
  campaigns: z.array(
    z.strictObject({
      id: z.string(),
      version: z.int(),
      state: z.enum(CAMPAIGN_STATES),
      code: z.string().optional(),
      reason: z.string().max(2_000).optional(),
    }),
  ),
  model: z.strictObject({
    /** Highest director counter accepted. */
    counter: z.int().min(0),
    activeSlot: z.enum(['A', 'B']).nullable(),
    slots: z.array(SlotReport).max(2),
    shadowBundle: digestText.nullable(),
    refused: z.strictObject({ counter: z.int(), code: z.string(), message: z.string().max(2_000) }).nullable(),
  }),
  /** `evicted` counts recordings that the quota took before they were verified; each has a tombstone on the vehicle. */
  uplink: z.strictObject({
    spooled: z.int().min(0),
    spooledBytes: z.int().min(0),
    verified: z.int().min(0),
    refused: z.int().min(0),
    evicted: z.int().min(0).optional(),
  }),
  /** What the source has done: sessions finished, messages seen, whether it is at its end. */
  source: z.strictObject({ sessionsDone: z.int().min(0), messages: z.int().min(0), atEnd: z.boolean() }),
  rssBytes: z.int().min(0),
});
export type ReportedState = z.infer<typeof ReportedState>;
