// Why this file exists: a vehicle's models on a real disk with real ONNX files and signatures, and a cloud that can lie, stall and lose power.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobStore, buildBundle, type BundleInput, createBundleSigner } from '@fleetloop/control-plane';
import {
  type AgentLogger,
  type BlobFetcher,
  createModelRuntime,
  type InferenceResult,
  type ModelRuntime,
  type RuntimeParts,
} from '@fleetloop/edge-agent';
import {
  type Digest,
  DIRECTOR_PAYLOAD_TYPE,
  type DsseEnvelope,
  type FeatureSet,
  FleetError,
  parseFeatureSet,
  type SignalChannel,
  type SignalMessage,
} from '@fleetloop/schemas';
import { digestOfBytes, generateSigningKey, signDocument, type SigningKey } from '@fleetloop/schemas/crypto';

export const VEHICLE = 'v-01';
/** Of the windows of these vehicles. */
export const SAMPLE_EVERY = 2;
export const LABELS = ['CALM', 'ROUGH', 'TURNING'] as const;
const FIXTURES = join(import.meta.dirname, 'fixtures');
const QUIET: AgentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const FEATURE_SET: FeatureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'bench',
  version: 1,
  owner: 'features',
  validator: 'tests',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 500 },
  signals: [
    { name: 'x', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2', samplesMin: 50 },
    { name: 'y', path: 'Vehicle.Acceleration.Lateral', unit: 'm/s^2', samplesMin: 50 },
  ],
  derived: [],
  features: ['x', 'y'].flatMap((input) =>
    ['mean', 'std'].map((transform) => ({ name: `${input}_${transform}`, input, transform })),
  ),
  tolerance: { absolute: 1e-9, relative: 1e-9 },
  latencyBudgetMs: 250,
});

/** Blobs in memory; `served` lists what the vehicle fetched, `corrupt` alters what it gets. */
export class MemoryBlobs {
  readonly bytes = new Map<string, Uint8Array>();
  readonly served: string[] = [];
  corrupt: ReadonlySet<string> = new Set();
  failures = 0;
  /** While set, a fetch never ends by itself. */
  isHanging = false;

  readonly store: BlobStore = {
    put: async (bytes) => {
      const digest = digestOfBytes(bytes);
      this.bytes.set(digest, bytes);
      return digest;
    },
    adopt: () => Promise.reject(new FleetError('BLOB_NOT_FOUND', 'no files here')),
    has: async (digest) => this.bytes.has(digest),
    get: async (digest) => this.#need(digest),
    open: () => Promise.reject(new FleetError('BLOB_NOT_FOUND', 'no streams here')),
    sizeOf: async (digest) => this.#need(digest).length,
    pathOf: () => Promise.reject(new FleetError('BLOB_NOT_FOUND', 'no files here')),
  };

  readonly fetcher: BlobFetcher = {
    fetch: async (digest, sizeBytesMax, signal) => {
      signal?.throwIfAborted();
      if (this.isHanging)
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
      if (this.failures > 0) {
        this.failures -= 1;
        throw new FleetError('INSTALL_FETCH', 'the link is down');
      }
      const bytes = this.#need(digest as Digest);
      if (bytes.length > sizeBytesMax) throw new FleetError('PACKAGE_DIGEST', 'more bytes than announced');
      this.served.push(digest);
      if (!this.corrupt.has(digest)) return bytes;
      const altered = Uint8Array.from(bytes);
      altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
      return altered;
    },
  };

  #need(digest: string): Uint8Array {
    const bytes = this.bytes.get(digest);
    if (bytes === undefined) throw new FleetError('BLOB_NOT_FOUND', `no blob ${digest}`);
    return bytes;
  }
}

export type Keys = { readonly director: SigningKey; readonly image: SigningKey };
export const makeKeys = (): Keys => ({ director: generateSigningKey(), image: generateSigningKey() });

/** Builds a bundle from the fixture files; versions differ in their manifest only, unless `change` says more. */
export async function makeBundle(
  blobs: MemoryBlobs,
  keys: Keys,
  version: number,
  change: Partial<BundleInput> = {},
): Promise<Digest> {
  const json = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(FIXTURES, name), 'utf8'));
  const built = await buildBundle(
    {
      modelName: 'bench',
      modelVersion: version,
      fp32: await readFile(join(FIXTURES, 'model.onnx')),
      int8: await readFile(join(FIXTURES, 'model.int8.onnx')),
      featureSet: FEATURE_SET,
      datasetDigest: digestOfBytes(Buffer.from('dataset')),
      labels: LABELS,
      trainingStats: await json('training-stats.json'),
      golden: await json('golden.json'),
      ...change,
    },
    { blobs: blobs.store, signer: createBundleSigner(keys.image) },
  );
  return built.bundle;
}

export type Wish = {
  readonly counter: number;
  readonly bundle: string | null;
  readonly shadow?: string | null;
  readonly vehicleId?: string;
};

export function direct(key: SigningKey, wish: Wish): DsseEnvelope {
  const { counter, bundle, shadow = null, vehicleId = VEHICLE } = wish;
  const issuedAt = '2026-11-21T00:00:00.000Z';
  const targets = {
    kind: 'director-targets',
    vehicleId,
    counter,
    bundle,
    shadow,
    rolloutId: null,
    reason: 'test',
    issuedAt,
  };
  return signDocument(DIRECTOR_PAYLOAD_TYPE, targets, key);
}

export function openRuntime(
  stateDir: string,
  blobs: MemoryBlobs,
  keys: Keys,
  parts: RuntimeParts = {},
): Promise<ModelRuntime> {
  return createModelRuntime(
    {
      vehicleId: VEHICLE,
      hardwareRevision: 'A',
      stateDir,
      keys: { director: [keys.director.publicKeyPem], image: [keys.image.publicKeyPem] },
      fetcher: blobs.fetcher,
      logger: QUIET,
      sampleEvery: SAMPLE_EVERY,
    },
    parts,
  );
}

const MOTION: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: [
    { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
    { path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' },
  ],
};

/** Drives `seconds` at 100 Hz and returns what was inferred; windows close every half second. */
export async function drive(runtime: ModelRuntime, seconds: number, session = 'drive'): Promise<InferenceResult[]> {
  const results: InferenceResult[] = [];
  for (let index = 0; index < seconds * 100; index += 1)
    results.push(...(await runtime.push(motionAt(index), session)));
  results.push(...(await runtime.endSession()));
  return results;
}

function motionAt(index: number): SignalMessage {
  const logTimeNs = 1_700_000_000_000_000_000n + BigInt(index) * 10_000_000n;
  const values = Float64Array.from([2 * Math.sin(index / 7), Math.cos(index / 13)]);
  return { kind: 'signal', channel: MOTION, sequence: index, logTimeNs, publishTimeNs: logTimeNs, values };
}
