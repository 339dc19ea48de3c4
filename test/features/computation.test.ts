/** Long work on features over workers that come and go: the same bytes, whoever computed which part, and nothing twice. */
import { execFile } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WorkflowState } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import type {
  ComputeFeaturesInput,
  FeaturesOutcome,
  ProgressStep,
  ValidateFeatureSetInput,
  ValidationOutcome,
} from '@fleetloop/workflows';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DriftServers, openDriftServers } from '../drift/drift-servers.ts';
import { recordHistories } from '../workflows/histories.ts';
import { NORM_FEATURES, syntheticRecording } from '../workflows/synthetic-drives.ts';

const CLI = join(import.meta.dirname, '../../control-plane/src/processes/cli.ts');
const DRIVES = 12;
const WAIT = { timeout: 60_000 };
/** So little that each recording is a part of its own. */
const SMALLEST_PART = 1;

/** Workflows that stand for their kind among the recorded histories. */
const started = new Map<string, string>();
let servers: DriftServers;
let recordings: readonly string[];
let featureSet: string;

beforeAll(async () => {
  servers = await openDriftServers();
  featureSet = (await servers.api.post<{ digest: string }>('/v1/feature-sets', { document: NORM_FEATURES })).digest;
  for (let drive = 0; drive < DRIVES; drive += 1) {
    const bytes = await syntheticRecording({
      session: `drive/${drive}`,
      ground: 'rough',
      vehicle: 'v1',
      hardwareRevision: 'A',
    });
    await servers.api.postBytes('/v1/imports', bytes);
  }
  const listed = await servers.api.get<{ recordings: { recording: string }[] }>('/v1/recordings');
  recordings = listed.recordings.map(({ recording }) => recording);
});
afterAll(async () => {
  await recordHistories(servers.api, started);
  await servers?.[Symbol.asyncDispose]();
});

async function compute(where: string | null = null): Promise<string> {
  const asked = { featureSet: 'norms', where };
  return (await servers.api.post<{ computationId: string }>('/v1/feature-computations', asked)).computationId;
}

async function validate(): Promise<string> {
  const asked = { recordings, reason: 'both engines agree on all drives' };
  const path = '/v1/feature-sets/norms/1/validate';
  return (await servers.reviewer.post<{ validationId: string }>(path, asked)).validationId;
}

/** As the API would start it, but in parts of one recording each. */
async function startInSmallParts(
  workflow: 'computeFeatures' | 'validateFeatureSet',
  input: ComputeFeaturesInput | ValidateFeatureSetInput,
  workflowId: string,
): Promise<string> {
  const args = [{ ...input, partBytes: SMALLEST_PART }];
  await servers.temporal.workflow.start(workflow, { workflowId, taskQueue: 'fleetloop', args });
  return workflowId;
}

async function computeInSmallParts(computationId: string): Promise<string> {
  const input = { computationId, featureSet, where: null, actor: 'tester' };
  return startInSmallParts('computeFeatures', input, computationId);
}

async function validateInSmallParts(validationId: string): Promise<string> {
  const input = { validationId, featureSet, recordings, actor: 'reviewer', reason: 'once more, in parts' };
  return startInSmallParts('validateFeatureSet', input, validationId);
}

async function progressOf(workflowId: string): Promise<readonly ProgressStep[]> {
  return (await servers.api.get<WorkflowState>(`/v1/workflows/${workflowId}`)).progress as readonly ProgressStep[];
}

const statusOf = async (workflowId: string): Promise<string> =>
  (await servers.api.get<WorkflowState>(`/v1/workflows/${workflowId}`)).status;
const stateOf = async (workflowId: string, step: string): Promise<string | undefined> =>
  (await progressOf(workflowId)).find((each) => each.step === step)?.state;

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'there',
    (error: unknown) => FleetError.from(error).code,
  );

type Shown = {
  readonly state: string;
  readonly steps: readonly { readonly state: string; readonly evidence: readonly string[] }[];
};
const validations = async (): Promise<Shown['steps']> =>
  (await servers.api.get<Shown>('/v1/feature-sets/norms/1')).steps.filter(({ state }) => state === 'validated');

it('gives the same bytes with one worker and with four, in one part and in many, and shows its parts', async () => {
  await servers.startWorker('one', 1);
  const alone = await servers.api.workflowResult<FeaturesOutcome>(await compute());
  expect(alone).toMatchObject({ recordings: DRIVES, skippedCount: 0, lateSamples: 0 });
  expect(alone.rows).toBeGreaterThan(DRIVES);
  const judged = await servers.reviewer.workflowResult<ValidationOutcome>(await validate());
  expect(judged).toMatchObject({ recordings: DRIVES, featureSet: { name: 'norms', version: 1 } });
  expect(judged.windows).toBe(alone.rows);
  await servers.stopWorkers();
  await servers.startWorker('four', 4);
  const computationId = await computeInSmallParts('features-00000000000000aa');
  const together = await servers.api.workflowResult<FeaturesOutcome>(computationId);
  expect(together.table).toBe(alone.table);
  expect(await progressOf(computationId)).toMatchObject([
    { step: 'plan', state: 'done' },
    { step: 'compute', state: 'done', detail: `${DRIVES} of ${DRIVES} parts done, 0 running` },
    { step: 'join', state: 'done' },
  ]);
  started.set('compute-features', computationId);
});

it('keeps the parts that are computed while one fails, and computes that one alone once it is repaired', async () => {
  const hex = (recordings[3] as string).slice('sha256:'.length);
  const blob = join(servers.root, 'data/blobs/sha256', hex.slice(0, 2), hex);
  await rename(blob, `${blob}.away`);
  const computationId = await computeInSmallParts('features-00000000000000bb');
  await expect.poll(async () => stateOf(computationId, 'compute'), WAIT).toBe('waiting');
  const [, waiting] = await progressOf(computationId);
  expect(waiting?.detail).toContain(`${DRIVES - 1} of ${DRIVES} parts done, 0 running, 1 failed: retry them or cancel`);
  expect(waiting?.detail).toContain(hex);
  await rename(`${blob}.away`, blob);
  const args = [CLI, ...servers.access, 'workflow', 'retry', computationId, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(JSON.parse(stdout)).toEqual({ workflowId: computationId, parts: 1 });
  expect(await servers.api.workflowResult(computationId)).toMatchObject({ recordings: DRIVES });
  const again = servers.api.post(`/v1/feature-computations/${computationId}/retry`, {});
  expect(await codeOf(again)).toBe('NOT_FOUND');
  started.set('compute-features-retried', computationId);
});

it('validates with another worker after every worker was killed, and records that once', async () => {
  const [first, ...before] = await validations();
  expect(before).toEqual([]);
  await servers.stopWorkers();
  const doomed = await servers.startWorker('doomed', 1);
  const validationId = await validateInSmallParts('validation-00000000000000aa');
  await expect.poll(async () => stateOf(validationId, 'plan'), WAIT).toBe('done');
  doomed.kill('SIGKILL');
  await servers.startWorker('next', 4);
  const outcome = await servers.api.workflowResult<ValidationOutcome>(validationId);
  // The same recordings on the same day: the same report, whoever compared which part.
  expect(first?.evidence[0]).toBe(outcome.report);
  expect(await validations()).toHaveLength(2);
  expect(await servers.api.get(`/v1/feature-validations/${validationId}`)).toMatchObject({
    actor: 'reviewer',
    report: outcome.report,
    result: { kind: 'parity-report', recordings: { length: DRIVES } },
  });
  started.set('validate-feature-set', validationId);
});

it('ends when it is cancelled, and leaves no table and no fact', async () => {
  await servers.stopWorkers();
  const [computationId, validationId] = [await compute('vehicle == "v1"'), await validate()];
  await servers.api.delete(`/v1/feature-computations/${computationId}`);
  await servers.api.delete(`/v1/feature-validations/${validationId}`);
  await servers.startWorker('late', 2);
  await expect.poll(async () => statusOf(computationId), WAIT).toBe('cancelled');
  await expect.poll(async () => statusOf(validationId), WAIT).toBe('cancelled');
  expect(await codeOf(servers.api.get(`/v1/feature-computations/${computationId}`))).toBe('NOT_FOUND');
  expect(await codeOf(servers.api.get(`/v1/feature-validations/${validationId}`))).toBe('NOT_FOUND');
  expect(await validations()).toHaveLength(2);
});
