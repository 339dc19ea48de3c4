/** Every command of docs/data.md is run as it stands, on the recordings of this checkout, and prints what the guide shows. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseStandard } from '@fleetloop/control-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIngestBench } from '../ingest/control-plane-process.ts';
import { type GuideBlock, guideBlocks, missingLine } from './guide-blocks.ts';

const ROOT = join(import.meta.dirname, '../..');
const GUIDE = readFileSync(join(ROOT, 'docs/data.md'), 'utf8');
const LAUNCHER = join(ROOT, 'bin/fleetloop.mjs');
/** What the commands read; what they write lies beside these links and not in the checkout. */
const READ = ['sim', 'schemas', 'control-plane', 'node_modules'];
/** `npx` would look for this checkout's own program from its root only. */
const PRELUDE = `npx() { shift; ${JSON.stringify(process.execPath)} ${JSON.stringify(LAUNCHER)} "$@"; }\nexec 2>&1\n`;
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
/** Nobody listens there. */
const NO_CONTROL_PLANE = { FLEETLOOP_URL: 'http://127.0.0.1:1', FLEETLOOP_TOKEN: 'none' };

const EMPTY_STANDARD = { kind: 'quality-standard', name: 'empty', version: 1, quarantineOn: [] };

const blocks = guideBlocks(GUIDE);

describe('the guide to data', () => {
  const resources = new AsyncDisposableStack();
  let folder = '';
  let environment: Readonly<Record<string, string>> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetloop-guide-'));
    resources.defer(async () => rm(folder, { recursive: true, force: true }));
    for (const name of READ) await symlink(join(ROOT, name), join(folder, name));
    const bench = resources.use(await openIngestBench({}, { importRoots: { archive: join(ROOT, 'sim/recordings') } }));
    const { url, token, reviewerToken } = await bench.start();
    environment = { FLEETLOOP_URL: url, FLEETLOOP_TOKEN: token, REVIEWER_TOKEN: reviewerToken };
  });

  afterAll(async () => resources.disposeAsync());

  it('has commands with and without a control plane', () => {
    expect(blocks.filter(({ needsControlPlane }) => needsControlPlane).length).toBeGreaterThan(5);
    expect(blocks.filter(({ needsControlPlane }) => !needsControlPlane).length).toBeGreaterThan(5);
  });

  it.each(blocks)('is true of the commands in line $line', async (block) => {
    const { code, output } = await run(block);
    expect({ code, output }).toMatchObject({ code: block.exitCode });
    expect(missingLine(block.shown, output), output).toBeUndefined();
  });

  it('gives the figures that a standard has where it says nothing', () => {
    const standard: Readonly<Record<string, unknown>> = parseStandard(EMPTY_STANDARD);
    for (const part of ['timing', 'alignment', 'imu', 'motion', 'values', 'location']) {
      const [, row = ''] = new RegExp(`^\\| \`${part}\` \\| (.+) \\|$`, 'm').exec(GUIDE) ?? [];
      const shown = [...row.matchAll(/`(\w+)` ([\d.]+)/g)].map(([, name = '', figure]) => [name, Number(figure)]);
      const figures = Object.entries(standard[part] ?? {}).filter(([, value]) => typeof value === 'number');
      expect(Object.fromEntries(shown), part).toEqual(Object.fromEntries(figures));
    }
  });

  it('names files that exist', () => {
    const paths = [...GUIDE.matchAll(/`((?:sim|schemas|control-plane|test|docs)\/[\w./-]+\.\w+)`/g)];
    expect(paths.length).toBeGreaterThan(5);
    for (const [, path = ''] of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  async function run({ script, needsControlPlane }: GuideBlock): Promise<{ code: number; output: string }> {
    const env = {
      ...process.env,
      ...(needsControlPlane ? environment : NO_CONTROL_PLANE),
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
    };
    const options = { cwd: folder, env, maxBuffer: OUTPUT_BYTES_MAX };
    return new Promise((resolve) => {
      execFile('bash', ['-euo', 'pipefail', '-c', PRELUDE + script], options, (error, stdout) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, output: stdout });
      });
    });
  }
});

describe('what a guide shows', () => {
  const guide = (text: string): string => text.replaceAll("'''", '```');

  it('is held against the output line by line, in order', () => {
    const output = 'a   table\n1 row of 9f86d0\n2 rows\n';
    expect(missingLine(['a table', '1 row of …', '2 rows'], output)).toBeUndefined();
    expect(missingLine(['2 rows', 'a table'], output)).toBe('a table');
    expect(missingLine(['1 row'], output)).toBe('1 row');
    expect(missingLine(['1 row of (.*)'], output)).toBe('1 row of (.*)');
  });

  it('belongs to the commands right above it', () => {
    const [block, later] = guideBlocks(
      guide("### With a control plane: x\n'''sh exits-1\nls\n'''\n\n'''text\nfile\n'''\n### Y\n'''sh\nls\n'''"),
    );
    expect(block).toEqual({ line: 3, script: 'ls', needsControlPlane: true, exitCode: 1, shown: ['file'] });
    expect(later).toMatchObject({ needsControlPlane: false, exitCode: 0, shown: [] });
    expect(() => guideBlocks(guide("'''text\nfile\n'''"))).toThrow(/line 1: output is shown/);
    expect(() => guideBlocks(guide("'''sh\nls\n'''\n\nor\n\n'''text\nfile\n'''"))).toThrow(/line 7: output is shown/);
    expect(() => guideBlocks(guide("'''bash\nls\n'''"))).toThrow(/line 1: a block is one of/);
    expect(() => guideBlocks(guide("'''sh\nls\n"))).toThrow(/does not end/);
  });
});
