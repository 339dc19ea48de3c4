#!/usr/bin/env node
// Why: `npx fleetloop` must work with the machine's own Node; the program itself runs on the pinned one.
import { existsSync } from 'node:fs';
import { argv, cwd, env, exit } from 'node:process';
import { join } from 'node:path';
import { AGENT_NODE_FLAGS, agentEnvironment } from '../edge-agent/bin/launch.mjs';
import { PINNED_NODE, ROOT, run } from '../scripts/pinned-node.mjs';

if (!existsSync(PINNED_NODE)) {
  console.error(
    'the npm packages are not installed. Remedy: run npm ci (or npm run demo, which does) in the fleetloop folder',
  );
  exit(1);
}

// Compiled code is kept between calls: reading the program is most of the time of a short command.
env.NODE_COMPILE_CACHE ??= join(ROOT, '.fleetloop', 'compile-cache');
const [first, ...rest] = argv.slice(2);
if (first === 'agent') {
  // What the operator has set stays.
  Object.assign(env, { ...agentEnvironment(join(ROOT, '.fleetloop')), ...env });
  const main = join(ROOT, 'edge-agent/src/main.ts');
  process.exitCode = await run(PINNED_NODE, [...AGENT_NODE_FLAGS, main, ...rest], { cwd: cwd() });
} else {
  const main = join(ROOT, 'control-plane/src/processes/cli.ts');
  process.exitCode = await run(PINNED_NODE, [main, ...argv.slice(2)], { cwd: cwd() });
}
