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

export const PULLS_PER_VEHICLE_MAX = 32;

/** A stored time range that the cloud asks for. Taking it off the list cancels it. */
export const PullRequest = z.strictObject({
  id: z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/, 'use a-z, 0-9, - and _'),
  /** Interval on the vehicle's clock, ns since the Unix epoch, closed. */
  fromNs: z.string().regex(/^\d{1,20}$/),
  toNs: z.string().regex(/^\d{1,20}$/),
  /** Topics to keep; absent keeps all. */
  topics: z.array(z.string().max(256)).max(256).optional(),
  priority: z.enum(['safety', 'normal', 'bulk']),
  requestedBy: z.string().max(128),
  reason: z.string().max(1_000),
});
export type PullRequest = z.infer<typeof PullRequest>;

export const PULL_STATES = ['received', 'captured', 'uploaded', 'unavailable', 'refused', 'cancelled'] as const;

export const DesiredState = z.strictObject({
  kind: z.literal('desired-state'),
  vehicleId: z.string(),
  /** Counts up with each change. */
  version: z.int().min(1),
  campaigns: z.array(Campaign).max(CAMPAIGNS_PER_VEHICLE_MAX),
  /** DirectorTargets signed by the director key; null before the first assignment. */
  director: DsseEnvelope.nullable(),
  pulls: z.array(PullRequest).max(PULLS_PER_VEHICLE_MAX).default([]),
});
export type DesiredState = z.infer<typeof DesiredState>;

export const CAMPAIGN_STATES = [
  'received',
  'compiled',
  'refused',
  'active',
  'suspended',
  'expired',
  'draining',
  'done',
] as const;
/** How the disk takes recordings: in full, only what matters more than what lies there, only safety, or nothing at all. */
export const DISK_STATES = ['normal', 'evicting', 'safety-only', 'refusing'] as const;
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
    /** Tombstones that the cloud has not confirmed yet. */
    tombstonesWaiting: z.int().min(0).optional(),
  }),
  /** What became of each pull that was asked for. */
  pulls: z
    .array(
      z.strictObject({
        id: z.string(),
        state: z.enum(PULL_STATES),
        eventIds: z.array(z.string()).max(64),
        code: z.string().optional(),
        reason: z.string().max(2_000).optional(),
      }),
    )
    .max(2 * PULLS_PER_VEHICLE_MAX)
    .optional(),
  disk: z.strictObject({ state: z.enum(DISK_STATES), freeBytes: z.int().min(0) }).optional(),
  /** What is wrong with channels now, worst first. */
  channels: z
    .array(
      z.strictObject({
        topic: z.string(),
        finding: z.enum(['silent', 'slow', 'frozen', 'duplicates', 'out-of-order', 'gaps']),
        /** When it was seen last, ns on the session's clock. */
        atNs: z.string(),
        count: z.int().min(0),
        detail: z.string().max(500),
      }),
    )
    .max(64)
    .optional(),
  /** What the source has done: sessions finished, messages seen, whether it is at its end. */
  source: z.strictObject({ sessionsDone: z.int().min(0), messages: z.int().min(0), atEnd: z.boolean() }),
  rssBytes: z.int().min(0),
});
export type ReportedState = z.infer<typeof ReportedState>;
