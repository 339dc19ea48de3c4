/**
 * Two vehicles with one bundle drive the same real run; the engine of one was built otherwise. Both send some of their vectors with the
 * inputs, and the cloud finds which vehicle, firmware and feature differ. Real agents, servers and workflow.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBundle, createBundleSigner, FolderBlobs, KvVehicleStates, NatsLedger } from '@fleetloop/control-plane';
import { loadMapping, openSource } from '@fleetloop/edge-agent';
import { type Digest, type FeatureSet, parseFeatureSet, type ReportedState } from '@fleetloop/schemas';
import { digestOfBytes, type SigningKey } from '@fleetloop/schemas/crypto';
import { chooseWindows, createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { borealtcRuns, type RecordedDrive } from '@fleetloop/sim';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AgentBench, openAgentBench } from '../agent/agent-process.ts';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { FEATURE_SET, LABELS } from '../infer/model-bench.ts';
import { recordHistories } from '../workflows/histories.ts';

const RECORDINGS = join(import.meta.dirname, '../../sim/recordings');
const MODEL = join(import.meta.dirname, '../infer/fixtures');
const OTHER_ENGINE = join(import.meta.dirname, 'other-engine.ts');
const SAMPLE_EVERY = 4;
const DEADLINE = { timeout: 60_000, interval: 1_000 };
const RUN = borealtcRuns()[0] as RecordedDrive;
/** Population against sample deviation of 100 values is half a per cent: that of x is declared, that of y is not. */
const DECLARED = {
  absolute: 0,
  relative: 0.02,
  owner: 'edge',
  reason: 'as the controller has it',
  expires: '2027-06-30',
};
const SET: FeatureSet = parseFeatureSet({
  ...FEATURE_SET,
  features: FEATURE_SET.features.map((feature) =>
    feature.name === 'x_std' ? { ...feature, tolerance: DECLARED } : feature,
  ),
});

type Counts = Readonly<Record<string, number>>;
type Feature = {
  readonly feature: string;
  readonly verdict: string;
  readonly diverging: number;
  readonly worstAbsolute: number;
  readonly divergence: { readonly owner: string; readonly state: string } | null;
  readonly worst: { readonly vehicle: string; readonly source: string } | null;
};
type Group = {
  readonly by: string;
  readonly value: string;
  readonly verdict: string;
  readonly windows: Counts;
  readonly features: readonly Feature[];
};
type Skew = {
  readonly verdict: string;
  readonly windows: Counts;
  readonly features: readonly Feature[];
  readonly groups: readonly Group[];
  readonly differs: readonly { readonly feature: string; readonly group: string }[];
};

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let connection: NatsConnection;
let bundle: Digest;
let evaluationId = '';
const vehicles: (AgentBench & AsyncDisposable)[] = [];

beforeAll(async () => {
  bench = await openIngestBench({}, { importRoots: { archive: RECORDINGS } });
  controlPlane = await bench.start();
  const authenticator = credsAuthenticator(new TextEncoder().encode(bench.nats.serviceUser.creds));
  connection = await connect({ servers: bench.nats.url, authenticator });
  bundle = await shipBundle();
  await Promise.all([install('healthy', '1.4.0', []), install('altered', '1.5.0', ['--import', OTHER_ENGINE])]);
  for (const vehicle of vehicles) await vehicle.drive([RUN]);
}, 180_000);
afterAll(async () => {
  await recordHistories(controlPlane.api, new Map([['evaluate-skew', evaluationId]]));
  await Promise.all(vehicles.map(async (vehicle) => vehicle[Symbol.asyncDispose]()));
  await connection?.close();
  await bench?.[Symbol.asyncDispose]();
});

describe('skew of sampled inputs', () => {
  it('names the vehicle, the firmware and the feature that were computed otherwise, and nobody else', async () => {
    const chosen = (await vectorsOf(RUN)).filter(({ windowStartNs }) => chooseWindows(SAMPLE_EVERY)(windowStartNs));
    expect(chosen.length).toBeGreaterThan(10);
    const skew = await vi.waitFor(async () => {
      const report = await evaluate('2027-06-30');
      expect(sampled(report)).toMatchObject({ logged: 2 * chosen.length, compared: 2 * chosen.length });
      return report;
    }, DEADLINE);
    expect(skew.verdict).toBe('failed');
    expect(skew.differs.map(({ feature, group }) => `${feature} ${group}`)).toEqual(
      expect.arrayContaining(['y_std vehicle:altered', 'y_std firmware:1.5.0']),
    );
    expect(new Set(skew.differs.map(({ feature }) => feature))).toEqual(new Set(['y_std']));
    expect(groupOf(skew, 'vehicle', 'healthy')).toMatchObject({ verdict: 'passed' });
    expect(groupOf(skew, 'firmware', '1.4.0')?.features.map(({ verdict }) => verdict)).toEqual(
      SET.features.map(() => 'passed'),
    );
    expect(groupOf(skew, 'vehicle', 'altered')?.windows).toMatchObject({ outside: chosen.length, enginesApart: 0 });
    expect(skew.features.find(({ feature }) => feature === 'y_std')?.worst).toMatchObject({
      vehicle: 'altered',
      source: 'sample',
    });
    // Within what its owner has declared, and counted as that.
    const declared = skew.features.find(({ feature }) => feature === 'x_std');
    expect(declared).toMatchObject({ verdict: 'passed', divergence: { owner: 'edge', state: 'in force' } });
    expect(declared?.diverging).toBe(chosen.length);
  });

  it('takes a declared divergence for a fault from the day after its last', async () => {
    const expired = await evaluate('2027-07-01');
    expect(expired.features.find(({ feature }) => feature === 'x_std')).toMatchObject({
      verdict: 'failed',
      diverging: 0,
      divergence: { state: 'expired' },
    });
    expect(groupOf(expired, 'vehicle', 'healthy')?.verdict).toBe('passed');
  });

  it('says of each comparison whether inputs or a recording were its source', async () => {
    await importRun('healthy');
    const skew = await evaluate('2027-06-30');
    const recorded = groupOf(skew, 'source', 'recording')?.windows ?? {};
    expect(recorded['compared']).toBeGreaterThan(10);
    expect(recorded).toMatchObject({ outside: 0 });
    expect(groupOf(skew, 'source', 'sample')?.verdict).toBe('failed');
    expect(groupOf(skew, 'vehicle', 'healthy')?.verdict).toBe('passed');
    expect(skew.windows['compared']).toBe(Number(recorded['compared']) + Number(sampled(skew)['compared']));
    const fact = (await bench.readLedger()).findLast(({ kind }) => kind === 'skew.evaluated');
    expect(fact?.body).toMatchObject({ verdict: 'failed', windows: skew.windows });
  });
});

const groupOf = ({ groups }: Skew, by: string, value: string): Group | undefined =>
  groups.find((group) => group.by === by && group.value === value);
const sampled = (skew: Skew): Counts => groupOf(skew, 'source', 'sample')?.windows ?? {};

async function evaluate(on: string): Promise<Skew> {
  const asked = { featureSet: SET.name, on };
  ({ evaluationId } = await controlPlane.api.post<{ evaluationId: string }>('/v1/skew-evaluations', asked));
  await controlPlane.api.workflowResult(evaluationId);
  return (await controlPlane.api.get<{ result: Skew }>(`/v1/skew-evaluations/${evaluationId}`)).result;
}

/** What a sound engine makes of a drive. */
async function vectorsOf(drive: RecordedDrive): Promise<readonly FeatureVector[]> {
  const source = await openSource({ ...(await loadMapping(drive.mappingPath)), sourcePath: drive.sourcePath });
  const evaluator = createStreamingEvaluator(SET);
  const vectors: FeatureVector[] = [];
  for await (const batch of source.batches()) for (const message of batch) vectors.push(...evaluator.push(message));
  return [...vectors, ...evaluator.endSession()];
}

/** Registers the set, builds a bundle with it where vehicles fetch from, and writes that it exists. */
async function shipBundle(): Promise<Digest> {
  await controlPlane.api.post('/v1/feature-sets', { document: SET, reason: 'to be watched' });
  const blobs = await FolderBlobs.open(join(bench.dataDir, 'blobs'), 'tester');
  const json = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(MODEL, name), 'utf8'));
  const built = await buildBundle(
    {
      modelName: 'watched',
      modelVersion: 1,
      fp32: await readFile(join(MODEL, 'model.onnx')),
      featureSet: SET,
      datasetDigest: digestOfBytes(Buffer.from('dataset')),
      labels: LABELS,
      trainingStats: await json('training-stats.json'),
      golden: await json('golden.json'),
      // Whether it is in time is not the question here.
      latencyBudgetMs: 5_000,
    },
    { blobs, signer: createBundleSigner(await keyOf('image')) },
  );
  const ledger = await NatsLedger.open(connection, { now: () => new Date() });
  const body = {
    bundle: built.bundle,
    model: built.model,
    modelName: 'watched',
    modelVersion: 1,
    featureSet: built.featureSetDigest,
    variants: built.variants,
    promotion: 'pr-1',
  };
  const key = built.bundle.slice('sha256:'.length);
  await ledger.append([{ kind: 'bundle.built', key, actor: 'tester', body }]);
  return built.bundle;
}

async function keyOf(name: 'director' | 'image'): Promise<SigningKey> {
  return JSON.parse(await readFile(join(bench.dataDir, 'keys', `${name}.json`), 'utf8')) as SigningKey;
}

/** Starts a vehicle and waits until the model is at work. */
async function install(vehicleId: string, softwareVersion: string, nodeFlags: readonly string[]): Promise<void> {
  const vehicle = await openAgentBench({
    api: controlPlane.api,
    natsUrl: bench.nats.url,
    folder: join(bench.root, vehicleId),
    vehicleId,
    nodeFlags,
    settings: () => ({ softwareVersion, features: { sampleEvery: SAMPLE_EVERY, sampleBytesPerHour: 8_388_608 } }),
  });
  const states = await KvVehicleStates.open(connection, await keyOf('director'));
  vehicles.push(vehicle);
  await states.assign({ vehicleId, bundle, shadow: null, rolloutId: null, reason: 'to be watched' });
  await vehicle.start();
  const installed = async (): Promise<void> => {
    const { reported } = await controlPlane.api.get<{ reported: ReportedState | null }>(`/v1/vehicles/${vehicleId}`);
    expect(reported?.model.slots.find(({ slot }) => slot === reported.model.activeSlot)?.bundle).toBe(bundle);
  };
  await vi.waitFor(installed, DEADLINE);
}

async function importRun(vehicle: string): Promise<void> {
  const specification = {
    kind: 'import-specification',
    mapping: 'borealtc/mapping.json',
    vehicle,
    runs: [{ source: RUN.sourcePath.slice(RECORDINGS.length + 1) }],
  };
  const asked = { root: 'archive', specification };
  const { workflowId } = await controlPlane.api.post<{ workflowId: string }>('/v1/import-runs', asked);
  await controlPlane.api.workflowResult(workflowId);
}
