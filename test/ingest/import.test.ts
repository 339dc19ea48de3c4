/** Why: test drives come in by one command, all of them or each with the reason why not, and importing again adds nothing. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RecordingPage } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { makeRecording } from './test-vehicle.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const BOREALTC = join(ROOT, 'sim/recordings/borealtc');
const TERRAIN_RUNS = { ASPHALT: 6, FLOORING: 6, ICE: 8, SANDY_LOAM: 10, SNOW: 16 } as const;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-import-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Report = {
  accepted: number;
  known: number;
  quarantined: number;
  failed: number;
  runs: { state: string; code?: string; message?: string; recording?: string }[];
};

async function fleetloop(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token };
  const options = { env, cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  return promisify(execFile)(process.execPath, [CLI, ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      stdout: error.stdout,
      stderr: error.stderr,
    }),
  );
}

async function importJson(...args: readonly string[]): Promise<Report & { readonly exitCode: number }> {
  const { code, stdout, stderr } = await fleetloop('import', '--json', ...args);
  if (stdout === '') throw new Error(stderr);
  return { ...(JSON.parse(stdout) as Report), exitCode: code };
}

async function allRuns(): Promise<{ source: string; label: string }[]> {
  const sums = await readFile(join(ROOT, 'sim/recordings/SHA256SUMS'), 'utf8');
  const runs = [...sums.matchAll(/borealtc\/(\w+)\/(imu_\d+\.csv)/g)].map(([, label = '', name = '']) => ({
    source: join(BOREALTC, label, `${name}.zst`),
    label,
  }));
  return [...new Map(runs.map((run) => [run.source, run])).values()];
}

describe('fleetloop import', () => {
  it('brings all 46 runs in by one command, with label, vehicle and attributes, and adds nothing the second time', async () => {
    const specification = {
      kind: 'import-specification',
      mapping: join(BOREALTC, 'mapping.json'),
      vehicle: 'husky-1',
      hardwareRevision: 'A',
      softwareVersion: '1.4.0',
      attributes: { campaign: 'terrain-2024' },
      runs: await allRuns(),
    };
    await writeFile(join(folder, 'runs.json'), JSON.stringify(specification));
    expect(await importJson('--spec', 'runs.json')).toMatchObject({
      accepted: 46,
      known: 0,
      quarantined: 0,
      failed: 0,
      exitCode: 0,
    });
    expect(await importJson('--spec', 'runs.json')).toMatchObject({
      accepted: 0,
      known: 46,
      quarantined: 0,
      failed: 0,
      exitCode: 0,
    });
    for (const [label, count] of Object.entries(TERRAIN_RUNS)) {
      const where = `label == "${label}" && vehicle == "husky-1" && attributes["campaign"] == "terrain-2024" && durationSeconds > 5.0`;
      const { recordings } = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { where } });
      expect([label, recordings.length]).toEqual([label, count]);
    }
    const accepted = (await bench.readLedger()).filter(
      ({ kind }) => kind === 'recording.accepted' || kind === 'label.assigned',
    );
    expect(accepted).toHaveLength(92);
  });

  it('imports one run by options', async () => {
    const path = join(folder, 'imu_90.csv');
    await writeFile(path, 'time,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,9.81\n0.01,0,0,0,0,0,9.82\n');
    await writeFile(join(folder, 'pro_90.csv'), 'time,curL,curR,velL,velR\n0,1,1,0.5,0.5\n');
    const report = await importJson(
      '--mapping',
      join(BOREALTC, 'mapping.json'),
      '--vehicle',
      'husky-2',
      '--label',
      'GRAVEL',
      '--attribute',
      'weather=rain',
      path,
    );
    expect(report).toMatchObject({ accepted: 1, exitCode: 0 });
    const recording = await controlPlane.api.get(`/v1/recordings/${report.runs[0]?.recording ?? ''}`);
    expect(recording).toMatchObject({
      vehicle: 'husky-2',
      label: 'GRAVEL',
      source: 'import',
      messages: 6,
      attributes: { weather: 'rain' },
    });
  });

  it('names the column that a file lacks and the number that is broken, and still imports the other runs', async () => {
    const good = join(folder, 'imu_93.csv');
    for (const [name, text] of Object.entries({
      'imu_91.csv': 'time,wx,wy,wz,ax,ay\n0,0,0,0,0,0\n',
      'pro_91.csv': 'time,curL,curR,velL,velR\n0,1,1,0.5,0.5\n',
      'imu_92.csv': 'time,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,9.8x\n',
      'pro_92.csv': 'time,curL,curR,velL,velR\n0,1,1,0.5,0.5\n',
      'imu_93.csv': 'time,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,1\n',
      'pro_93.csv': 'time,curL,curR,velL,velR\n0,1,1,0.5,0.5\n',
    })) {
      await writeFile(join(folder, name), text);
    }
    const report = await importJson(
      '--mapping',
      join(BOREALTC, 'mapping.json'),
      '--vehicle',
      'husky-2',
      join(folder, 'imu_91.csv'),
      join(folder, 'imu_92.csv'),
      good,
    );
    expect(report).toMatchObject({ accepted: 1, failed: 2, exitCode: 1 });
    expect(report.runs.map(({ code }) => code)).toEqual(['SOURCE_COLUMN_MISSING', 'SOURCE_VALUE_INVALID', undefined]);
    expect(report.runs[0]?.message).toContain('az');
    expect(report.runs[1]?.message).toContain('9.8x');
  });

  it('says in one line what is wrong with the call', async () => {
    await writeFile(join(folder, 'bad.json'), '{"kind": "import-specification", "runs": [], "vehicel": "x"}');
    const { code, stderr } = await fleetloop('import', '--spec', 'bad.json');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^fleetloop: IMPORT_INVALID: .*vehicel/s);
  });
});

describe('POST /v1/imports', () => {
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => FleetError.from(thrown),
    );
    return error?.code ?? 'accepted';
  };

  it('refuses a truncated MCAP and keeps it with the reason', async () => {
    const { bytes } = await makeRecording('husky-3', 'ev-import-1');
    expect(await refusal(controlPlane.api.postBytes('/v1/imports', bytes.subarray(0, bytes.length - 50)))).toBe(
      'INGEST_MCAP_INVALID',
    );
    const { quarantined } = await controlPlane.api.get<{ quarantined: { code: string; source: string }[] }>(
      '/v1/quarantine',
    );
    expect(quarantined.at(-1)).toMatchObject({ code: 'INGEST_MCAP_INVALID', source: 'import' });
  });

  it('refuses bytes that are no MCAP', async () => {
    expect(await refusal(controlPlane.api.postBytes('/v1/imports', Buffer.from('not a recording')))).toBe(
      'INGEST_MCAP_INVALID',
    );
  });

  it('writes a new label of a known recording as a fact of its own', async () => {
    const { bytes } = await makeRecording('husky-3', 'ev-import-2');
    const first = await controlPlane.api.postBytes<{ recording: string }>('/v1/imports', bytes, {
      query: { label: 'SNOW' },
    });
    await controlPlane.api.postBytes('/v1/imports', bytes, { query: { label: 'ICE' } });
    expect(await controlPlane.api.get(`/v1/recordings/${first.recording}`)).toMatchObject({ label: 'ICE' });
    await controlPlane.api.post(`/v1/recordings/${first.recording}/labels`, {
      label: 'FLOORING',
      method: 'seen by eye',
    });
    expect(await controlPlane.api.get(`/v1/recordings/${first.recording}`)).toMatchObject({ label: 'FLOORING' });
  });
});
