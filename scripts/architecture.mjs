// Why: an import rule that was checked against nothing is worse than none. dependency-cruiser finds no violation when its
// parser reads no file, so this counts what it saw, package by package, and compares it with the files that are there.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BIN, PINNED_NODE, ROOT } from './pinned-node.mjs';

const PACKAGES = ['schemas', 'edge-agent', 'workflows', 'control-plane', 'sim', 'test'];
const REPORT_BYTES_MAX = 256 * 1_024 * 1_024;

/**
 * Checks the import rules below `root`.
 * Gives { modules, dependencies, problems }: how much was seen, and one line for each thing that is wrong.
 */
export function checkArchitecture(root = ROOT) {
  const folders = PACKAGES.filter((name) => countSources(join(root, name)) > 0);
  if (folders.length === 0) return { modules: 0, dependencies: 0, problems: ['no source file was looked at'] };
  const report = cruise(root, folders);
  const modules = report.modules.filter(
    ({ source }) => /^[^/]+\/.*\.ts$/.test(source) && !source.includes('node_modules'),
  );
  const dependencies = modules.reduce((sum, module) => sum + module.dependencies.length, 0);
  const unseen = folders.filter((name) => !modules.some(({ source }) => source.startsWith(`${name}/`)));
  const violations = report.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
  const problems = [...violations, ...unseen.map((name) => `no module of ${name} was looked at`)];
  if (dependencies === 0) problems.push('no import was looked at');
  return { modules: modules.length, dependencies, problems };
}

function cruise(root, folders) {
  const args = [
    '--import',
    pathToFileURL(join(ROOT, 'scripts', 'swc-using.mjs')).href,
    join(BIN, 'depcruise'),
    '--config',
    join(ROOT, '.dependency-cruiser.cjs'),
    '--output-type',
    'json',
    ...folders,
  ];
  const { stdout, stderr, error } = spawnSync(PINNED_NODE, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: REPORT_BYTES_MAX,
  });
  if (error) throw error;
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`dependency-cruiser gave no report: ${stderr || stdout}`);
  }
}

function countSources(folder) {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.ts') && !name.includes('node_modules')).length;
  } catch {
    return 0;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, dependencies, problems } = checkArchitecture(argv[2]);
  for (const problem of problems) console.error(problem);
  console.log(`${modules} modules and ${dependencies} imports looked at, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
