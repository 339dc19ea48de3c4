// Why: `npm test` is everything that CI runs, and its last line says in one form what came out, so that nobody has to
// add up the summaries of several runs. What failed is named right in front of it, however long the output before.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { runChecks, runVitest } from './check.mjs';
import { ROOT, runPinned } from './pinned-node.mjs';

/** Failures that are named; more are counted only. */
const FAILURES_MAX = 50;
const LINE_CHARACTERS_MAX = 300;

/** Runs the checks, prepares the servers and runs all tests; gives 0 when all passed and some ran. */
export async function test() {
  const checks = await runChecks();
  const prepared = await runPinned(['sim/src/stack/prepare.ts']);
  if (prepared !== 0) console.error('test: the servers cannot be prepared, so the tests that need them will fail');
  const runs = [await runVitest('integration'), await runVitest('demo')];
  const counts = sumReports([checks, ...runs].map(({ report }) => report));
  const isWell = checks.failed.length === 0 && prepared === 0 && runs.every(({ code }) => code === 0);
  return conclude(counts, isWell);
}

/** Adds up vitest's JSON reports; a report that is missing or broken counts as one failure. */
export function sumReports(paths) {
  const reports = paths.map(readReport);
  return {
    passed: reports.reduce((sum, { passed }) => sum + passed, 0),
    failed: reports.reduce((sum, { failed }) => sum + failed, 0),
    failures: reports.flatMap(({ failures }) => failures),
  };
}

function readReport(path) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    const failed = report.numFailedTests + report.testResults.filter(isBroken).length;
    return { passed: report.numPassedTests, failed, failures: report.testResults.flatMap(failuresOf) };
  } catch {
    return { passed: 0, failed: 1, failures: [`${path} is not there or is no report: the run broke off`] };
  }
}

/** A file that failed before, between or after its tests: none of them says so. */
function isBroken({ status, assertionResults }) {
  return status === 'failed' && assertionResults.every((result) => result.status !== 'failed');
}

/** A line for each test that failed in a file: which one, and the begin of why. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(ROOT, name ?? '');
  if (isBroken({ status, assertionResults })) return [`${file}: ${beginOf(message)}`];
  const failed = assertionResults.filter((result) => result.status === 'failed');
  return failed.map(({ fullName, failureMessages }) => `${file} > ${fullName}: ${beginOf(failureMessages?.[0])}`);
}

/** A property that failed says in its second and third line with which seed and for what. */
function beginOf(message) {
  const lines = (message ?? '').split('\n').slice(0, 3);
  return lines
    .filter((line) => !line.startsWith('    at '))
    .join(' ')
    .slice(0, LINE_CHARACTERS_MAX);
}

/** Prints what failed and the last line; gives the exit code, which is 1 as well when no test ran. */
export function conclude({ passed, failed, failures }, isWell) {
  if (passed + failed === 0) console.error('test: no test ran');
  if (!isWell && failed === 0) console.error('test: all tests passed, but a check before them failed: see above');
  for (const failure of failures.slice(0, FAILURES_MAX)) console.log(`FAILED ${failure}`);
  console.log(`${passed} passed, ${failed} failed`);
  return isWell && failed === 0 && passed > 0 ? 0 : 1;
}
