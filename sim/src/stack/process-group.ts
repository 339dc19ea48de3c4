/**
 * Why: a server may start children of its own, and we may die before we can stop it. Each one runs in a process group of
 * its own that is stopped as a whole, and a small shell watches beside it: when our end of its pipe closes because we are
 * gone, even by kill -9, it stops the group.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 10_000;
const GONE_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 50;

/** Waits for a line or the end of its input; only the line "released" keeps it from stopping group $1. (dash knows no --.) */
const WATCHDOG = `
trap '' INT TERM HUP
read -r line
[ "$line" = released ] && exit 0
kill -TERM "-$1" 2>/dev/null
tries=0
while kill -0 "-$1" 2>/dev/null && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "-$1" 2>/dev/null
`;

export type ProcessGroupOptions = {
  readonly command: string;
  readonly args: readonly string[];
  /** Standard output and standard error are appended here. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly folder?: string;
};

export type ExitReason = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running process with everything it started; disposing it stops all of them. */
export class ProcessGroup implements AsyncDisposable {
  readonly pid: number;
  /** Settles when the first process of the group has ended. */
  readonly exited: Promise<ExitReason>;
  #exit: ExitReason | undefined;

  private constructor(child: ChildProcess, pid: number) {
    this.pid = pid;
    const release = watchOver(pid);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        signalGroup(pid, 'SIGKILL');
        release();
        resolve(this.#exit);
      });
    });
  }

  /** Starts the command. @throws the operating system's error when it cannot start */
  static async start(options: ProcessGroupOptions): Promise<ProcessGroup> {
    mkdirSync(dirname(options.logFile), { recursive: true });
    const log = openSync(options.logFile, 'a');
    try {
      const child = spawn(options.command, options.args, {
        cwd: options.folder,
        detached: true,
        env: { ...process.env, ...options.env },
        stdio: ['ignore', log, log],
      });
      const pid = child.pid;
      if (pid === undefined) throw await spawnError(child);
      return new ProcessGroup(child, pid);
    } finally {
      closeSync(log);
    }
  }

  /** How it ended, or undefined while it runs. */
  get exit(): ExitReason | undefined {
    return this.#exit;
  }

  /** Ends the whole group at once, as `kill -9` would, and waits until it is gone. */
  async kill(): Promise<void> {
    signalGroup(this.pid, 'SIGKILL');
    await this.exited;
    await this.#waitUntilGone();
  }

  /** Asks the group to end; what has not done so after 10 s is killed. */
  async stop(): Promise<void> {
    if (this.#exit === undefined) {
      signalGroup(this.pid, 'SIGTERM');
      const patience = new AbortController();
      await Promise.race([this.exited, delay(STOP_TIMEOUT_MS, undefined, { signal: patience.signal })]);
      patience.abort();
    }
    await this.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #waitUntilGone(): Promise<void> {
    const deadlineMs = performance.now() + GONE_TIMEOUT_MS;
    while (signalGroup(this.pid, 0) && performance.now() < deadlineMs) await delay(POLL_INTERVAL_MS);
  }
}

/** Starts the watching shell. @returns a function that sends it away without stopping the group */
function watchOver(pid: number): () => void {
  const watchdog = spawn('sh', ['-c', WATCHDOG, 'fleetloop-watchdog', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // The watchdog being gone early only costs the protection it gives; the write to it must not bring us down.
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref();
  return () => {
    watchdog.stdin.end('released\n');
  };
}

/** Sends a signal to a group; false when no such group exists any more. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function spawnError(child: ChildProcess): Promise<Error> {
  return new Promise((resolve) => {
    child.once('error', resolve);
  });
}
