/**
 * Why: the reference trainer and MLflow need Python packages that no machine has by chance. They live in an environment
 * of our own in the cache, one per content of the requirements, so that nothing of the machine is touched or relied on.
 */
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { writeFileDurably } from './durable-file.ts';
import { takeInstallLock } from './install-lock.ts';
import { reportWhile, type Progress } from './progress.ts';
import { runCommand } from './run-command.ts';

const PYTHON_OLDEST = { major: 3, minor: 10 };
/** Newest first, so that packages with a second pin for an old Python get their newer one. */
const PYTHON_NAMES = [
  'python3',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
  'python3.14',
  'python',
] as const;
const QUESTION_TIMEOUT_MS = 20_000;
const INSTALL_TIMEOUT_MS = 1_500_000;
const STAMP_NAME = '.complete';
const KEY_LENGTH = 16;

/** Prints the version and proves that virtual environments can be made (Debian ships Python without ensurepip). */
const VERSION_QUESTION = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])';

export type PythonEnvironmentOptions = {
  /** Path of the pinned requirements file. */
  readonly requirements: string;
  readonly cache: string;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
};

/**
 * Finds or makes the environment for a requirements file.
 * @returns the path of its Python interpreter
 * @throws FleetError `STACK_UNAVAILABLE` when there is no usable Python or pip cannot install
 */
export async function preparePythonEnvironment(options: PythonEnvironmentOptions): Promise<string> {
  const base = await findPython(options.signal);
  const key = await environmentKey(options.requirements, base.version);
  const folder = join(options.cache, 'python', key);
  const interpreter = join(folder, 'bin', 'python');
  if (await isComplete(folder, interpreter, options.signal)) return interpreter;
  using _lock = await takeInstallLock(join(options.cache, 'locks', `python-${key}.lock`), {
    signal: options.signal,
    onWait: () => options.onProgress('python: waiting for another process that installs the packages'),
  });
  if (await isComplete(folder, interpreter, options.signal)) return interpreter;
  // A virtual environment knows its own path, so it cannot be made elsewhere and renamed: the stamp comes last instead.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const made = makeEnvironment(base.command, folder, options);
  await reportWhile('python: making the environment for trainer and MLflow (minutes, once)', made, options.onProgress);
  await writeFileDurably(join(folder, STAMP_NAME), `${key}\n`);
  return interpreter;
}

type Python = { readonly command: string; readonly version: string };

async function findPython(signal: AbortSignal): Promise<Python> {
  const refused: string[] = [];
  for (const command of PYTHON_NAMES) {
    try {
      const options = { signal, timeoutMs: QUESTION_TIMEOUT_MS };
      const version = (await runCommand(command, ['-c', VERSION_QUESTION], options)).trim();
      if (isGoodPython(version)) return { command, version };
      refused.push(`${command} is ${version}`);
    } catch (error) {
      signal.throwIfAborted();
      const message = FleetError.from(error).message;
      if (message.includes('ensurepip'))
        refused.push(`${command} has no venv module (Debian: apt install python3-venv)`);
    }
  }
  const found = refused.length === 0 ? 'none was found' : refused.join(', ');
  throw new FleetError(
    'STACK_UNAVAILABLE',
    `Python ${PYTHON_OLDEST.major}.${PYTHON_OLDEST.minor} or newer with its venv module is needed: ${found}. Remedy: install Python (https://www.python.org/downloads)`,
  );
}

/** Whether `version` ("3.12") is new enough. */
export function isGoodPython(version: string): boolean {
  const match = /^(\d+)\.(\d+)$/.exec(version);
  return match !== null && Number(match[1]) === PYTHON_OLDEST.major && Number(match[2]) >= PYTHON_OLDEST.minor;
}

async function environmentKey(requirements: string, pythonVersion: string): Promise<string> {
  const hash = createHash('sha256');
  hash.update(`${pythonVersion} ${platform()} ${arch()}\n`);
  hash.update(await readFile(requirements));
  return hash.digest('hex').slice(0, KEY_LENGTH);
}

/** Complete means: the stamp is there, and the interpreter still starts (a removed system Python breaks it). */
async function isComplete(folder: string, interpreter: string, signal: AbortSignal): Promise<boolean> {
  try {
    await access(join(folder, STAMP_NAME));
    await runCommand(interpreter, ['-c', ''], { signal, timeoutMs: QUESTION_TIMEOUT_MS });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function makeEnvironment(python: string, folder: string, options: PythonEnvironmentOptions): Promise<void> {
  const limits = { signal: options.signal, timeoutMs: INSTALL_TIMEOUT_MS };
  await runCommand(python, ['-m', 'venv', folder], limits);
  const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
  try {
    await runCommand(join(folder, 'bin', 'python'), [...pip, '-r', options.requirements], limits);
  } catch (error) {
    options.signal.throwIfAborted();
    throw new FleetError(
      'STACK_UNAVAILABLE',
      `the Python packages of the trainer cannot be installed. Remedy: see that pip reaches a package index, then try again. ${FleetError.from(error).message}`,
      { cause: error },
    );
  }
}
