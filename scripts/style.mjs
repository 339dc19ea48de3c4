// Why: the ugliness of a codebase is in its tail. Long files are an error, and words that promise later work or name
// somebody's machine do not enter the tree. Functions are measured by the linter.
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ROOT } from './pinned-node.mjs';

export const FILE_LINES_MAX = 500;
const LISTING_BYTES_MAX = 16 * 1_024 * 1_024;
const SOURCE = /\.(ts|mjs|cjs|js|py|proto|sql|sh)$/;
const TEXT = /\.(ts|mjs|cjs|js|py|proto|sql|sh|md|html|css|ya?ml)$/;
const GENERATED = /(^|\/)(gen|generated|node_modules)\//;
// Spelled so that this file does not contain what it looks for.
const PROMISES = new RegExp(String.raw`\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\b`);
const HOME_PATH = new RegExp(String.raw`(?<![\w.$}])/(${['home', 'Users'].join('|')})/[a-z]`);

/** Gives one line for each fault of one file. */
export function faultsOf(path, text) {
  if (GENERATED.test(path) || !TEXT.test(path)) return [];
  const lines = text.split('\n');
  const faults = lines.flatMap((line, index) => [
    ...(PROMISES.test(line) ? [`${path}:${index + 1}: a mark for later work; do it or open an issue`] : []),
    ...(HOME_PATH.test(line) ? [`${path}:${index + 1}: a path of somebody's machine`] : []),
  ]);
  if (SOURCE.test(path) && lines.length > FILE_LINES_MAX + 1) {
    faults.push(`${path}: ${lines.length - 1} lines, at most ${FILE_LINES_MAX} are allowed; split it by concept`);
  }
  return faults;
}

/** Checks every file that git tracks or would track. Gives { files, faults }. */
export function checkStyle(root = ROOT) {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listing = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: LISTING_BYTES_MAX });
  if (listing.status !== 0) throw new Error(`git ls-files failed: ${listing.stderr}`);
  const paths = listing.stdout.split('\0').filter((path) => TEXT.test(path) && !GENERATED.test(path));
  return { files: paths.length, faults: paths.flatMap((path) => faultsOf(path, readIfThere(join(root, path)))) };
}

/** A file that is deleted in the working tree is still listed. */
function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { files, faults } = checkStyle(argv[2]);
  for (const fault of faults) console.error(fault);
  console.log(`${files} files looked at, ${faults.length} faults`);
  process.exitCode = faults.length === 0 && files > 0 ? 0 : 1;
}
