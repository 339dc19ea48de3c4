/** `fleetloop recording check` as a process: files, standards, mappings, exit codes, and no server anywhere. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORDINGS } from './real-recordings.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');
const STRICT = join(ROOT, 'control-plane/standards/strict.json');
const FIXTURE = join(ROOT, 'schemas/src/capture/fixtures/comma_lz4.mcap');
const FAULTY = [
  '--mapping',
  join(RECORDINGS, 'borealtc/mapping-firmware-fault.json'),
  join(RECORDINGS, 'borealtc/ICE/imu_00.csv.zst'),
];

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function run(args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, 'recording', 'check', ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

describe('recording check', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetloop-check-'));
  });
  afterAll(async () => rm(folder, { recursive: true }));

  it('accepts an MCAP file of somebody else', async () => {
    const { code, stdout } = await run([FIXTURE, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ files: [{ file: FIXTURE, verdict: 'accepted', findings: [] }] });
    expect(code).toBe(0);
  });

  it('prints each finding with rule, version, severity, topic, range, message, evidence and action', async () => {
    const { code, stdout } = await run([...FAULTY, '--json']);
    const [report] = (JSON.parse(stdout) as { files: readonly { verdict: string; findings: readonly object[] }[] })
      .files;
    expect(report?.verdict).toBe('accepted_with_findings');
    expect(report?.findings).toEqual([
      {
        rule: 'imu.gravity-length',
        version: 1,
        severity: 'error',
        topic: '/vss/Vehicle.Acceleration',
        fromNs: expect.stringMatching(/^\d+$/),
        toNs: expect.stringMatching(/^\d+$/),
        message: expect.stringContaining('the values are in g'),
        evidence: expect.objectContaining({ factor: expect.closeTo(0.102, 3) }),
        action: expect.stringContaining('unit'),
      },
    ]);
    expect(code).toBe(0);
  });

  it('quarantines by the standard that is named, and says so by its exit code', async () => {
    const { code, stdout } = await run([...FAULTY, '--standard', STRICT]);
    expect(stdout).toContain('quarantined');
    expect(code).toBe(1);
  });

  it('quarantines a file that is cut off', async () => {
    const path = join(folder, 'cut.mcap');
    const bytes = await readFile(FIXTURE);
    await writeFile(path, bytes.subarray(0, Math.floor(bytes.length * 0.7)));
    const { code, stdout } = await run([path, FIXTURE]);
    expect(stdout).toMatch(/cut\.mcap: quarantined\n {2}error structure\.damaged: .*cut off/);
    expect(stdout).toContain(`${FIXTURE}: accepted`);
    expect(code).toBe(1);
  });

  it('quarantines a recording whose first bytes are gone, and goes on with the others', async () => {
    const path = join(folder, 'beheaded.mcap');
    const bytes = await readFile(FIXTURE);
    await writeFile(path, bytes.fill(0, 0, 64));
    const { code, stdout } = await run([path, FIXTURE]);
    expect(stdout).toMatch(/beheaded\.mcap: quarantined\n {2}error structure\.damaged: /);
    expect(stdout).toContain(`${FIXTURE}: accepted`);
    expect(code).toBe(1);
  });

  it('takes a standard that is none for a wrong call', async () => {
    const path = join(folder, 'standard.json');
    await writeFile(path, '{"kind":"quality-standard","name":"x","version":0,"quarantineOn":[]}');
    const { code, stderr } = await run([FIXTURE, '--standard', path]);
    expect(stderr).toContain('STANDARD_INVALID');
    expect(stderr).toContain('version');
    expect(code).toBe(2);
  });
});
