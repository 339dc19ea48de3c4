// Why: `npm test` is everything that CI runs, and its last line says in one form what came out, so that nobody has to
// add up the summaries of several runs.
import { readFileSync } from 'node:fs';
import { runChecks, runVitest } from './check.mjs';
import { runPinned } from './pinned-node.mjs';

/** Runs the checks, prepares the servers and runs all tests; gives 0 when all passed and some ran. */
export async function test() {
  const checks = await runChecks();
  const prepared = await runPinned(['sim/src/stack/prepare.ts']);
  if (prepared !== 0) console.error('test: the servers cannot be prepared, so the tests that need them will fail');
  const integration = await runVitest('integration');
  const counts = sumReports([checks.report, integration.report]);
  const isWell = checks.failed.length === 0 && prepared === 0 && integration.code === 0;
  return conclude(counts, isWell);
}

/** Adds up vitest's JSON reports; a report that is missing or broken counts as one failure. */
export function sumReports(paths) {
  const counts = { passed: 0, failed: 0 };
  for (const path of paths) {
    const report = readReport(path);
    counts.passed += report.passed;
    counts.failed += report.failed;
  }
  return counts;
}

function readReport(path) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    const brokenFiles = report.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    );
    return { passed: report.numPassedTests, failed: report.numFailedTests + brokenFiles.length };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** Prints the last line; gives the exit code, which is 1 as well when no test ran. */
export function conclude({ passed, failed }, isWell) {
  if (passed + failed === 0) console.error('test: no test ran');
  if (!isWell && failed === 0) console.error('test: all tests passed, but a check before them failed: see above');
  console.log(`${passed} passed, ${failed} failed`);
  return isWell && failed === 0 && passed > 0 ? 0 : 1;
}
