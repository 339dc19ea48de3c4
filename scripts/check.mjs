// Why: one command tells in under a minute whether the tree keeps its own rules; the same checks run in CI.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BIN, PINNED_NODE, ROOT, run } from './pinned-node.mjs';

const REPORTS = join(ROOT, '.fleetloop', 'reports');
const TAIL_CHARACTERS = 20_000;
/** The checks are processes of their own; more at once would only compete for the cores of a small machine. */
const CONCURRENT_MAX = 2;

const STATIC_CHECKS = [
  { name: 'format', command: join(BIN, 'biome'), args: ['format', '.'] },
  { name: 'lint', command: join(BIN, 'oxlint'), args: ['--type-aware', '--deny-warnings'] },
  { name: 'types', command: join(BIN, 'tsc'), args: ['--noEmit', '-p', 'tsconfig.json'] },
  { name: 'architecture', command: PINNED_NODE, args: ['scripts/architecture.mjs'] },
  { name: 'dead code', command: PINNED_NODE, args: [join(BIN, 'knip'), '--no-config-hints'] },
  { name: 'style', command: PINNED_NODE, args: ['scripts/style.mjs'] },
];

/** Runs all checks and the unit tests; gives 0 when all are well. */
export async function check() {
  const { failed } = await runChecks();
  return failed.length === 0 ? 0 : 1;
}

/** Runs all checks and the unit tests; gives the names of those that failed and the report file of the tests. */
export async function runChecks() {
  const failed = [];
  const waiting = [...STATIC_CHECKS];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (!(await passes(next))) failed.push(next.name);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_MAX }, worker));
  const units = await runVitest('unit');
  if (units.code !== 0) failed.push('unit tests');
  if (failed.length > 0) console.error(`check: failed in ${failed.join(', ')}`);
  return { failed, report: units.report };
}

/** Runs one vitest project with its summary on our streams; gives its exit code and the path of its JSON report. */
export async function runVitest(project) {
  mkdirSync(REPORTS, { recursive: true });
  const report = join(REPORTS, `${project}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(PINNED_NODE, [join(BIN, 'vitest'), 'run', '--project', project, ...reporters]);
  return { code, report };
}

async function passes({ name, command, args }) {
  const startMs = performance.now();
  let output = '';
  const onOutput = (bytes) => {
    output = (output + bytes.toString()).slice(-TAIL_CHARACTERS);
  };
  const code = await run(command, args, { stdio: ['ignore', 'pipe', 'pipe'], onOutput });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (code !== 0) console.log(output);
  return code === 0;
}
