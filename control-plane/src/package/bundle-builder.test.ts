import { BUNDLE_PAYLOAD_TYPE, BundleManifest, type Digest, parseFeatureSet } from '@fleetloop/schemas';
import { digestOfBytes, digestOfDocument, generateSigningKey, verifyDocument } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../ports.ts';
import { buildBundle, type BundleInput } from './bundle-builder.ts';
import { createBundleSigner } from './bundle-signer.ts';

const featureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'packed',
  version: 1,
  owner: 'o',
  validator: 'v',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 500 },
  signals: [{ name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 }],
  derived: [],
  features: [
    { name: 'speed_mean', input: 'speed', transform: 'mean' },
    { name: 'speed_std', input: 'speed', transform: 'std' },
  ],
  tolerance: { absolute: 0, relative: 0 },
  latencyBudgetMs: 20,
});

const input: BundleInput = {
  modelName: 'terrain',
  modelVersion: 3,
  fp32: Buffer.from('fp32 model'),
  int8: Buffer.from('int8 model'),
  featureSet,
  datasetDigest: digestOfBytes(Buffer.from('dataset')),
  labels: ['SLOW', 'FAST'],
  trainingStats: {
    features: [
      { name: 'speed_mean', mean: 10, std: 2, quantiles: {} },
      { name: 'speed_std', mean: 1, std: 0.5, quantiles: {} },
    ],
    distance: { heldOutSessions: { p50: 0.6, p95: 4, p99: 7 } },
  },
  golden: { inputs: [[10, 1]], outputs: [[0.25, 0.75]] },
};

function openStores() {
  const blobs = new Map<string, Uint8Array>();
  const key = generateSigningKey();
  const put = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = digestOfBytes(bytes);
    blobs.set(digest, bytes);
    return digest;
  };
  return { blobs, key, parts: { blobs: { put } as unknown as BlobStore, signer: createBundleSigner(key) } };
}

const refuses = async (change: Partial<BundleInput>, words: RegExp): Promise<void> => {
  await expect(buildBundle({ ...input, ...change }, openStores().parts)).rejects.toMatchObject({
    code: 'PACKAGE_INVALID',
    message: expect.stringMatching(words),
  });
};

describe('building a bundle', () => {
  it('stores every part and an envelope that the image key verifies', async () => {
    const { blobs, key, parts } = openStores();
    const built = await buildBundle(input, parts);
    const envelope: unknown = JSON.parse(Buffer.from(blobs.get(built.bundle) ?? []).toString('utf8'));
    const manifest = BundleManifest.parse(verifyDocument(envelope, BUNDLE_PAYLOAD_TYPE, [key.publicKeyPem]));
    expect(manifest).toEqual(built.manifest);
    expect(manifest.featureSetDigest).toBe(digestOfDocument(featureSet));
    expect(manifest.trainingDistribution).toEqual({ mean: [10, 1], std: [2, 0.5], distanceP50: 0.6, distanceP99: 7 });
    for (const part of [...manifest.variants, manifest.golden])
      expect(blobs.get(part.digest)?.length).toBe(part.sizeBytes);
    expect(built.variants).toEqual({ fp32: built.model, int8: digestOfBytes(Buffer.from('int8 model')) });
  });

  it('gives the same bundle for the same input', async () => {
    const { parts } = openStores();
    expect((await buildBundle(input, parts)).bundle).toBe((await buildBundle(input, parts)).bundle);
  });

  it('refuses statistics of other features, or of the same in another order', async () => {
    const stats = input.trainingStats as { features: unknown[]; distance: unknown };
    await refuses({ trainingStats: { ...stats, features: stats.features.toReversed() } }, /in its order/);
    await refuses({ trainingStats: { ...stats, features: stats.features.slice(1) } }, /in its order/);
    await refuses({ trainingStats: { features: stats.features } }, /statistics are not valid/);
  });

  it('refuses golden vectors of another shape', async () => {
    await refuses({ golden: { inputs: [[1]], outputs: [[0.5, 0.5]] } }, /rows of 2 inputs and 2 outputs/);
    await refuses({ golden: { inputs: [[1, 2]], outputs: [] } }, /golden vectors/);
    await refuses({ golden: 'none' }, /golden vectors are not valid/);
  });
});
