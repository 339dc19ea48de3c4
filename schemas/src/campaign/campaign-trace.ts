/** The tests that a campaign carries: what comes in over time, and when it must fire. */
import { z } from 'zod';

export const CAMPAIGN_TESTS_MAX = 16;
export const TRACE_STEPS_MAX = 2_000;
/** Longest trace, ms. */
export const TRACE_MS_MAX = 3_600_000;

const timeMs = z.int().min(0).max(TRACE_MS_MAX);
const attributeValue = z.union([z.string().max(256), z.number()]);
/** Attributes of a campaign or a vehicle, by name. */
export const Attributes = z.record(z.string().min(1).max(64), attributeValue);
export type VehicleAttributes = Readonly<Record<string, string | number>>;

/** A value of a signal, in the catalogue's unit unless another is named; null is a sample without a value. */
const SignalStep = z.strictObject({
  timeMs,
  path: z.string().min(1).max(256),
  value: z.number().nullable(),
  unit: z.string().max(32).optional(),
});
/** A message of a topic, whatever it holds. */
const TopicStep = z.strictObject({ timeMs, topic: z.string().min(1).max(256) });
/** The answer of a model for the window that ends now. */
const ModelStep = z.strictObject({
  timeMs,
  model: z.strictObject({
    role: z.enum(['active', 'shadow']),
    output: z.string().max(256),
    confidence: z.number().optional(),
    distance: z.number().optional(),
  }),
});
/** Nothing comes, but time passes. */
const TimeStep = z.strictObject({ timeMs });

const TraceStep = z.union([SignalStep, TopicStep, ModelStep, TimeStep]);
export type TraceStep = z.infer<typeof TraceStep>;

/** Trigger times are those of the samples that fire, or of the moment at which time alone made the campaign fire. */
export const CampaignTest = z
  .strictObject({
    name: z.string().min(1).max(128),
    /** Attributes of the vehicle that the trace is played on. */
    attributes: Attributes.optional(),
    trace: z.array(TraceStep).min(1).max(TRACE_STEPS_MAX),
    expectedFireMs: z.array(z.number().min(0).max(TRACE_MS_MAX)).max(TRACE_STEPS_MAX),
  })
  .superRefine(({ trace }, context) => {
    const late = trace.findIndex((step, index) => index > 0 && step.timeMs < (trace[index - 1]?.timeMs ?? 0));
    if (late > 0) context.addIssue(`step ${late} of the trace is earlier than the one before it`);
  });
export type CampaignTest = z.infer<typeof CampaignTest>;
