import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const FILE_LINES_MAX = 500;

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'fleetloop-style-'));
  spawnSync('git', ['init', '--quiet', tree]);
});

afterEach(() => {
  rmSync(tree, { recursive: true, force: true });
});

describe('style', () => {
  it('holds in this repository', () => {
    expect(checkStyle(ROOT)).toMatchObject({
      status: 0,
      output: expect.stringMatching(/\d+ files looked at, 0 faults/),
    });
  });

  it('fails when there is nothing to look at', () => {
    expect(checkStyle(tree)).toMatchObject({ status: 1, output: expect.stringContaining('0 files looked at') });
  });

  it('accepts a file of 500 lines and refuses one of 501', () => {
    write('long.ts', '// line\n'.repeat(FILE_LINES_MAX));
    expect(checkStyle(tree).status).toBe(0);
    write('long.ts', '// line\n'.repeat(FILE_LINES_MAX + 1));
    expect(checkStyle(tree)).toMatchObject({ status: 1, output: expect.stringContaining('long.ts: 501 lines') });
  });

  it.each(['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'])('refuses the mark %s', (mark) => {
    write('code.ts', `const one = 1;\n// ${mark} later\n`);
    expect(checkStyle(tree)).toMatchObject({ status: 1, output: expect.stringContaining('code.ts:2') });
  });

  it('refuses a path of somebody’s machine, but not a URL path', () => {
    write('code.ts', `const url = 'https://example.org/${'home'}/page';\n`);
    expect(checkStyle(tree).status).toBe(0);
    write('code.ts', `const path = '/${'home'}/someone/data';\n`);
    expect(checkStyle(tree).status).toBe(1);
  });
});

describe('lock file', () => {
  it('names every optional platform package, so that npm ci works everywhere', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/lock.mjs'), '--check'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

function checkStyle(root: string): { status: number | null; output: string } {
  const args = [join(ROOT, 'scripts/style.mjs'), root];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function write(name: string, text: string): void {
  writeFileSync(join(tree, name), text);
}
