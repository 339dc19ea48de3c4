// Why: after a clone or a pull nobody should have to remember an installation step, and nobody should wait for one that
// is not needed: a stamp with the digest of package-lock.json tells whether node_modules is the one it describes.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arch, env, execPath, platform } from 'node:process';
import { PINNED_NODE, ROOT } from './pinned-node.mjs';

const STAMP = join(ROOT, 'node_modules', '.fleetloop-lock');
const PROGRESS_INTERVAL_MS = 10_000;
const PYTHON_OLDEST = [3, 10];
const PYTHON_NAMES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.14', 'python'];

/** Throws one clear line when the machine has no Python that the trainer could use. */
export function requirePython() {
  if (env.FLEETLOOP_PYTHON) return;
  const found = [];
  for (const name of PYTHON_NAMES) {
    const question = 'import sys; print("%d.%d" % sys.version_info[:2])';
    const { status, stdout } = spawnSync(name, ['-c', question], { encoding: 'utf8' });
    if (status !== 0) continue;
    const version = stdout.trim();
    if (isGoodPython(version)) return;
    found.push(`${name} is ${version}`);
  }
  const oldest = PYTHON_OLDEST.join('.');
  throw new Error(
    `Python ${oldest} or newer is needed (${found.join(', ') || 'none was found'}). Remedy: https://www.python.org/downloads`,
  );
}

function isGoodPython(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === PYTHON_OLDEST[0] && minor >= PYTHON_OLDEST[1];
}

/** Installs the npm packages when node_modules is missing or belongs to another package-lock.json. */
export async function prepareWorkspace() {
  const wanted = stampOf(readFileSync(join(ROOT, 'package-lock.json')));
  if (wanted === installedStamp() && pinnedNodeWorks()) return;
  await installPackages();
  if (!pinnedNodeWorks()) {
    throw new Error(
      `npm ci has not installed the pinned Node (${PINNED_NODE} does not start). Remedy: see that npm may run the install script of the package "node", remove node_modules, then try again`,
    );
  }
  writeFileSync(STAMP, wanted);
}

function stampOf(lock) {
  return `${createHash('sha256').update(lock).digest('hex')} ${platform} ${arch}\n`;
}

function installedStamp() {
  try {
    return readFileSync(STAMP, 'utf8');
  } catch {
    return undefined;
  }
}

function pinnedNodeWorks() {
  return spawnSync(PINNED_NODE, ['--version']).status === 0;
}

async function installPackages() {
  const startMs = performance.now();
  const seconds = () => Math.round((performance.now() - startMs) / 1_000);
  console.error('installing the npm packages (about a minute, once)');
  const timer = setInterval(
    () => console.error(`installing the npm packages, ${seconds()} s so far`),
    PROGRESS_INTERVAL_MS,
  );
  try {
    await npm([
      'ci',
      '--include=dev',
      '--include=optional',
      '--ignore-scripts=false',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
  } finally {
    clearInterval(timer);
  }
  console.error(`installing the npm packages, done in ${seconds()} s`);
}

/** Runs the npm that started us, or the one on PATH. */
async function npm(args) {
  const script = env.npm_execpath;
  const isScript = script !== undefined && /\.c?js$/.test(script);
  const [command, first] = isScript ? [execPath, [script]] : ['npm', []];
  const child = spawn(command, [...first, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    // The CPU library is inside the package; its install script would only fetch GPU libraries.
    env: { ...env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new Error(
      `npm ${args[0]} failed (exit ${code}). Remedy: see that npm reaches its registry (npm ping), then try again`,
    );
  }
}
