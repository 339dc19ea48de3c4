// Why this file exists: a model leaves the cloud only as one signed document that names every part by digest.
import {
  type BundleManifest,
  BundleManifest as BundleManifestSchema,
  type Digest,
  FleetError,
  type FeatureSet,
  GoldenVectors,
} from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { z } from 'zod';
import type { BlobStore, BundleSigner } from '../ports.ts';

/** Hardware profile that fits every revision. */
export const ANY_HARDWARE = 'any';
/** Limits on golden outputs: fp32 is the same arithmetic on another machine, int8 has rounded weights. */
const VARIANT_LIMITS = {
  fp32: { tolerance: 1e-3, agreementMin: 1 },
  int8: { tolerance: 0.1, agreementMin: 0.95 },
} as const;

export type BundleInput = {
  readonly modelName: string;
  readonly modelVersion: number;
  /** ONNX files: float32 [N][features] in, float32 [N][labels] out. */
  readonly fp32: Uint8Array;
  readonly int8?: Uint8Array;
  readonly featureSet: FeatureSet;
  readonly datasetDigest: Digest;
  readonly labels: readonly string[];
  /** `training-stats.json` of the trainer contract, parsed. */
  readonly trainingStats: unknown;
  /** `golden.json` of the trainer contract, parsed: inputs and fp32 outputs. */
  readonly golden: unknown;
  readonly latencyBudgetMs?: number;
  readonly hardwareProfiles?: readonly string[];
};

export type BuiltBundle = {
  /** Digest of the stored envelope: the name of the bundle everywhere. */
  readonly bundle: Digest;
  readonly manifest: BundleManifest;
  /** Digest of the fp32 file: the identity of the model. */
  readonly model: Digest;
  readonly featureSetDigest: Digest;
  readonly variants: Readonly<Record<string, Digest>>;
};

const TrainingStats = z.object({
  features: z.array(z.object({ name: z.string(), mean: z.number(), std: z.number().positive() })),
  distance: z.object({ heldOutSessions: z.object({ p50: z.number().positive(), p99: z.number().positive() }) }),
});

/**
 * Stores the parts, signs the manifest with the image key and stores the envelope. Equal input gives the same bundle.
 * @throws FleetError PACKAGE_INVALID naming what does not fit together
 */
export async function buildBundle(
  input: BundleInput,
  parts: { readonly blobs: BlobStore; readonly signer: BundleSigner },
): Promise<BuiltBundle> {
  const golden = parseGolden(input);
  const stats = parseStats(input);
  const files = { fp32: input.fp32, ...(input.int8 === undefined ? {} : { int8: input.int8 }) };
  const goldenBytes = Buffer.from(JSON.stringify(golden), 'utf8');
  const variants: BundleManifest['variants'] = [];
  for (const [name, bytes] of Object.entries(files) as ['fp32' | 'int8', Uint8Array][]) {
    const digest = await parts.blobs.put(bytes);
    variants.push({ name, digest, sizeBytes: bytes.length, executionProvider: 'cpu', ...VARIANT_LIMITS[name] });
  }
  const model = variants[0]?.digest as Digest;
  const featureSetDigest = digestOfDocument(input.featureSet);
  const manifest = checkManifest({
    kind: 'bundle',
    model: { name: input.modelName, version: input.modelVersion, digest: model },
    featureSet: input.featureSet,
    featureSetDigest,
    datasetDigest: input.datasetDigest,
    labels: [...input.labels],
    variants,
    golden: { digest: await parts.blobs.put(goldenBytes), sizeBytes: goldenBytes.length, rows: golden.inputs.length },
    trainingDistribution: stats,
    latencyBudgetMs: input.latencyBudgetMs ?? input.featureSet.latencyBudgetMs,
    hardwareProfiles: [...(input.hardwareProfiles ?? [ANY_HARDWARE])],
  });
  const bundle = await parts.blobs.put(Buffer.from(JSON.stringify(parts.signer.sign(manifest)), 'utf8'));
  const digests = Object.fromEntries(variants.map((variant) => [variant.name, variant.digest as Digest]));
  return { bundle, manifest, model, featureSetDigest, variants: digests };
}

function parseGolden(input: BundleInput): GoldenVectors {
  const parsed = GoldenVectors.safeParse(input.golden);
  if (!parsed.success)
    throw new FleetError('PACKAGE_INVALID', `the golden vectors are not valid: ${z.prettifyError(parsed.error)}`);
  const { inputs, outputs } = parsed.data;
  const features = input.featureSet.features.length;
  const isWhole = inputs.length === outputs.length && inputs.every((row) => row.length === features);
  if (!isWhole || outputs.some((row) => row.length !== input.labels.length)) {
    throw new FleetError(
      'PACKAGE_INVALID',
      `the golden vectors must be rows of ${features} inputs and ${input.labels.length} outputs`,
    );
  }
  return parsed.data;
}

/** The trainer must have seen the same features in the same order, or the distance would compare apples with pears. */
function parseStats(input: BundleInput): BundleManifest['trainingDistribution'] {
  const parsed = TrainingStats.safeParse(input.trainingStats);
  if (!parsed.success)
    throw new FleetError('PACKAGE_INVALID', `the training statistics are not valid: ${z.prettifyError(parsed.error)}`);
  const { features, distance } = parsed.data;
  const expected = input.featureSet.features.map((feature) => feature.name);
  const actual = features.map((feature) => feature.name);
  if (expected.length !== actual.length || expected.some((name, index) => name !== actual[index])) {
    throw new FleetError(
      'PACKAGE_INVALID',
      `the training statistics do not name the features of ${input.featureSet.name} in its order: train again with this feature set`,
    );
  }
  return {
    mean: features.map((feature) => feature.mean),
    std: features.map((feature) => feature.std),
    distanceP50: distance.heldOutSessions.p50,
    distanceP99: distance.heldOutSessions.p99,
  };
}

function checkManifest(candidate: BundleManifest): BundleManifest {
  const parsed = BundleManifestSchema.safeParse(candidate);
  if (parsed.success) return parsed.data;
  throw new FleetError('PACKAGE_INVALID', `the bundle is not valid: ${z.prettifyError(parsed.error)}`);
}
