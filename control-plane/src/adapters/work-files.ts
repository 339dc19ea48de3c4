/**
 * Recordings that are written only to be sent: files in a folder of this process, removed when they were sent or the process ends.
 * A process that was killed cannot: its folder is removed by the next one.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { WorkFile } from '../import/import-run.ts';

/** Names the machine, too: a process id says nothing to a container that shares the folder. */
const FOLDER_PREFIX = `fleetloop-import-${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-`;

export class WorkFiles implements AsyncDisposable {
  readonly #folder: string;
  #count = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Below `parent`, which needs room for the recordings that are in work at once; absent: the system's temporary folder. */
  static async open(parent: string = tmpdir()): Promise<WorkFiles> {
    await removeOrphans(parent);
    const folder = await mkdtemp(join(parent, `${FOLDER_PREFIX}${process.pid}-`)).catch((cause: unknown) => {
      throw new FleetError('RECORD_WRITE', `no folder can be made in ${parent}: make room, or set TMPDIR`, { cause });
    });
    return new WorkFiles(folder);
  }

  /** @throws FleetError RECORD_WRITE when there is no room */
  async openFile(): Promise<WorkFile> {
    this.#count += 1;
    const path = join(this.#folder, `${this.#count}.mcap`);
    const file = await open(path, 'wx').catch((cause: unknown) => {
      throw new FleetError('RECORD_WRITE', `${path} cannot be made: make room, or set TMPDIR`, { cause });
    });
    const hash = createHash('sha256');
    return {
      path,
      write: async (bytes) => {
        // The write runs on another thread while this one hashes.
        const writing = file.appendFile(bytes);
        hash.update(bytes);
        await writing.catch((cause: unknown) => {
          throw new FleetError('RECORD_WRITE', `${path} cannot be written: make room, or set TMPDIR`, { cause });
        });
      },
      finish: async () => {
        await file.close();
        return `sha256:${hash.digest('hex')}` as Digest;
      },
      [Symbol.asyncDispose]: async () => {
        await file.close().catch(() => undefined);
        await rm(path, { force: true });
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Folders of processes of this machine that are gone. What cannot be removed is in nobody's way. */
async function removeOrphans(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const owner = name.startsWith(FOLDER_PREFIX) ? Number.parseInt(name.slice(FOLDER_PREFIX.length), 10) : Number.NaN;
    if (owner > 0 && !isAlive(owner))
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch (error) {
    // One that belongs to somebody else is alive, too.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
