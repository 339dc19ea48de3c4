/**
 * Why: a trainer is a guest: any program that keeps the contract of trainers/README.md. It runs in a process group of its
 * own, with a limit of time and output, and ends with its activity.
 */
import { spawn } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { FleetError } from '@fleetloop/schemas';

const STDERR_TAIL_BYTES_MAX = 4_096;
const LINE_LENGTH_MAX = 4_096;
/** A trainer that was told to stop gets this long before it is killed. */
const KILL_AFTER_MS = 3_000;

export type TrainerCommand = {
  readonly python: string;
  readonly script: string;
  readonly arguments: readonly string[];
  readonly folder: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Each line of standard output: one JSON object, or what the trainer printed instead. */
  readonly onLine: (line: string) => void;
};

/**
 * Runs a trainer to its end.
 * @throws FleetError TRAINING_TRAINER_FAILED with the end of what it said, TRAINING_TIMEOUT; the signal's reason when it aborts
 */
export async function runTrainerProcess(command: TrainerCommand): Promise<void> {
  command.signal.throwIfAborted();
  const name = join(basename(dirname(command.script)), basename(command.script));
  const child = spawn(command.python, [command.script, ...command.arguments], {
    cwd: command.folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: command.folder,
      TMPDIR: command.folder,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
    },
  });
  let tail = '';
  let isLate = false;
  child.stderr.on('data', (bytes: Buffer) => {
    tail = (tail + bytes.toString('utf8')).slice(-STDERR_TAIL_BYTES_MAX);
  });
  createInterface({ input: child.stdout }).on('line', (line) => command.onLine(line.slice(0, LINE_LENGTH_MAX)));
  const stop = (): void => stopGroup(child.pid);
  const limit = setTimeout(() => {
    isLate = true;
    stop();
  }, command.timeoutMs);
  command.signal.addEventListener('abort', stop, { once: true });
  try {
    const ended = await endOf(child);
    command.signal.throwIfAborted();
    if (isLate)
      throw new FleetError('TRAINING_TIMEOUT', `the trainer ${name} ran past ${command.timeoutMs} ms and was stopped`);
    if (ended.status !== 0)
      throw new FleetError(
        'TRAINING_TRAINER_FAILED',
        `the trainer ${name} ended with ${ended.words}: ${tail.trim() || 'it said nothing'}`,
      );
  } finally {
    clearTimeout(limit);
    command.signal.removeEventListener('abort', stop);
  }
}

type End = { readonly status: number | null; readonly words: string };

async function endOf(child: ReturnType<typeof spawn>): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: null, words: error.message }));
    child.once('close', (status, signal) =>
      resolve({ status, words: signal === null ? `exit status ${status}` : `signal ${signal}` }),
    );
  });
}

/** Asks the whole group to stop, then makes it. */
function stopGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}
