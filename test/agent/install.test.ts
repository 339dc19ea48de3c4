/** Why: a vehicle gets one folder and no npm. What is in it must run from anywhere, in an environment that holds nothing. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { parseAgentConfig } from '@fleetloop/edge-agent';
import { blackboxDrives } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildFolder } from '../../edge-agent/install/build-folder.mjs';
import { configKeys } from '../../edge-agent/scripts/readme-tables.ts';
import { hardManoeuvrePath, type Outcome } from './agent-process.ts';

const INSTALL = join(import.meta.dirname, '../../edge-agent/install');
const README = join(import.meta.dirname, '../../edge-agent/README.md');
const DEADLINE = { timeout: 60_000, interval: 100 };
const PEM =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';

let root: string;
let installed: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-install-'));
  buildFolder(join(root, 'built'));
  // As a copy to a vehicle would: another place, and nothing of the first one is left.
  installed = join(root, 'opt', 'fleetloop-agent');
  mkdirSync(join(root, 'opt'));
  await rename(join(root, 'built'), installed);
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** Runs a program of the folder with an empty environment, from `/`. */
async function run(program: string, ...args: readonly string[]): Promise<Outcome> {
  try {
    const ran = await promisify(execFile)(join(installed, 'bin', program), [...args], { cwd: '/', env: cacheOnly() });
    return { code: 0, ...ran };
  } catch (error) {
    return error as Outcome;
  }
}

/** `sh` needs a PATH for dirname; compiled code is kept inside the test's folder. */
const cacheOnly = (): NodeJS.ProcessEnv => ({ PATH: '/usr/bin:/bin', CACHE_DIRECTORY: join(root, 'cache') });

describe('the installed folder', () => {
  it('holds the agent, its own Node, its papers, and no tests', async () => {
    expect((await readdir(installed)).toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'agent.example.json',
      'bin',
      'edge-agent',
      'fleetloop-agent.service',
      'node_modules',
      'package.json',
      'schemas',
    ]);
    const files = await readdir(installed, { recursive: true });
    const ours = files.filter((name) => /^(edge-agent|schemas)\//.test(name));
    expect(ours.length).toBeGreaterThan(100);
    expect(ours.filter((name) => name.endsWith('.test.ts'))).toEqual([]);
    expect((await run('node', '--version')).stdout.trim()).toBe(process.version);
  });

  it('is not built over something that exists', () => {
    expect(() => buildFolder(installed)).toThrow(/exists/);
    expect(existsSync(join(installed, 'bin', 'node'))).toBe(true);
  });

  it('answers --help, and tells a stranger that no agent runs', async () => {
    const { code, stdout } = await run('fleetloop-agent', '--help');
    expect(code).toBe(0);
    for (const command of ['run', 'replay', 'status', 'why']) expect(stdout).toContain(command);
    const asked = await run('fleetloop-agent', 'status', '--socket', join(root, 'nobody.sock'));
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('AGENT_UNREACHABLE') });
  });

  it('captures from a recording', async () => {
    const [drive] = blackboxDrives();
    const out = join(root, 'recordings');
    const flags = ['--source', drive?.sourcePath ?? '', '--mapping', drive?.mappingPath ?? '', '--out', out];
    const { code, stdout } = await run(
      'fleetloop-agent',
      'replay',
      ...flags,
      '--campaign',
      hardManoeuvrePath,
      '--json',
    );
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { events: unknown[] }).events.length).toBeGreaterThan(0);
  });

  it('makes the key of a vehicle by the command of the README, and runs as that vehicle without a network', async () => {
    const config = join(root, 'agent.json');
    const seedFile = join(root, 'vehicle.nk');
    const [, script = ''] =
      /bin\/node -e "(.+?)" \/etc\/fleetloop\/vehicle\.nk/.exec(await readFile(README, 'utf8')) ?? [];
    const made = await promisify(execFile)(join(installed, 'bin', 'node'), ['-e', script, seedFile], {
      cwd: installed,
    });
    expect(made.stdout).toMatch(/^U[A-Z2-7]{55}\n$/);
    const stateDir = join(root, 'state');
    writeFileSync(
      config,
      JSON.stringify({
        vehicleId: 'v',
        hardwareRevision: 'A',
        softwareVersion: '1.0.0',
        nats: { url: 'nats://127.0.0.1:1', jwt: 'none', seedFile },
        keys: { director: [PEM], image: [PEM] },
        stateDir,
        live: { socket: { path: join(root, 'live.sock') } },
      }),
    );
    const agent: ChildProcess = spawn(join(installed, 'bin', 'fleetloop-agent'), ['run', '--config', config], {
      cwd: '/',
      env: cacheOnly(),
      stdio: 'ignore',
    });
    try {
      const ask = async (): Promise<string> => (await run('fleetloop-agent', 'status', '--config', config)).stdout;
      await expect.poll(ask, DEADLINE).toMatch(/^v {2}agent 1\.0\.0/);
      expect(await ask()).toMatch(/uplink {4}no link/);
      agent.kill('SIGTERM');
      const [code] = (await once(agent, 'exit')) as [number | null];
      expect(code).toBe(0);
    } finally {
      agent.kill('SIGKILL');
    }
  });
});

describe('the unit file', () => {
  const tool = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'systemd-analyze'))
    .find((path) => existsSync(path));

  it.skipIf(tool === undefined)('is valid for systemd', async () => {
    const text = await readFile(join(INSTALL, 'fleetloop-agent.service'), 'utf8');
    const unit = join(root, 'fleetloop-agent.service');
    // The tool looks whether the program is there and whether the user exists.
    writeFileSync(
      unit,
      text.replaceAll('/opt/fleetloop-agent', installed).replace(/^(User|Group)=fleetloop$/gm, '$1=root'),
    );
    chmodSync(unit, 0o644);
    const { stdout, stderr } = await promisify(execFile)(tool ?? '', ['verify', '--man=no', unit]).catch(
      (error: unknown) => error as Outcome,
    );
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('fleetloop-agent'))).toEqual([]);
  });

  it('names the folder, the configuration and the state that the README names', async () => {
    const text = await readFile(join(INSTALL, 'fleetloop-agent.service'), 'utf8');
    expect(text).toContain('ExecStart=/opt/fleetloop-agent/bin/fleetloop-agent run --config /etc/fleetloop/agent.json');
    expect(text).toMatch(/^StateDirectory=fleetloop$/m);
  });
});

describe('the example configuration', () => {
  it('is one, and shows every key', async () => {
    const path = join(INSTALL, 'agent.example.json');
    const text = await readFile(path, 'utf8');
    expect(parseAgentConfig(text, path)).toMatchObject({ vehicleId: 'vehicle-0001', stateDir: '/var/lib/fleetloop' });
    const has = (value: unknown, [name, ...rest]: readonly string[]): boolean =>
      name === undefined ||
      (typeof value === 'object' &&
        value !== null &&
        has((value as Record<string, unknown>)[name], rest) &&
        name in value);
    const document: unknown = JSON.parse(text);
    const missing = configKeys().filter(({ key }) => key !== 'playlist' && !has(document, key.split('.')));
    expect(missing.map(({ key }) => key)).toEqual([]);
  });
});
