import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = pathToFileURL(join(ROOT, 'scripts/test.mjs')).href;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetloop-result-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the last line of npm test', () => {
  it('adds up all runs', () => {
    expect(conclude([report(3, 0), report(4, 0)])).toEqual({ status: 0, lastLine: '7 passed, 0 failed' });
  });

  it('counts failed tests and fails', () => {
    expect(conclude([report(3, 1), report(4, 2)])).toEqual({ status: 1, lastLine: '7 passed, 3 failed' });
  });

  it('counts a test file that cannot be loaded as a failure', () => {
    const broken = { numPassedTests: 1, numFailedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] };
    expect(conclude([broken])).toEqual({ status: 1, lastLine: '1 passed, 1 failed' });
  });

  it('counts a run that left no report as a failure', () => {
    expect(conclude([report(3, 0), 'nothing'])).toEqual({ status: 1, lastLine: '3 passed, 1 failed' });
  });

  it('fails when no test ran', () => {
    expect(conclude([report(0, 0)])).toEqual({ status: 1, lastLine: '0 passed, 0 failed' });
  });

  it('fails when a check before the tests failed', () => {
    expect(conclude([report(3, 0)], false)).toEqual({ status: 1, lastLine: '3 passed, 0 failed' });
  });
});

describe('npm run', () => {
  it('refuses a name that it does not know', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/run.mjs'), 'toString'], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('usage: npm run (demo|dev|sim|bench|check|test)');
  });
});

function report(numPassedTests: number, numFailedTests: number): object {
  return { numPassedTests, numFailedTests, testResults: [] };
}

/** Runs the summing part of the script on reports in files; a text in place of a report means that the file is absent. */
function conclude(reports: readonly (object | string)[], isWell = true): { status: number | null; lastLine: string } {
  const paths = reports.map((content, index) => {
    const path = join(folder, `${index}.json`);
    if (typeof content !== 'string') writeFileSync(path, JSON.stringify(content));
    return path;
  });
  const program = `
    const { conclude, sumReports } = await import(${JSON.stringify(SCRIPT)});
    process.exitCode = conclude(sumReports(${JSON.stringify(paths)}), ${isWell});
  `;
  const args = ['--input-type=module', '--eval', program];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' };
}
