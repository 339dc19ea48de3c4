/** The agent's README is held to the code: its tables are the schema's, its documents are valid, its commands are run. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCampaign } from '@fleetloop/schemas';
import { compileCampaign, runCampaignTests } from '@fleetloop/schemas/trigger';
import { parseAgentConfig, parseLiveConfig, RedactionRules } from '@fleetloop/edge-agent';
import { describe, expect, it } from 'vitest';
import { configKeys, README_FILE, withTables } from '../../edge-agent/scripts/readme-tables.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'bin/fleetloop.mjs');
const README = readFileSync(README_FILE, 'utf8');

/** Blocks of code that are marked with a language and a name, e.g. "json campaign". */
const blocks = (mark: string): readonly string[] =>
  [...README.matchAll(new RegExp(`^\`\`\`${mark}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);

describe('the tables of the agent’s README', () => {
  it('are what the code says: after a change, run npm run generate', () => {
    expect(withTables(README)).toBe(README);
  });

  it('give a meaning for every key of the configuration', () => {
    expect(configKeys().length).toBeGreaterThan(60);
    expect(configKeys().filter(({ description }) => description === '')).toEqual([]);
  });
});

describe('the documents in the agent’s README', () => {
  it('are configurations of an agent', () => {
    expect(blocks('json agent')).toHaveLength(1);
    for (const text of blocks('json agent')) expect(parseAgentConfig(text, 'README.md').live).toBeDefined();
  });

  it('are configurations of a live source', () => {
    expect(blocks('json live')).toHaveLength(1);
    for (const text of blocks('json live')) expect(parseLiveConfig(JSON.parse(text)).nats?.subjects).toHaveLength(2);
  });

  it('are campaigns that compile and pass their own tests', () => {
    expect(blocks('json campaign')).toHaveLength(2);
    for (const text of blocks('json campaign')) {
      const campaign = parseCampaign(JSON.parse(text));
      expect(compileCampaign(campaign, {}).campaign.id).toBe(campaign.id);
      for (const result of runCampaignTests(campaign, {}))
        expect(result, result.name).toMatchObject({ isPassed: true });
    }
  });

  it('are redaction rules', () => {
    expect(blocks('json redaction')).toHaveLength(1);
    for (const text of blocks('json redaction')) expect(RedactionRules.parse(JSON.parse(text))).toHaveLength(5);
  });

  it('are lines of a playlist', () => {
    expect(blocks('json playlist').map((text) => Object.keys(JSON.parse(text) as object))).toEqual([
      ['mapping', 'files', 'speed'],
    ]);
  });

  it('are all of a kind that is looked at', () => {
    const marks = [...README.matchAll(/^```(.+)$/gm)].map(([, mark]) => mark);
    const known = ['json agent', 'json live', 'json campaign', 'json redaction', 'json playlist', 'sh', 'ts'];
    expect(marks.filter((mark) => !known.includes(mark ?? ''))).toEqual([]);
  });

  it('name files that exist', () => {
    const paths = [...README.matchAll(/`((?:sim|schemas|edge-agent)\/[\w./-]+\.\w+)`/g)].map(([, path]) => path ?? '');
    expect(paths.length).toBeGreaterThan(5);
    for (const path of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(existsSync(join(ROOT, 'edge-agent/examples/publish.ts'))).toBe(true);
  });
});

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function fleetloop(args: readonly string[]): Promise<Outcome> {
  // Nobody listens there.
  const env = { ...process.env, FLEETLOOP_URL: 'http://127.0.0.1:1', FLEETLOOP_TOKEN: 'none' };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [LAUNCHER, ...args], { cwd: ROOT, env })) };
  } catch (error) {
    return error as Outcome;
  }
}

/** Every `npx fleetloop …` of its shell blocks, in words. */
const commands = blocks('sh')
  .flatMap((text) => text.split('\n'))
  .flatMap((line) => (line.startsWith('npx fleetloop ') ? [line.split(' ').slice(2)] : []));

describe('the commands in the agent’s README', () => {
  it('are there', () => {
    expect(commands.map((words) => words.slice(0, 2).join(' '))).toEqual([
      'campaign test',
      'campaign push',
      'vehicle why',
      'agent replay',
      'agent status',
      'agent why',
      'vehicle status',
      'vehicle why',
    ]);
  });

  it('run as they stand where no server is needed, and else ask for one', async () => {
    const out = await mkdtemp(join(tmpdir(), 'fleetloop-readme-'));
    try {
      for (const words of commands) {
        const line = words.join(' ');
        const args = words.map((word) => (word === 'recordings' ? out : word));
        const { code, stderr } = await fleetloop(args);
        // A wrong option or argument would be exit code 2.
        if (/^(campaign test|agent replay)/.test(line)) expect({ line, code, stderr }).toMatchObject({ code: 0 });
        else
          expect({ line, code, stderr }).toMatchObject({
            code: 1,
            stderr: expect.stringMatching(/^(fleetloop: )?(?!INTERNAL)[A-Z]+_[A-Z_]+: /),
          });
      }
      expect((await readdir(out)).filter((name) => name.endsWith('.mcap'))).toHaveLength(4);
    } finally {
      await rm(out, { recursive: true });
    }
  });
});
