/** A model for a vehicle of the benchmark: a real signed bundle and a real director document, without the training before them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBundle, createBundleSigner, FolderBlobs, KvVehicleStates } from '@fleetloop/control-plane';
import { parseFeatureSet } from '@fleetloop/schemas';
import { digestOfBytes, type SigningKey } from '@fleetloop/schemas/crypto';
import { connect, jwtAuthenticator } from '@nats-io/transport-node';
import type { BenchServers } from './bench-servers.ts';

/** A small network with four inputs and three outputs in both variants, and its golden vectors. */
const MODEL_FOLDER = join(import.meta.dirname, '../../../test/infer/fixtures');
const LABELS = ['CALM', 'ROUGH', 'TURNING'];

/** The inputs of the model: what an IMU at 100 Hz gives in five seconds. */
const FEATURE_SET = parseFeatureSet({
  kind: 'feature-set',
  name: 'bench',
  version: 1,
  owner: 'benchmarks',
  validator: 'benchmarks',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 5_000, hopMs: 2_500 },
  signals: [
    { name: 'x', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2', samplesMin: 400 },
    { name: 'y', path: 'Vehicle.Acceleration.Lateral', unit: 'm/s^2', samplesMin: 400 },
  ],
  derived: [],
  features: ['x', 'y'].flatMap((input) =>
    ['mean', 'std'].map((transform) => ({ name: `${input}_${transform}`, input, transform })),
  ),
  tolerance: { absolute: 1e-9, relative: 1e-9 },
  latencyBudgetMs: 250,
});

/** Stores the bundle, and tells the vehicle to run it. */
export async function assignBenchModel({ nats, dataDir }: BenchServers, vehicleId: string): Promise<void> {
  const parts = {
    blobs: await FolderBlobs.open(join(dataDir, 'blobs')),
    signer: createBundleSigner(await readKey(dataDir, 'image')),
  };
  const { bundle } = await buildBundle(
    {
      modelName: 'bench',
      modelVersion: 1,
      fp32: await readFile(join(MODEL_FOLDER, 'model.onnx')),
      int8: await readFile(join(MODEL_FOLDER, 'model.int8.onnx')),
      featureSet: FEATURE_SET,
      datasetDigest: digestOfBytes(Buffer.from('no dataset')),
      labels: LABELS,
      trainingStats: await readJson(join(MODEL_FOLDER, 'training-stats.json')),
      golden: await readJson(join(MODEL_FOLDER, 'golden.json')),
    },
    parts,
  );
  const { jwt, seed } = nats.serviceUser;
  const connection = await connect({
    servers: nats.url,
    authenticator: jwtAuthenticator(jwt, new TextEncoder().encode(seed)),
  });
  try {
    const states = await KvVehicleStates.open(connection, await readKey(dataDir, 'director'));
    await states.assign({ vehicleId, bundle, shadow: null, rolloutId: null, reason: 'benchmark' });
  } finally {
    await connection.close();
  }
}

const readKey = async (dataDir: string, name: string): Promise<SigningKey> =>
  (await readJson(join(dataDir, 'keys', `${name}.json`))) as SigningKey;

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
