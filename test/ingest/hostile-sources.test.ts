/** Why: whatever is wrong with a file that is imported, the answer names it by a code or a finding, and the other files are taken. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from './control-plane-process.ts';
import { folderWithLinks, HOSTILE_SOURCES, mappingOf, zonedRecording } from './hostile-sources.ts';
import { type CliRun, runCli } from './run-cli.ts';
import { makeRecording } from './test-vehicle.ts';

type ImportedRun = {
  readonly state: string;
  readonly source: string;
  readonly code?: string;
  readonly message?: string;
  readonly recording?: string;
  readonly session?: string;
};
type Report = { readonly accepted: number; readonly runs: readonly ImportedRun[] };

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-hostile-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  for (const format of ['csv', 'parquet'] as const)
    await writeFile(join(folder, `${format}.json`), JSON.stringify(mappingOf(format)));
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const fleetloop = async (...command: readonly string[]): Promise<CliRun> => runCli(controlPlane, command, { folder });

/** One process for all of them: what one file does must not touch the others. */
async function importAll(): Promise<readonly ImportedRun[]> {
  const runs: object[] = [];
  for (const [index, { file, write, isSelfDescribed }] of HOSTILE_SOURCES.entries()) {
    const place = join(folder, String(index));
    await mkdir(place);
    await write(join(place, file));
    const mapping = isSelfDescribed ? {} : { mapping: file.endsWith('.parquet') ? 'parquet.json' : 'csv.json' };
    runs.push({ source: join(place, file), vehicle: `vehicle-${index}`, ...mapping });
  }
  await writeFile(join(folder, 'all.json'), JSON.stringify({ kind: 'import-specification', runs }));
  const { stdout, stderr } = await fleetloop('import', '--json', '--spec', 'all.json');
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as Report).runs;
}

async function rulesOf(recording: string): Promise<readonly string[]> {
  const query = { where: `recording == ${JSON.stringify(recording)}` };
  const { findings } = await controlPlane.api.get<{ findings: readonly { rule: string }[] }>('/v1/findings', { query });
  return [...new Set(findings.map(({ rule }) => rule))];
}

describe('fleetloop import', () => {
  it('says of each file what is wrong with it, and takes the good ones', async () => {
    const runs = await importAll();
    const answers: [string, string][] = [];
    for (const [index, run] of runs.entries()) {
      const { name, answer } = HOSTILE_SOURCES[index] ?? { name: '', answer: '' };
      const rules = run.recording === undefined ? [] : await rulesOf(run.recording);
      const found = run.code ?? (rules.includes(answer) ? answer : ['accepted', ...rules].join(' '));
      answers.push([name, answer === 'accepted' && run.code === undefined ? 'accepted' : found]);
    }
    expect(answers).toEqual(HOSTILE_SOURCES.map(({ name, answer }) => [name, answer]));
    for (const { message } of runs) if (message !== undefined) expect(message.length).toBeLessThan(1_000);
  });

  it('prints no control character of a file name', async () => {
    const named = HOSTILE_SOURCES.findIndex(({ name }) => name.includes('control characters'));
    const path = join(folder, String(named), HOSTILE_SOURCES[named]?.file ?? '');
    const { code, stdout, stderr } = await fleetloop('import', '--mapping', 'csv.json', '--vehicle', 'vehicle-c', path);
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).toContain(String.raw`\u001b[31m\u000a\u0007`);
    expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('follows no link out of a folder or around in a circle', async () => {
    const inside = join(folder, 'linked');
    await folderWithLinks(inside, join(folder, 'outside'));
    const { stdout } = await fleetloop('import', '--json', '--mapping', 'csv.json', '--vehicle', 'vehicle-l', inside);
    const { runs } = JSON.parse(stdout) as Report;
    expect(runs.map(({ session }) => session)).toEqual(['hostile/inside']);
  });

  it('leaves a control plane that takes the next good recording, and a ledger that verifies', async () => {
    const { bytes } = await makeRecording('vehicle-good', 'ev-good');
    await controlPlane.api.postBytes('/v1/imports', bytes);
    const { code, stdout } = await fleetloop('ledger', 'verify', '--json');
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ok: true });
  });

  it('finds a recording whose stamps are of another time zone', async () => {
    const { recording } = await controlPlane.api.postBytes<{ recording: string }>('/v1/imports', zonedRecording());
    expect(await rulesOf(recording)).toContain('clock.zone');
  });
});
