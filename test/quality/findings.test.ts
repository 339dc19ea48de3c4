/** From a check at ingest to the question that follows it: which recordings have a finding, and what do they share? */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { RECORDINGS } from './real-recordings.ts';

const CLI = join(import.meta.dirname, '../../control-plane/src/processes/cli.ts');
const BOREALTC = join(RECORDINGS, 'borealtc');
const RUNS = ['ICE/imu_07.csv.zst', 'ICE/imu_09.csv.zst', 'SNOW/imu_00.csv.zst'].map((run) => join(BOREALTC, run));

type Findings = {
  readonly checked: number;
  readonly findings: readonly {
    readonly rule: string;
    readonly vehicle: string;
    readonly severity: string;
    readonly recording: string;
  }[];
  readonly causes: readonly {
    readonly rule: string;
    readonly cause: string;
    readonly value: string;
    readonly with: number;
    readonly of: number;
  }[];
};

describe('findings of the fleet', () => {
  let bench: IngestBench;
  let controlPlane: ControlPlaneProcess;

  const fleetloop = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token };
    return (await promisify(execFile)(process.execPath, [CLI, ...args], { env })).stdout;
  };
  const findings = async (...args: readonly string[]): Promise<Findings> =>
    JSON.parse(await fleetloop('recording', 'findings', '--json', ...args)) as Findings;
  const importRuns = async (vehicle: string, mapping: string, software: string): Promise<string> =>
    fleetloop('import', ...RUNS, '--mapping', join(BOREALTC, mapping), '--vehicle', vehicle, '--software', software);

  beforeAll(async () => {
    bench = await openIngestBench();
    controlPlane = await bench.start();
    await importRuns('husky-1', 'mapping.json', '1.0');
    await importRuns('husky-2', 'mapping-firmware-fault.json', '1.1');
  });
  afterAll(async () => bench[Symbol.asyncDispose]());

  it('names the recordings with a finding and the software that they share', async () => {
    const { findings: found, causes, checked } = await findings('--where', 'rule == "imu.gravity-length"');
    expect(checked).toBe(2 * RUNS.length);
    expect(found.map(({ vehicle, severity }) => [vehicle, severity])).toEqual(RUNS.map(() => ['husky-2', 'error']));
    const named = causes.map(({ cause, value, with: count, of }) => `${cause} ${value} ${count}/${of}`);
    expect(named).toContain('softwareVersion 1.1 3/3');
    expect(named).toContain('vehicle husky-2 3/3');
    expect(named.filter((name) => name.includes('husky-1'))).toEqual([]);
  });

  it('finds nothing for a filter that matches nothing, and refuses one that is wrong', async () => {
    expect((await findings('--where', 'vehicle == "husky-9"')).findings).toEqual([]);
    await expect(fleetloop('recording', 'findings', '--where', 'vehicle ==')).rejects.toMatchObject({ code: 2 });
  });

  it('pages without losing one', async () => {
    const all = await findings();
    const { findings: first } = await findings('--limit', '1');
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThan(all.findings.length);
    expect(all.findings.slice(0, first.length)).toEqual(first);
  });
});
