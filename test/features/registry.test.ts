/** The life of feature sets, their computation and their skew, on real servers and real runs: who may do what, and what is refused. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { ApiClient, NatsLedger } from '@fleetloop/control-plane';
import { FleetError, parseFeatureSet, parseVehicleId, type SourceMessage, subjects } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { readRecording } from '@fleetloop/schemas/recording';
import { InferenceBatchSchema, InferenceSchema, Role } from '@fleetloop/schemas/wire';
import type { FeaturesOutcome } from '@fleetloop/workflows';
import { jetstream } from '@nats-io/jetstream';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const RECORDINGS = join(ROOT, 'sim/recordings');
const BUNDLE = `sha256:${'b'.repeat(64)}`;
const run = promisify(execFile);

type View = {
  readonly recording: string;
  readonly session: string;
  readonly vehicle: string;
  readonly startNs: string;
  readonly endNs: string;
};
type Standing = {
  readonly state: string;
  readonly step: { readonly actor: string; readonly evidence: readonly string[] };
};
type Skew = {
  readonly verdict: string;
  readonly windows: Readonly<Record<string, number>>;
  readonly features: readonly { readonly feature: string; readonly verdict: string }[];
  readonly groups: readonly { readonly by: string; readonly value: string; readonly verdict: string }[];
};

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let reviewer: ApiClient;
let recordings: readonly View[];
let norms: Record<string, unknown>;

beforeAll(async () => {
  bench = await openIngestBench({}, { importRoots: { archive: RECORDINGS } });
  controlPlane = await bench.start();
  reviewer = new ApiClient({ url: controlPlane.url, token: controlPlane.reviewerToken });
  norms = JSON.parse(await readFile(join(ROOT, 'sim/feature-sets/norms.json'), 'utf8')) as Record<string, unknown>;
  const specification = {
    kind: 'import-specification',
    mapping: 'borealtc/mapping.json',
    vehicle: 'husky-1',
    runs: [{ source: 'borealtc/ASPHALT' }],
  };
  const { workflowId } = await controlPlane.api.post<{ workflowId: string }>('/v1/import-runs', {
    root: 'archive',
    specification,
  });
  await controlPlane.api.workflowResult(workflowId);
  recordings = (await controlPlane.api.get<{ recordings: View[] }>('/v1/recordings')).recordings;
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => FleetError.from(error).code,
  );

/** The command line as a person calls it; exit code 1 is an answer, too. */
async function fleetloop(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const access = ['--url', controlPlane.url, '--token', controlPlane.token];
  return run(process.execPath, [CLI, ...access, ...args]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
  );
}

async function messagesOf(recording: string): Promise<readonly SourceMessage[]> {
  const messages: SourceMessage[] = [];
  const bytes = await controlPlane.api.getBytes(`/v1/recordings/${recording}/content`);
  for await (const item of readRecording([bytes])) if (item.kind === 'message') messages.push(item.message);
  return messages;
}

describe('the life of a feature set', () => {
  it('goes from a proposal by one person over a comparison by another to the version in force', async () => {
    await controlPlane.api.post('/v1/feature-sets', { document: norms, reason: 'terrain needs it' });
    const path = '/v1/feature-sets/norms/1';
    expect(await codeOf(controlPlane.api.post(`${path}/activate`, { reason: 'now' }))).toBe('FEATURE_SET_STATE');
    const named = { recordings: recordings.slice(0, 2).map(({ recording }) => recording), reason: 'two runs agree' };
    expect(await codeOf(controlPlane.api.post(`${path}/validate`, named))).toBe('FEATURE_SET_APPROVAL');
    const asked = named.recordings.flatMap((recording) => ['--recording', recording]);
    const reviewed = ['--token', controlPlane.reviewerToken, 'feature', 'validate', 'norms@1', ...asked];
    const answer = await fleetloop(...reviewed, '--reason', named.reason, '--json');
    const validated = JSON.parse(answer.stdout) as Standing;
    expect(validated).toMatchObject({ state: 'validated', step: { actor: 'reviewer', reason: named.reason } });
    const report = JSON.parse(
      Buffer.from(await reviewer.getBytes(`/v1/blobs/${validated.step.evidence[0]}`)).toString(),
    );
    expect(report).toMatchObject({ kind: 'parity-report', featureSet: { name: 'norms', version: 1 } });
    expect(report.recordings).toHaveLength(2);
    expect(await controlPlane.api.post(`${path}/activate`, { reason: 'go' })).toMatchObject({ state: 'active' });
    expect(await controlPlane.api.post(`${path}/activate`, { reason: 'go' })).toMatchObject({ state: 'active' });
    const kinds = (await bench.readLedger()).map(({ kind }) => kind).filter((kind) => kind.startsWith('feature_set.'));
    expect(kinds).toEqual(['feature_set.registered', 'feature_set.validated', 'feature_set.activated']);
  });

  it('refuses other bytes under a version, and a definition of which nothing could be compared', async () => {
    const changed = { ...norms, owner: 'somebody else' };
    expect(await codeOf(controlPlane.api.post('/v1/feature-sets', { document: changed }))).toBe('FEATURE_SET_INVALID');
    // No window has so many samples: nothing is compared, which proves nothing.
    const signals = (norms['signals'] as object[]).map((signal) => ({ ...signal, samplesMin: 1_000_000 }));
    const long = { ...norms, name: 'long', signals };
    await controlPlane.api.post('/v1/feature-sets', { document: long });
    const named = { recordings: [recordings[0]?.recording], reason: 'as ever' };
    const { workflowId } = await reviewer.post<{ workflowId: string }>('/v1/feature-sets/long/1/validate', named);
    expect(await codeOf(reviewer.workflowResult(workflowId))).toBe('FEATURE_SET_REFUSED');
  });

  it('takes one of two proposals of a version that come at once', async () => {
    const documents = [1, 2, 3, 4].map((budget) => ({ ...norms, name: 'raced', latencyBudgetMs: budget }));
    const outcomes = await Promise.all(
      documents.map(async (document) => codeOf(controlPlane.api.post('/v1/feature-sets', { document }))),
    );
    expect(outcomes.toSorted()).toEqual(['FEATURE_SET_INVALID', 'FEATURE_SET_INVALID', 'FEATURE_SET_INVALID', 'done']);
  });

  it('ends with a successor, and is listed as it stood at any entry', async () => {
    const { featureSets: before } = await controlPlane.api.get<{ featureSets: { name: string; state: string }[] }>(
      '/v1/feature-sets',
    );
    const entries = (await bench.readLedger()).length;
    const deprecated = await fleetloop(
      'feature',
      'deprecate',
      'long@1',
      '--reason',
      'too long',
      '--successor',
      'norms@1',
      '--json',
    );
    expect(JSON.parse(deprecated.stdout)).toMatchObject({ state: 'deprecated', step: { successor: 'norms@1' } });
    const listed = await fleetloop('feature', 'list', '--as-of', String(entries), '--json');
    expect(JSON.parse(listed.stdout)).toEqual(before);
    const now = JSON.parse((await fleetloop('feature', 'list', '--name', 'long', '--json')).stdout) as {
      state: string;
    }[];
    expect(now).toMatchObject([{ state: 'deprecated' }]);
    const shown = JSON.parse((await fleetloop('feature', 'show', 'norms', '--json')).stdout);
    expect(shown).toMatchObject({ state: 'active', usedBy: { replaces: ['long@1'] } });
    const dataset = { model: 'm', featureSet: 'long', policy: {}, dataset: 'none/v1' };
    expect(await codeOf(controlPlane.api.post('/v1/trainings', dataset))).not.toBe('done');
  });
});

describe('features of many recordings', () => {
  it('come as one table with the bytes that one machine computes from the files', async () => {
    const there = join(bench.root, 'there.parquet');
    const asked = await fleetloop(
      'feature',
      'compute',
      '--set',
      'norms',
      '--where',
      'session.startsWith("borealtc/")',
      '--out',
      there,
      '--json',
    );
    const outcome = JSON.parse(asked.stdout) as FeaturesOutcome;
    expect(outcome).toMatchObject({ recordings: recordings.length, skippedCount: 0 });
    const files: string[] = [];
    for (const [index, { recording }] of recordings.entries()) {
      const path = join(bench.root, `run-${index}.mcap`);
      await writeFile(path, await controlPlane.api.getBytes(`/v1/recordings/${recording}/content`));
      files.push(path);
    }
    const here = join(bench.root, 'here.parquet');
    const set = join(ROOT, 'sim/feature-sets/norms.json');
    await fleetloop('feature', 'compute', '--set', set, '--recording', ...files, '--out', here);
    expect((await readFile(there)).equals(await readFile(here))).toBe(true);
    const { usedBy } = await controlPlane.api.get<{ usedBy: { featureTables: { id: string }[] } }>(
      '/v1/feature-sets/norms',
    );
    expect(usedBy.featureTables.map(({ id }) => id)).toContain(`feature-table:${outcome.table}`);
  });

  it('name the filter that matches nothing', async () => {
    const { workflowId } = await controlPlane.api.post<{ workflowId: string }>('/v1/feature-computations', {
      featureSet: 'norms',
      where: 'label == "LAVA"',
    });
    expect(await codeOf(controlPlane.api.workflowResult(workflowId))).toBe('DATASET_EMPTY');
  });
});

describe('skew', () => {
  it('is nothing to speak of before any vehicle reported a vector', async () => {
    const { workflowId } = await controlPlane.api.post<{ workflowId: string }>('/v1/skew-evaluations', {
      featureSet: 'norms',
    });
    expect(await codeOf(controlPlane.api.workflowResult(workflowId))).toBe('FEATURE_SKEW');
  });

  it('passes what the vehicle engine reports, and counts the windows that no recording covers', async () => {
    await shipBundle();
    const [first] = recordings as readonly [View, ...View[]];
    const vectors = await vectorsOf(first.recording);
    await report(first, vectors, 1);
    const later = vectors.map((vector) => ({
      ...vector,
      windowStartNs: vector.windowStartNs + 10n ** 15n,
      windowEndNs: vector.windowEndNs + 10n ** 15n,
    }));
    await report(first, later.slice(0, 3), 1_000);
    await reported(vectors.length + 3);
    const { code, stdout } = await fleetloop('feature', 'skew', '--set', 'norms@1', '--json');
    const skew = JSON.parse(stdout) as Skew;
    const whole = wholeIn(first, vectors);
    expect(whole).toBeGreaterThan(0);
    expect(skew.windows).toMatchObject({
      logged: vectors.length + 3,
      compared: whole,
      uncovered: vectors.length - whole + 3,
      outside: 0,
    });
    expect([code, skew.verdict]).toEqual([0, 'passed']);
  });

  it('names the feature that a vehicle computes otherwise, and keeps the report as evidence', async () => {
    const second = recordings[1] as View;
    const vectors = await vectorsOf(second.recording);
    const wrong = vectors.map((vector) => ({
      ...vector,
      values: Float64Array.from(vector.values, (value, index) => (index === 0 ? value * 9.81 : value)),
    }));
    await report(second, wrong, 2_000);
    const before = (await vectorsOf((recordings[0] as View).recording)).length + 3;
    await reported(before + wrong.length);
    const { code, stdout } = await fleetloop(
      'feature',
      'skew',
      '--set',
      'norms',
      '--vehicle',
      second.vehicle,
      '--json',
    );
    const skew = JSON.parse(stdout) as Skew;
    const differing = skew.features.filter(({ verdict }) => verdict === 'failed').map(({ feature }) => feature);
    expect([code, skew.verdict, differing]).toEqual([1, 'failed', [parseFeatureSet(norms).features[0]?.name]]);
    expect(skew.windows['outside']).toBe(wholeIn(second, wrong));
    expect(skew.groups.map(({ by }) => by)).toEqual(
      expect.arrayContaining(['vehicle', 'firmware', 'hardwareRevision', 'variant']),
    );
    const fact = (await bench.readLedger()).findLast(({ kind }) => kind === 'skew.evaluated');
    expect(fact?.evidence).toHaveLength(2);
  });
});

/** Windows that lie inside a recording as a whole; the engine also gives those that it cuts. */
function wholeIn({ startNs, endNs }: View, vectors: readonly FeatureVector[]): number {
  return vectors.filter((vector) => vector.windowStartNs >= BigInt(startNs) && vector.windowEndNs <= BigInt(endNs))
    .length;
}

/** What a vehicle's own engine makes of a recording. */
async function vectorsOf(recording: string): Promise<readonly FeatureVector[]> {
  const evaluator = createStreamingEvaluator(parseFeatureSet(norms));
  const vectors = (await messagesOf(recording)).flatMap((message) => evaluator.push(message));
  return [...vectors, ...evaluator.endSession()];
}

/** The fact that a bundle with this feature set exists; how it came to be is proven elsewhere. */
async function shipBundle(): Promise<void> {
  const { digest } = await controlPlane.api.get<{ digest: string }>('/v1/feature-sets/norms');
  await withNats(async (connection) => {
    const ledger = await NatsLedger.open(connection, { now: () => new Date() });
    const body = {
      bundle: BUNDLE,
      model: BUNDLE,
      modelName: 'm',
      modelVersion: 1,
      featureSet: digest,
      variants: {},
      promotion: 'pr-1',
    };
    await ledger.append([{ kind: 'bundle.built', key: 'b'.repeat(64), actor: 'tester', body }]);
  });
}

async function report({ vehicle, session }: View, vectors: readonly FeatureVector[], from: number): Promise<void> {
  const inferences = vectors.map(({ windowStartNs, windowEndNs, values }, index) =>
    create(InferenceSchema, {
      sequence: BigInt(from + index),
      session,
      windowStartNs,
      windowEndNs,
      role: Role.ACTIVE,
      features: [...values],
    }),
  );
  const batch = create(InferenceBatchSchema, {
    vehicleId: vehicle,
    bundle: BUNDLE,
    model: 'm',
    variant: 'fp32',
    hardwareRevision: 'A',
    inferences,
  });
  await withNats(async (connection) => {
    await jetstream(connection).publish(
      subjects.inference(parseVehicleId(vehicle)),
      toBinary(InferenceBatchSchema, batch),
    );
  });
}

async function reported(count: number): Promise<void> {
  const listed = async (): Promise<number> =>
    (await controlPlane.api.get<{ inferences: unknown[] }>('/v1/telemetry/inferences', { query: { limit: 10_000 } }))
      .inferences.length;
  await expect.poll(listed, { timeout: 20_000 }).toBe(count);
}

async function withNats(work: (connection: Awaited<ReturnType<typeof connect>>) => Promise<void>): Promise<void> {
  const authenticator = credsAuthenticator(new TextEncoder().encode(bench.nats.serviceUser.creds));
  const connection = await connect({ servers: bench.nats.url, authenticator });
  try {
    await work(connection);
  } finally {
    await connection.close();
  }
}
