/** Why: an archive beside the control plane is imported there, in parts that survive its death, and nothing outside its root is read. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WorkflowState } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordHistories } from '../workflows/histories.ts';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const RECORDINGS = join(ROOT, 'sim/recordings');

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let outside: string;
/** Workflows that stand for their kind among the recorded histories. */
const started = new Map<string, string>();

beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), 'fleetloop-outside-'));
  await symlink(join(RECORDINGS, 'borealtc'), join(outside, 'link'));
  bench = await openIngestBench({}, { importRoots: { archive: RECORDINGS, linked: outside, inbox: outside } });
  controlPlane = await bench.start();
});
afterAll(async () => {
  await recordHistories(controlPlane.api, started);
  await bench[Symbol.asyncDispose]();
  await rm(outside, { recursive: true, force: true });
});

const specification = (source: string): object => ({
  kind: 'import-specification',
  mapping: 'borealtc/mapping.json',
  vehicle: 'husky-1',
  runs: [{ source }],
});

async function start(root: string, document: object): Promise<string> {
  const { workflowId } = await controlPlane.api.post<{ workflowId: string }>('/v1/import-runs', {
    root,
    specification: document,
  });
  return workflowId;
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => FleetError.from(error).code,
  );

it('imports a folder of its root, also when the control plane dies in the middle, and each run once', async () => {
  const workflowId = await start('archive', specification('borealtc'));
  await expect.poll(acceptedInLedger, { timeout: 60_000 }).toBeGreaterThan(2);
  await controlPlane.kill();
  controlPlane = await bench.start();
  const result = await controlPlane.api.workflowResult<{ accepted: number; known: number; failed: number }>(workflowId);
  expect(result).toMatchObject({ failed: 0, quarantined: 0, runs: [] });
  started.set('import-runs', workflowId);
  expect(result.accepted + result.known).toBe(46);
  expect(await acceptedInLedger()).toBe(46);
  const { progress } = await controlPlane.api.get<WorkflowState & { progress: { detail: string }[] }>(
    `/v1/workflows/${workflowId}`,
  );
  expect(progress.map(({ detail }) => detail)).toEqual(['46 runs in 1 parts', '1 of 1 parts done, 0 running']);
});

it('the command waits for it and prints the same report as for local files', async () => {
  const args = [
    'import',
    'borealtc/ICE',
    '--root',
    'archive',
    '--mapping',
    'borealtc/mapping.json',
    '--vehicle',
    'husky-1',
    '--json',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], { env: environment() });
  expect(JSON.parse(stdout)).toMatchObject({ accepted: 0, known: 8, quarantined: 0, failed: 0 });
});

it('ends when it is cancelled', async () => {
  const document = { ...specification('borealtc'), vehicle: 'husky-2' };
  const workflowId = await start('archive', document);
  await controlPlane.api.delete(`/v1/import-runs/${workflowId}`);
  await expect
    .poll(async () => (await controlPlane.api.get<WorkflowState>(`/v1/workflows/${workflowId}`)).status, {
      timeout: 60_000,
    })
    .toBe('cancelled');
});

it('imports a run that failed again, alone, once what was wrong with it is mended', async () => {
  const inbox = join(outside, 'ICE');
  await mkdir(inbox);
  const ice = join(RECORDINGS, 'borealtc/ICE');
  for (const name of ['imu_00.csv.zst', 'pro_00.csv.zst', 'pro_02.csv.zst'])
    await copyFile(join(ice, name), join(inbox, name));
  await copyFile(join(RECORDINGS, 'borealtc/mapping.json'), join(outside, 'mapping.json'));
  await writeFile(join(inbox, 'imu_02.csv.zst'), 'half a file');
  const document = {
    kind: 'import-specification',
    mapping: 'mapping.json',
    vehicle: 'husky-3',
    runs: [{ source: 'ICE' }],
  };
  const workflowId = await start('inbox', document);
  const first = await controlPlane.api.workflowResult<{ accepted: number; failed: number }>(workflowId);
  expect(first).toMatchObject({ accepted: 1, failed: 1, runs: [{ state: 'failed' }] });
  await copyFile(join(ice, 'imu_02.csv.zst'), join(inbox, 'imu_02.csv.zst'));
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'workflow', 'retry', workflowId, '--json'], {
    env: environment(),
  });
  const again = JSON.parse(stdout) as { workflowId: string; runs: number };
  expect(again).toMatchObject({ workflowId: `${workflowId}.2`, runs: 1 });
  expect(await controlPlane.api.workflowResult(again.workflowId)).toMatchObject({ accepted: 1, known: 0, failed: 0 });
  started.set('import-runs-again', again.workflowId);
  const nothing = controlPlane.api.post(`/v1/import-runs/${again.workflowId}/retry`, {});
  expect(await codeOf(nothing)).toBe('WORKFLOW_STATE');
});

it('reads nothing outside of its root, by path or by link, and knows no other root', async () => {
  expect(await codeOf(start('etc', specification('borealtc')))).toBe('IMPORT_INVALID');
  for (const [root, source] of [
    ['archive', '../../package.json'],
    ['archive', '/etc/passwd'],
    ['linked', 'link/ICE'],
  ] as const) {
    const document = { kind: 'import-specification', vehicle: 'v1', runs: [{ source }] };
    expect(await codeOf(controlPlane.api.workflowResult(await start(root, document)))).toBe('IMPORT_INVALID');
  }
});

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token };
}

async function acceptedInLedger(): Promise<number> {
  return (await bench.readLedger()).filter(({ kind }) => kind === 'recording.accepted').length;
}
