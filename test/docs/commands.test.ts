/** The commands that the documentation names exist, answer --help, and do what they say where no server is needed. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'bin/fleetloop.mjs');

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function fleetloop(...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, FLEETLOOP_URL: '', FLEETLOOP_TOKEN: '' };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [LAUNCHER, ...args], { cwd: ROOT, env })) };
  } catch (error) {
    return error as Outcome;
  }
}

/** Every `npx fleetloop …` of the documents, without options and placeholders. */
async function documentedCommands(): Promise<readonly string[]> {
  const texts = await Promise.all(
    ['README.md', 'CONTRIBUTING.md', 'edge-agent/README.md'].map(async (name) => readFile(join(ROOT, name), 'utf8')),
  );
  const found = texts.flatMap((text) =>
    [...text.matchAll(/npx fleetloop ([a-z][a-z ]*)/g)].map((match) => (match[1] ?? '').trim()),
  );
  return [...new Set(found)];
}

describe('the documented commands', () => {
  it('answer --help', async () => {
    const commands = await documentedCommands();
    expect(commands.length).toBeGreaterThanOrEqual(4);
    for (const command of commands) {
      const { code, stdout } = await fleetloop(...command.split(' '), '--help');
      expect(code, command).toBe(0);
      expect(stdout, command).toContain('Usage:');
    }
  });

  it.each([
    'ledger verify',
    'ledger rebuild',
    'import',
    'dataset list',
    'dataset show',
    'dataset diff',
    'model list',
    'model show',
    'rollout list',
    'rollout show',
    'recording list',
    'recording show',
    'workflow show',
    'workflow follow',
    'workflow retry',
    'workflow cancel',
    'campaign test',
    'campaign push',
    'campaign list',
    'campaign show',
    'campaign end',
    'vehicle list',
    'vehicle status',
    'vehicle why',
    'vehicle revoke',
    'pull request',
    'pull list',
    'pull cancel',
    'trace',
    'agent run',
    'agent replay',
    'agent status',
    'agent why',
  ])('%s has --help', async (command) => {
    const { code, stdout } = await fleetloop(...command.split(' '), '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('Usage:');
  });

  it('replay a drive offline without any server', async () => {
    const out = await mkdtemp(join(tmpdir(), 'fleetloop-docs-'));
    try {
      const drives = join(ROOT, 'sim/recordings/blackbox_drives');
      const mapping = join(drives, 'mapping.json');
      const campaign = join(ROOT, 'sim/campaigns/hard-manoeuvre.json');
      const inputs = ['--source', join(drives, 'drive_01.csv.zst'), '--mapping', mapping, '--campaign', campaign];
      const { code, stdout } = await fleetloop('agent', 'replay', ...inputs, '--out', out, '--json');
      expect(code).toBe(0);
      expect((JSON.parse(stdout) as { events: unknown[] }).events).toHaveLength(4);
      expect((await readdir(out)).filter((name) => name.endsWith('.mcap'))).toHaveLength(4);
    } finally {
      await rm(out, { recursive: true });
    }
  });

  it('refuse an unknown command and an unknown option with exit code 2', async () => {
    expect((await fleetloop('nonsense')).code).toBe(2);
    expect((await fleetloop('agent', 'replay', '--nonsense')).code).toBe(2);
  });
});
