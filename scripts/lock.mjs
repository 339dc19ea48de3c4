// Why: a registry mirror may offer native packages for some platforms only, and npm then leaves the others out of
// package-lock.json; `npm ci` refuses such a lock on every machine. `npm run lock` adds
// the missing entries from the exact versions that their parents ask for. They carry no integrity, because nobody here
// has seen their bytes; npm skips them where the platform differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const OS_NAMES = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPU_NAMES = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];
const EXACT_VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** Lists the optional packages that some package asks for and the lock does not hold, as [key, entry]. */
export function missingOptionalEntries(lock) {
  const missing = new Map();
  for (const [parentKey, parent] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(parent.optionalDependencies ?? {})) {
      if (isInLock(lock, parentKey, name)) continue;
      missing.set(`node_modules/${name}`, entryFor(name, range, parent.dev === true));
    }
  }
  return [...missing];
}

function isInLock(lock, parentKey, name) {
  return foldersUpwards(parentKey).some((folder) => {
    const key = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    return Object.hasOwn(lock.packages, key);
  });
}

/** The folders in which Node looks for what the package at `key` imports; '' is the root. */
function foldersUpwards(key) {
  if (key === '') return [''];
  const parentEnd = key.lastIndexOf('/node_modules/');
  return [key, ...foldersUpwards(parentEnd === -1 ? '' : key.slice(0, parentEnd))];
}

function entryFor(name, range, dev) {
  if (!EXACT_VERSION.test(range))
    throw new Error(`${name}@${range} is optional, missing and not an exact version: add it by hand`);
  const words = name.split(/[/.-]/);
  const os = OS_NAMES.find((word) => words.includes(word) || words.includes(`${word}eabi`));
  const cpu = CPU_NAMES.find((word) => words.includes(word));
  return {
    version: range,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(dev ? { dev: true } : {}),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
    ...(words.includes('musl') ? { libc: ['musl'] } : {}),
  };
}

function completeLock(path) {
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const missing = missingOptionalEntries(lock);
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  packages.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
  return missing.length;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  if (argv.includes('--check')) {
    const missing = missingOptionalEntries(JSON.parse(readFileSync(path, 'utf8')));
    for (const [key] of missing) console.error(`package-lock.json lacks ${key}. Remedy: npm run lock`);
    process.exitCode = missing.length === 0 ? 0 : 1;
  } else {
    console.log(`package-lock.json: ${completeLock(path)} platform packages added`);
  }
}
