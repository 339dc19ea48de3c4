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
    expect(conclude([report(3, 0), report(4, 0)])).toMatchObject({ status: 0, lastLine: '7 passed, 0 failed' });
  });

  it('counts failed tests and fails', () => {
    expect(conclude([report(3, 1), report(4, 2)])).toMatchObject({ status: 1, lastLine: '7 passed, 3 failed' });
  });

  it('counts a test file that cannot be loaded as a failure', () => {
    const broken = { numPassedTests: 1, numFailedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] };
    expect(conclude([broken])).toMatchObject({ status: 1, lastLine: '1 passed, 1 failed' });
  });

  it('comes behind the name of each test that failed, and of each file', () => {
    const assertionResults = [
      { status: 'passed', fullName: 'a spool keeps', failureMessages: [] },
      { status: 'failed', fullName: 'a spool forgets', failureMessages: ['Error: too late\n    at line'] },
    ];
    const testResults = [
      { name: join(ROOT, 'test/a.test.ts'), status: 'failed', message: '', assertionResults },
      { name: join(ROOT, 'test/b.test.ts'), status: 'failed', message: 'no such module', assertionResults: [] },
    ];
    const { lines } = conclude([{ numPassedTests: 1, numFailedTests: 1, testResults }]);
    expect(lines).toEqual([
      'FAILED test/a.test.ts > a spool forgets: Error: too late',
      'FAILED test/b.test.ts: no such module',
      '1 passed, 2 failed',
    ]);
  });

  it('counts a file whose tests never ran because what comes before them failed', () => {
    const assertionResults = [{ status: 'skipped', fullName: 'the demo', failureMessages: [] }];
    const testResults = [{ status: 'failed', message: 'Hook timed out', assertionResults }];
    const { status, lastLine } = conclude([{ numPassedTests: 2, numFailedTests: 0, testResults }]);
    expect([status, lastLine]).toEqual([1, '2 passed, 1 failed']);
  });

  it('counts a run that left no report as a failure', () => {
    expect(conclude([report(3, 0), 'nothing'])).toMatchObject({ status: 1, lastLine: '3 passed, 1 failed' });
  });

  it('fails when no test ran', () => {
    expect(conclude([report(0, 0)])).toMatchObject({ status: 1, lastLine: '0 passed, 0 failed' });
  });

  it('fails when a check before the tests failed', () => {
    expect(conclude([report(3, 0)], false)).toMatchObject({ status: 1, lastLine: '3 passed, 0 failed' });
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

type Result = { readonly status: number | null; readonly lastLine: string; readonly lines: readonly string[] };

/** Runs the summing part of the script on reports in files; a text in place of a report means that the file is absent. */
function conclude(reports: readonly (object | string)[], isWell = true): Result {
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
  const lines = stdout.trimEnd().split('\n');
  return { status, lastLine: lines.at(-1) ?? '', lines };
}
