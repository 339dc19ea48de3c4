// Why: a vehicle has no npm and no internet. This puts the agent with its pinned Node and the packages it needs into one folder that is
// copied to the vehicle as it is: node edge-agent/install/build-folder.mjs --out FOLDER
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch, argv, platform } from 'node:process';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT_NODE_FLAGS, agentEnvironment } from '../bin/launch.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OURS = ['schemas', 'edge-agent'];
const TEST_FILE = /(\.test\.ts|[/\\]fixtures)$/;
/** Native binaries of other platforms, which a vehicle has no use for. */
const OTHER_PLATFORMS = new RegExp(
  `onnxruntime-node[/\\\\]bin[/\\\\][^/\\\\]+[/\\\\](?!${platform}([/\\\\]${arch}|$))`,
);

/** Builds the folder; gives its path and the names of the packages inside. */
export function buildFolder(out) {
  if (existsSync(out)) throw new Error(`${out} exists: name a folder that does not`);
  mkdirSync(out, { recursive: true });
  try {
    for (const name of OURS) copySource(name, out);
    const packages = closureOf(OURS);
    for (const folder of packages.values()) copyPackage(folder, out);
    linkOurs(out);
    copyRuntime(out);
    return { out, packages: [...packages.keys()].toSorted((a, b) => (a < b ? -1 : 1)) };
  } catch (error) {
    rmSync(out, { recursive: true, force: true });
    throw error;
  }
}

function copySource(name, out) {
  for (const part of ['src', 'bin', 'package.json']) {
    const from = join(ROOT, name, part);
    if (existsSync(from))
      cpSync(from, join(out, name, part), { recursive: true, filter: (path) => !TEST_FILE.test(path) });
  }
}

/** Every package that our two need at run time, by the folder that Node would take it from. */
function closureOf(names) {
  const found = new Map();
  const waiting = names.map((name) => join(ROOT, name));
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    );
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (name.startsWith('@fleetloop/')) continue;
      const target = resolveFrom(folder, name);
      if (target === undefined) {
        if (Object.hasOwn(optionalDependencies, name)) continue;
        throw new Error(`${name}, which ${relative(ROOT, folder)} needs, is not installed: run npm ci`);
      }
      const key = relative(ROOT, target);
      if (found.has(key)) continue;
      found.set(key, target);
      waiting.push(target);
    }
  }
  return found;
}

function resolveFrom(folder, name) {
  for (let current = folder; current.startsWith(ROOT.replace(/[/\\]$/, '')); current = join(current, '..')) {
    const candidate = join(current, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
  }
  return undefined;
}

function copyPackage(folder, out) {
  const filter = (path) => !OTHER_PLATFORMS.test(path) && !path.slice(folder.length).includes('node_modules');
  cpSync(folder, join(out, relative(ROOT, folder)), { recursive: true, filter });
}

/** Relative, so that the folder can be moved. Node takes TypeScript only from outside node_modules, and a link leads there. */
function linkOurs(out) {
  mkdirSync(join(out, 'node_modules', '@fleetloop'), { recursive: true });
  for (const name of OURS) symlinkSync(join('..', '..', name), join(out, 'node_modules', '@fleetloop', name));
}

function copyRuntime(out) {
  mkdirSync(join(out, 'bin'));
  cpSync(join(ROOT, 'node_modules', 'node', 'bin', 'node'), join(out, 'bin', 'node'));
  writeFileSync(join(out, 'bin', 'fleetloop-agent'), startScript(), { mode: 0o755 });
  for (const name of ['fleetloop-agent.service', 'agent.example.json'])
    cpSync(join(ROOT, 'edge-agent', 'install', name), join(out, name));
  cpSync(join(ROOT, 'edge-agent', 'README.md'), join(out, 'README.md'));
  cpSync(join(ROOT, 'LICENSE'), join(out, 'LICENSE'));
  writeFileSync(
    join(out, 'package.json'),
    `${JSON.stringify({ name: 'fleetloop-agent', private: true, type: 'module' }, null, 2)}\n`,
  );
}

/** Flags and environment are those of every agent; the shell is replaced, so that nothing but the agent stays in memory. */
function startScript() {
  const cache = '${CACHE_DIRECTORY:-${TMPDIR:-/tmp}/fleetloop-agent}';
  const variables = Object.entries(agentEnvironment(cache)).map(
    ([name, value]) => `export ${name}="\${${name}:-${value}}"`,
  );
  return `#!/bin/sh
# Starts the agent of this folder with its own Node. What the operator has set in the environment stays.
set -eu
folder=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
${variables.join('\n')}
exec "$folder/bin/node" ${AGENT_NODE_FLAGS.join(' ')} "$folder/edge-agent/src/main.ts" "$@"
`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const at = argv.indexOf('--out');
  if (at === -1 || argv[at + 1] === undefined || argv.includes('--help')) {
    console.log(
      'usage: node edge-agent/install/build-folder.mjs --out FOLDER\n\nPuts the agent, its Node and its packages into one new folder for this platform.',
    );
  } else {
    const { out, packages } = buildFolder(argv[at + 1]);
    console.log(`${out}: the agent with ${packages.length} packages. Next: README.md in it, section Install.`);
  }
}
