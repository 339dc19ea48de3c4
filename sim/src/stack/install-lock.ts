/**
 * Why: two stacks, or two clones, that find the same thing missing must not install it twice at once. The lock is the
 * operating system's own lock on a small SQLite file, so it ends with the process that holds it: none can be left behind.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';

const POLL_INTERVAL_MS = 200;
/** Longer than the slowest installation (a Go build on a small machine). */
const WAIT_MS_MAX = 1_800_000;
const SQLITE_BUSY = 5;

export type InstallLockOptions = {
  readonly signal: AbortSignal;
  /** Called once when another process holds the lock. */
  readonly onWait: () => void;
  readonly waitMsMax?: number;
};

/**
 * Waits for the lock at `path`; it is held until disposed.
 * @throws FleetError `STACK_UNAVAILABLE` when another process holds it for too long
 */
export async function takeInstallLock(path: string, options: InstallLockOptions): Promise<Disposable> {
  await mkdir(dirname(path), { recursive: true });
  const deadlineMs = performance.now() + (options.waitMsMax ?? WAIT_MS_MAX);
  for (let attempt = 0; ; attempt += 1) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (attempt === 0) options.onWait();
    if (performance.now() > deadlineMs) {
      throw new FleetError(
        'STACK_UNAVAILABLE',
        `another process has held ${path} for too long: end it, then try again`,
      );
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal: options.signal });
  }
}

function tryLock(path: string): Disposable | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
    return { [Symbol.dispose]: () => database.close() };
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw FleetError.from(error, 'STACK_UNAVAILABLE');
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
