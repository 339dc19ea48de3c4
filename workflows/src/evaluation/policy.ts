/** The gate policy as a file: which slices a model must show its recall on, how sure we must be, and what that rests on. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

export const POLICY_SLICES_MAX = 500;
/** Normal quantile per one-sided confidence; a policy picks one of these. */
export const NORMAL_QUANTILES = {
  '0.9': 1.2815515655446004,
  '0.95': 1.6448536269514722,
  '0.99': 2.3263478740408408,
} as const;

const sliceName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,126}$/, 'use letters, digits, space and . _ / -');

const PolicySlice = z.strictObject({
  name: sliceName,
  /** Recall is measured over the samples of this label. */
  label: z.string().min(1).max(64),
  /** CEL over `session`, `label` and the sample attributes; absent: every sample of the label. */
  where: z.string().min(1).max(2_000).optional(),
  /** A slice that is not required is measured and shown but decides nothing. */
  required: z.boolean(),
  /** Least lower confidence bound of the recall, 0 to 1. */
  threshold: z.number().min(0).max(1),
  windowsMin: z.int().min(1).max(1_000_000),
  runsMin: z.int().min(1).max(10_000),
  /** Why the threshold is what it is. */
  reason: z.string().min(1).max(500),
  /** The anomaly that this slice guards against for ever; absent for scenario slices. */
  anomaly: z.string().min(1).max(128).optional(),
});
export type PolicySlice = z.infer<typeof PolicySlice>;

export const GatePolicy = z
  .strictObject({
    kind: z.literal('gate-policy'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: z.int().min(1),
    owner: z.string().min(1).max(128),
    date: z.iso.date(),
    metric: z.literal('recall'),
    bound: z.strictObject({
      method: z.literal('wilson-clustered'),
      /** One-sided confidence of the lower bound. */
      confidence: z.union([z.literal(0.9), z.literal(0.95), z.literal(0.99)]),
      /** Windows that overlap by half hold every second twice: never count fewer than this many windows as one. */
      designEffectMin: z.number().min(1).max(100),
    }),
    /** What the bound assumes, in words; it travels with every verdict. */
    assumption: z.string().min(1).max(2_000),
    slices: z.array(PolicySlice).min(1).max(POLICY_SLICES_MAX),
  })
  .superRefine((policy, context) => {
    const names = new Set<string>();
    for (const slice of policy.slices) {
      if (names.has(slice.name)) context.addIssue(`slice ${slice.name} occurs twice`);
      names.add(slice.name);
    }
    if (!policy.slices.some((slice) => slice.required))
      context.addIssue('no slice is required: the gate could not refuse');
  });
export type GatePolicy = z.infer<typeof GatePolicy>;

/** @throws FleetError EVALUATION_POLICY_INVALID naming each field that is wrong */
export function parseGatePolicy(document: unknown): GatePolicy {
  const parsed = GatePolicy.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('EVALUATION_POLICY_INVALID', `the gate policy is not valid: ${z.prettifyError(parsed.error)}`);
}
