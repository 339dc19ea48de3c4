/** Why: whatever a drive was recorded with goes in by one command, says what is known of it, and goes on where it was cut. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { RecordingPage } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, killNow, openIngestBench } from './control-plane-process.ts';
import { makeRecording } from './test-vehicle.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const FIXTURES = join(ROOT, 'schemas/src/capture/fixtures');
const BOREALTC = join(ROOT, 'sim/recordings/borealtc');

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-sources-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Run = { readonly state: string; readonly source: string; readonly recording?: string; readonly code?: string };
type Report = {
  readonly accepted: number;
  readonly known: number;
  readonly failed: number;
  readonly runs: readonly Run[];
};

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token, TMPDIR: folder };
}

async function importJson(...args: readonly string[]): Promise<Report> {
  const options = { env: environment(), cwd: folder, maxBuffer: 16 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'import', '--json', ...args], options).catch(
    (error: { stdout: string; stderr: string }) => {
      if (error.stdout === '') throw new Error(error.stderr);
      return error;
    },
  );
  return JSON.parse(stdout) as Report;
}

async function matches(where: string): Promise<readonly string[]> {
  const { recordings } = await controlPlane.api.get<RecordingPage>('/v1/recordings', {
    query: { where, limit: 1_000 },
  });
  return recordings.map(({ recording }) => recording);
}

async function countOf(kind: string): Promise<number> {
  return (await bench.readLedger()).filter((entry) => entry.kind === kind).length;
}

it('a folder goes in as a whole: ULog, a foreign MCAP, and a recording of ours byte for byte', async () => {
  const drive = join(folder, 'drive');
  await mkdir(join(drive, 'below'), { recursive: true });
  const { bytes } = await makeRecording('husky-7', 'ev-as-it-is');
  await writeFile(join(drive, 'ours.mcap'), bytes);
  await copyFile(join(FIXTURES, 'px4_hop.ulg'), join(drive, 'below/hop.ulg'));
  await copyFile(join(FIXTURES, 'rosbag2_talker.mcap'), join(drive, 'talker.mcap'));
  await writeFile(join(drive, 'notes.txt'), 'not a run');
  const said = ['--vehicle', 'husky-7', '--weather', 'rain', '--place', 'test-site', '--operator', 'track crew'];
  const permission = ['--licence', 'CC-BY-4.0,scope=training+evaluation,expires=2026-01-01T00:00:00Z'];
  const report = await importJson(drive, ...said, ...permission);
  expect(report).toMatchObject({ accepted: 3, known: 0 });
  expect(report.runs.find(({ source }) => source.endsWith('ours.mcap'))?.recording).toBe(digestOfBytes(bytes));
  expect(await matches('weather == "rain" && placeClass == "test-site" && operator == "track crew"')).toHaveLength(2);
  expect(await matches('"training" in licenceScope && licenceExpiresAt > "2025-06-01"')).toHaveLength(2);
  expect(await matches('licence != "" && licenceExpiresAt < "2026-06-01"')).toHaveLength(2);
  expect(await matches('"publication" in licenceScope')).toEqual([]);
  expect(await importJson(drive, ...said, ...permission)).toMatchObject({ accepted: 0, known: 3 });
});

it('runs of a simulation say which generator and seed made them, and a filter leaves them out', async () => {
  const before = await matches('!synthetic');
  const run = ['--mapping', join(BOREALTC, 'mapping.json'), '--vehicle', 'sim-1', join(BOREALTC, 'ICE/imu_00.csv.zst')];
  const report = await importJson(...run, '--synthetic', 'generator=carla,version=0.9.15,seed=42');
  const [recording = ''] = await matches('synthetic && generator == "carla"');
  expect(report.runs[0]?.recording).toBe(recording);
  expect(await controlPlane.api.get(`/v1/recordings/${recording}`)).toMatchObject({
    metadata: { circumstances: { synthetic: { generator: 'carla', version: '0.9.15', seed: '42' } } },
  });
  expect(await matches('!synthetic')).toEqual(before);
});

it('what was imported is checked in the same commit, and the report is a blob', async () => {
  const entries = await bench.readLedger();
  for (const [index, entry] of entries.entries()) {
    if (entry.kind !== 'recording.accepted') continue;
    const next = entries[index + 1];
    if (next?.kind !== 'recording.checked') throw new Error(`entry ${index + 1} is followed by ${next?.kind}`);
    expect(next.body.recording).toBe(entry.body.recording);
    const report = await controlPlane.api.get<{ verdict: string }>(`/v1/blobs/${next.body.report}`);
    expect(report.verdict).toBe(next.body.verdict);
  }
  expect(await countOf('recording.checked')).toBe(await countOf('recording.accepted'));
});

it('a full disk ends the command with a reason, leaves nothing behind, and the import can be repeated', async () => {
  const run = [
    CLI,
    'import',
    '--mapping',
    join(BOREALTC, 'mapping.json'),
    '--vehicle',
    'v-full',
    join(BOREALTC, 'SNOW/imu_00.csv.zst'),
  ];
  const before = await countOf('recording.accepted');
  // A file may grow to 64 KiB: the write fails in the middle of the recording, as on a disk that is full.
  const limited = await promisify(execFile)('bash', ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, ...run], {
    env: environment(),
  }).catch((error: { code: number; stderr: string }) => error);
  expect(limited).toMatchObject({ code: 1, stderr: expect.stringContaining('RECORD_WRITE') });
  expect((await readdir(folder)).filter((name) => name.startsWith('fleetloop-import-'))).toEqual([]);
  expect(await countOf('recording.accepted')).toBe(before);
  expect(await importJson(...run.slice(2))).toMatchObject({ accepted: 1 });
});

it('Ctrl-C ends the command in order, and repeating it does the rest', async () => {
  const runs = [join(BOREALTC, 'SANDY_LOAM'), '--mapping', join(BOREALTC, 'mapping.json'), '--vehicle', 'v-break'];
  const child = spawn(process.execPath, [CLI, 'import', ...runs], {
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString();
    // A second signal would end it at once.
    if (said.includes('[2/') && !child.killed) child.kill('SIGINT');
  });
  await once(child, 'exit');
  expect(child.exitCode).toBe(1);
  expect(said).toMatch(/IMPORT_INTERRUPTED: \d+ of 10 runs were done/);
  expect((await readdir(folder)).filter((name) => name.startsWith('fleetloop-import-'))).toEqual([]);
  const { accepted, known } = await importJson(...runs);
  expect([accepted + known, known >= 2]).toEqual([10, true]);
});

describe('an upload that breaks off', () => {
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'accepted',
      (error: unknown) => FleetError.from(error).code,
    );

  it('goes on behind what arrived, whichever process goes on', async () => {
    const { bytes } = await makeRecording('husky-8', 'ev-continued', 60_000);
    const upload = digestOfBytes(bytes);
    await sendHalf(upload, bytes.subarray(0, bytes.length / 2));
    const { receivedBytes } = await controlPlane.api.get<{ receivedBytes: number }>(`/v1/imports/uploads/${upload}`);
    expect(receivedBytes).toBeGreaterThan(0);
    await controlPlane.kill();
    controlPlane = await bench.start();
    const rest = Readable.from([bytes.subarray(receivedBytes)]);
    const query = { upload, from: receivedBytes };
    expect(await controlPlane.api.postBytes('/v1/imports', rest, { query })).toMatchObject({
      recording: upload,
      isNew: true,
    });
    expect(digestOfBytes(await controlPlane.api.getBytes(`/v1/recordings/${upload}/content`))).toBe(upload);
    expect(await readdir(join(bench.dataDir, 'uploads'))).toEqual([]);
  });

  it('is refused where it leaves out bytes, names another digest, or is no digest at all', async () => {
    const { bytes } = await makeRecording('husky-8', 'ev-gap');
    const upload = digestOfBytes(bytes);
    const post = async (query: Record<string, string | number>): Promise<string> =>
      codeOf(controlPlane.api.postBytes('/v1/imports', bytes, { query }));
    expect(await post({ upload, from: 10 })).toBe('INGEST_UPLOAD_OFFSET');
    expect(await post({ upload: digestOfBytes(Uint8Array.of(1)) })).toBe('INGEST_RECORDING_DIGEST');
    expect(await post({ upload: '../../../etc/passwd' })).toBe('REQUEST_INVALID');
    expect(await readdir(join(bench.dataDir, 'uploads'))).toEqual([]);
  });

  /** Resolves when the server has seen the connection end in the middle of the body. */
  async function sendHalf(upload: string, bytes: Uint8Array): Promise<void> {
    const url = new URL(`${controlPlane.url}/v1/imports?upload=${upload}&from=0`);
    const headers = {
      authorization: `Bearer ${controlPlane.token}`,
      'content-type': 'application/octet-stream',
      'content-length': bytes.length * 2,
    };
    const sending = request(url, { method: 'POST', headers });
    sending.on('error', () => undefined);
    await new Promise<void>((resolve) => sending.write(bytes, () => resolve()));
    sending.destroy();
    await expect
      .poll(
        async () =>
          (await controlPlane.api.get<{ receivedBytes: number }>(`/v1/imports/uploads/${upload}`)).receivedBytes,
        {
          timeout: 20_000,
        },
      )
      .toBeGreaterThan(0);
  }
});

it('each run is catalogued once although command and control plane are killed in the middle', async () => {
  const runs = [
    join(BOREALTC, 'SNOW'),
    join(BOREALTC, 'ASPHALT'),
    '--mapping',
    join(BOREALTC, 'mapping.json'),
    '--vehicle',
    'v-kill',
    '--label',
    'X',
  ];
  const before = { accepted: await countOf('recording.accepted'), labels: await countOf('label.assigned') };
  for (const killed of ['command', 'control plane', 'command'] as const) {
    const child = spawn(process.execPath, [CLI, 'import', ...runs], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await sayingAnything(child.stderr);
    if (killed === 'control plane') {
      await controlPlane.kill();
      controlPlane = await bench.start();
    }
    await killNow(child);
  }
  const report = await importJson(...runs);
  expect(report.accepted + report.known).toBe(22);
  expect(await countOf('recording.accepted')).toBe(before.accepted + 22);
  expect(await countOf('label.assigned')).toBe(before.labels + 22);
  expect(await countOf('recording.checked')).toBe(before.accepted + 22);
  expect(await readdir(join(bench.dataDir, 'assembly'))).toEqual([]);
});

async function sayingAnything(stream: Readable): Promise<void> {
  for await (const _text of stream) return;
}
