/**
 * Why: a disk that really is full. A file system of a few megabytes in memory, mounted in a mount namespace of its own, so that
 * processes can be run on it which know nothing of it, and nobody else sees it. A machine may forbid that: then there is none.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OWN_NAMESPACE = 'unshare';
const MOUNT = 'mount -t tmpfs -o "size=$1" fleetloop-tiny-disk "$0" && echo mounted && exec cat';

export class TinyDisk implements AsyncDisposable {
  /** Where the processes that run on it see it. */
  readonly folder: string;
  readonly #holder: ChildProcess;
  readonly #enter: readonly string[];

  private constructor(folder: string, holder: ChildProcess, enter: readonly string[]) {
    this.folder = folder;
    this.#holder = holder;
    this.#enter = enter;
  }

  /** Mounts one over an empty folder; undefined where the machine forbids it. */
  static async mount(folder: string, sizeBytes: number): Promise<TinyDisk | undefined> {
    const isRoot = process.getuid?.() === 0;
    const flags = isRoot ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
    const holder = spawn(OWN_NAMESPACE, [...flags, 'sh', '-c', MOUNT, folder, String(sizeBytes)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const isMounted = await Promise.race([
      once(holder.stdout, 'data').then(() => true),
      once(holder, 'exit').then(() => false),
      once(holder, 'error').then(() => false),
    ]);
    if (!isMounted) return undefined;
    const join = ['--target', String(holder.pid), '--mount', ...(isRoot ? [] : ['--user', '--preserve-credentials'])];
    return new TinyDisk(folder, holder, ['nsenter', ...join]);
  }

  /** The words that stand before a command which is to run on the disk. */
  get within(): readonly string[] {
    return this.#enter;
  }

  /** A program that runs another one on the disk. */
  async wrap(program: string, path: string): Promise<string> {
    await writeFile(path, `#!/bin/sh\nexec ${this.#enter.join(' ')} ${program} "$@"\n`);
    await chmod(path, 0o755);
    return path;
  }

  /** Changes how much fits on it. */
  async resize(sizeBytes: number): Promise<void> {
    const [command = '', ...rest] = this.#enter;
    await run(command, [...rest, 'mount', '-o', `remount,size=${sizeBytes}`, this.folder]);
  }

  /** Where this process sees what is on it. */
  outside(...names: readonly string[]): string {
    return join('/proc', String(this.#holder.pid), 'root', this.folder, ...names);
  }

  /** Leaves `freeBytes`, by a file that takes the rest. @returns what makes room again */
  async fill(freeBytes: number): Promise<() => Promise<void>> {
    const available = await this.#availableBytes();
    const ballast = this.outside('ballast');
    await writeFile(ballast, new Uint8Array(Math.max(0, available - freeBytes)));
    return async () => rm(ballast);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.stdin?.end();
    if (this.#holder.exitCode === null) await once(this.#holder, 'exit');
  }

  async #availableBytes(): Promise<number> {
    const [command = '', ...rest] = this.#enter;
    const df = spawn(command, [...rest, 'df', '--block-size=1', '--output=avail', this.folder]);
    const [said] = await Promise.all([text(df.stdout), once(df, 'exit')]);
    return Number(said.trim().split('\n').at(-1));
  }
}
