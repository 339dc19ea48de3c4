/** Why: an import has two ends, and either may die before any of its steps; repeated, the command ends with one recording. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordingPage } from '@fleetloop/control-plane';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { type Death, deathIn, DIE_BEFORE, DyingProcess, NEVER, PRELOAD } from './dying-process.ts';
import { type CliRun, runCli } from './run-cli.ts';
import { stepsToDieAt } from './step-plan.ts';

const MAPPING = join(import.meta.dirname, '../../sim/recordings/borealtc/mapping.json');

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let folder: string;
const runs: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-import-steps-'));
  await mkdir(join(folder, 'tmp'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  await controlPlane.stop();
  controlPlane = await bench.start({ preload: PRELOAD });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A run of a test drive that nobody has imported yet. */
async function newRun(): Promise<string> {
  const number = 10 + runs.length;
  const path = join(folder, `imu_${number}.csv`);
  await writeFile(path, `time,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,9.81\n0.01,0,0,0,0,0,9.${number}\n`);
  await writeFile(join(folder, `pro_${number}.csv`), 'time,curL,curR,velL,velR\n0,1,1,0.5,0.5\n');
  runs.push(path);
  return path;
}

async function importRun(
  path: string,
  { dieBefore = NEVER, signal }: { readonly dieBefore?: number; readonly signal?: AbortSignal } = {},
): Promise<CliRun> {
  const command = ['import', '--json', '--mapping', MAPPING, '--vehicle', 'husky-1', '--label', 'SNOW', path];
  const environment = {
    TMPDIR: join(folder, 'tmp'),
    [DIE_BEFORE]: String(dieBefore),
  };
  const preload = dieBefore === NEVER ? {} : { preload: PRELOAD };
  return runCli(controlPlane, command, {
    folder,
    environment,
    ...preload,
    ...(signal === undefined ? {} : { signal }),
  });
}

const stateOf = ({ stdout }: CliRun): string | undefined =>
  (JSON.parse(stdout) as { readonly runs: readonly { readonly state: string }[] }).runs[0]?.state;

describe('fleetloop import', () => {
  it('that dies by SIGKILL before every eighth step has imported the run once it is repeated', async () => {
    const deaths: Death[] = [];
    for (const step of stepsToDieAt(8)) {
      const path = await newRun();
      const dying = await importRun(path, { dieBefore: step });
      const death = deathIn(dying.stderr);
      if (death === undefined) {
        expect([dying.code, stateOf(dying)]).toEqual([0, 'accepted']);
        break;
      }
      deaths.push(death);
      expect(['accepted', 'known']).toContain(stateOf(await importRun(path)));
    }
    expect(deaths.length).toBeGreaterThan(1);
    expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  });

  it('has imported the run once it is repeated when the control plane has died before every sixth step', async () => {
    const deaths: Death[] = [];
    for (const step of stepsToDieAt(6)) {
      const path = await newRun();
      const dying = new DyingProcess(controlPlane.child);
      await dying.dieBefore(step);
      const stop = new AbortController();
      const importing = importRun(path, { signal: stop.signal });
      // Its last steps come after the answer.
      const early = await Promise.race([dying.ended, importing.then(() => undefined)]);
      const death = early ?? (await dying.dieBefore(NEVER));
      if (death === undefined) break;
      deaths.push(death);
      // Nobody waits for the control plane: it would go on by itself, but the next command starts over what both have left.
      stop.abort();
      controlPlane = await bench.start({ preload: PRELOAD });
      expect(['accepted', 'known']).toContain(stateOf(await importRun(path)));
    }
    expect(deaths.length).toBeGreaterThan(2);
  });

  it('has catalogued each run exactly once, with its bytes and its label, and left nothing half-done', async () => {
    const entries = await bench.readLedger();
    const accepted = entries.filter(({ kind }) => kind === 'recording.accepted');
    expect(accepted).toHaveLength(runs.length);
    expect(entries.filter(({ kind }) => kind === 'label.assigned')).toHaveLength(runs.length);
    const { recordings } = await controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
    expect(recordings.map(({ label }) => label)).toEqual(runs.map(() => 'SNOW'));
    for (const { recording } of recordings)
      expect(digestOfBytes(await controlPlane.api.getBytes(`/v1/recordings/${recording}/content`))).toBe(recording);
    for (const place of ['assembly', 'uploads', 'quarantine'])
      expect([place, await readdir(join(bench.dataDir, place))]).toEqual([place, []]);
    const { code, stdout } = await runCli(controlPlane, ['ledger', 'verify', '--json']);
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ok: true });
  });
});
