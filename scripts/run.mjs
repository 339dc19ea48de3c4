// Why: the one way in for a newcomer. It runs on whatever Node >= 20 the machine has, before anything is installed:
// checks what must be there, installs the npm packages when they are missing or old, and hands over to the pinned Node.
import { argv, exit, versions } from 'node:process';

const NODE_MAJOR_OLDEST = 20;

if (Number(versions.node.split('.')[0]) < NODE_MAJOR_OLDEST) {
  console.error(
    `fleetloop needs Node ${NODE_MAJOR_OLDEST} or newer, this is ${versions.node}. Remedy: https://nodejs.org/en/download`,
  );
  exit(1);
}

// Loaded only now: an older Node might not even parse them.
const { prepareWorkspace, requirePython } = await import('./workspace.mjs');
const { runPinned } = await import('./pinned-node.mjs');

const [name = '', ...rest] = argv.slice(2);

const COMMANDS = {
  demo: { needsPython: true, run: () => runPinned(['sim/src/demo/main.ts', ...rest]) },
  dev: { needsPython: true, run: () => runPinned(['sim/src/dev/main.ts', ...rest]) },
  sim: { needsPython: false, run: () => runPinned(['sim/src/simulation/main.ts', ...rest]) },
  bench: { needsPython: true, run: () => runPinned(['sim/src/bench/main.ts', ...rest]) },
  check: { needsPython: false, run: async () => (await import('./check.mjs')).check() },
  test: { needsPython: true, run: async () => (await import('./test.mjs')).test() },
};

const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  console.error(`usage: npm run (${Object.keys(COMMANDS).join('|')}), not ${JSON.stringify(name)}`);
  exit(2);
}

try {
  if (command.needsPython) requirePython();
  await prepareWorkspace();
  process.exitCode = await command.run();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
