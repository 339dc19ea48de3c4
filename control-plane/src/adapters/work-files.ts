/** Recordings that are written only to be sent: files in a folder of this process, removed when they were sent or the process ends. */
import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { WorkFile } from '../import/import-run.ts';

export class WorkFiles implements AsyncDisposable {
  readonly #folder: string;
  #count = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Below `parent`, which needs room for the recordings that are in work at once; absent: the system's temporary folder. */
  static async open(parent: string = tmpdir()): Promise<WorkFiles> {
    return new WorkFiles(await mkdtemp(join(parent, 'fleetloop-import-')));
  }

  /** @throws FleetError RECORD_WRITE when there is no room */
  async openFile(): Promise<WorkFile> {
    this.#count += 1;
    const path = join(this.#folder, `${this.#count}.mcap`);
    const file = await open(path, 'wx');
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
