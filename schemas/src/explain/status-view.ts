/**
 * The part of an agent's status that is shown to a person. It is read from what an agent says, on the vehicle and through the control
 * plane alike: whatever else the agent says of itself is no concern of this, and what it says must not steer a terminal.
 */
import { z } from 'zod';

const text = z.string().transform((value) => value.replaceAll(/\p{Cc}+/gu, ' '));
const count = z.number();
const PRIORITY_KEYS = { safety: count, normal: count, bulk: count };
/** Null is no limit. */
const LEFT_TODAY = { safety: count.nullable(), normal: count.nullable(), bulk: count.nullable() };

const Capture = z.object({
  source: text,
  messages: count,
  topics: z.array(z.unknown()),
  findings: z.array(z.object({ topic: text, finding: text, detail: text.optional() })),
  redactionFailures: count,
});
const Campaign = z.object({
  id: text,
  version: count,
  state: text,
  code: text.optional(),
  reason: text.optional(),
  statistics: z.object({ fired: count, evaluations: count }).optional(),
});
const Spool = z.object({
  isOpen: z.boolean(),
  spooled: count,
  spooledBytes: count,
  quotaBytes: count,
  verified: count,
  refused: count,
  evicted: count,
  tombstonesWaiting: count.optional(),
  disk: z.object({ state: text, freeBytes: count }),
});
const Uplink = z.object({
  link: z.object({ isConnected: z.boolean(), refusal: z.object({ code: text, message: text }).nullable() }),
  network: z.object({ class: text, leftTodayBytes: z.object(LEFT_TODAY) }),
  flow: z.object({ inFlightBytes: count, goodputBytesPerS: count }),
  holds: z.array(z.object({ priority: text, code: text, reason: text })),
  queuedBytes: z.object(PRIORITY_KEYS),
  queued: z.object(PRIORITY_KEYS),
});

const FeatureCache = z.object({
  featureSet: z.object({ name: text, version: count }),
  vectors: count,
  ageMs: count.nullable(),
  latencyBudgetMs: count,
  latencyMs: z.object({ last: count, worst: count }).nullable(),
  budgetMisses: count,
});

export const StatusView = z.object({
  kind: z.literal('agent-status'),
  vehicleId: text,
  uptimeMs: count,
  softwareVersion: text,
  hardwareRevision: text,
  rssBytes: count,
  capture: Capture,
  campaigns: z.array(Campaign),
  record: z.object({
    session: text.optional(),
    pending: z.array(z.unknown()),
    waitingForDisk: count,
    lost: count,
    ring: z.object({ memoryBytes: count }),
  }),
  spool: Spool,
  uplink: Uplink,
  model: z.object({
    activeSlot: text.nullable(),
    inferences: count,
    deadlineMisses: count,
    features: z.array(FeatureCache).default([]),
  }),
});
export type StatusView = z.output<typeof StatusView>;
