/** A bundle: everything a vehicle needs to run one model version, as a signed document that names blobs by digest. */
import { z } from 'zod';
import { FeatureSet } from '../features/feature-set.ts';

export const BUNDLE_PAYLOAD_TYPE = 'application/vnd.fleetloop.bundle+json';
export const digestText = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must read sha256:<64 hex digits>');

/** One way to run the model, e.g. fp32 or int8; outputs must match the golden outputs within `tolerance` (absolute, on probabilities). */
const Variant = z.strictObject({
  name: z.enum(['fp32', 'int8']),
  digest: digestText,
  sizeBytes: z
    .int()
    .min(1)
    .max(512 * 1024 * 1024),
  executionProvider: z.literal('cpu'),
  tolerance: z.number().positive(),
  /** Least share (0..1) of golden rows whose class must equal the golden class. */
  agreementMin: z.number().min(0).max(1),
});

export const BundleManifest = z.strictObject({
  kind: z.literal('bundle'),
  /** Registered model name and version. */
  model: z.strictObject({ name: z.string().max(64), version: z.int().min(1), digest: digestText }),
  featureSet: FeatureSet,
  featureSetDigest: digestText,
  datasetDigest: digestText,
  labels: z.array(z.string().max(64)).min(2).max(256),
  variants: z.array(Variant).min(1).max(4),
  /** Golden inputs and outputs (fp32), JSON blob `{inputs: number[][], outputs: number[][]}`. */
  golden: z.strictObject({ digest: digestText, sizeBytes: z.int().min(1), rows: z.int().min(1).max(4_096) }),
  /** Distance of a feature vector x from training: mean over features of ((x - mean) / std)^2; `limit` is a quantile on held-in data. */
  trainingDistribution: z.strictObject({
    mean: z.array(z.number()),
    std: z.array(z.number().positive()),
    distanceP50: z.number().positive(),
    distanceP99: z.number().positive(),
  }),
  latencyBudgetMs: z.number().positive(),
  hardwareProfiles: z.array(z.string().max(64)).min(1).max(64),
});
export type BundleManifest = z.infer<typeof BundleManifest>;

/** Golden blob. Shapes: inputs [rows][features], outputs [rows][labels]. */
export const GoldenVectors = z.strictObject({
  inputs: z.array(z.array(z.number())).min(1).max(4_096),
  outputs: z.array(z.array(z.number())).min(1).max(4_096),
});
export type GoldenVectors = z.infer<typeof GoldenVectors>;
