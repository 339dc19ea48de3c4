/** The machine's disk: the few calls that the agent needs, each with the system's own errors and nothing hidden. */
import { statSync } from 'node:fs';
import { constants, type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Disk, DiskFile } from '../ports.ts';

const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } = constants;
const FLAGS = {
  read: O_RDONLY,
  create: O_RDWR | O_CREAT | O_TRUNC,
  append: O_RDWR | O_CREAT | O_APPEND,
} as const;
const FILE_MODE = 0o644;
/** Files whose size is asked for between two turns of the loop: well under 1 ms. A call through the pool would cost ten times as much. */
const STATS_PER_TURN = 128;

export class NodeDisk implements Disk {
  async open(path: string, mode: 'read' | 'create' | 'append'): Promise<DiskFile> {
    return new NodeFile(await open(path, FLAGS[mode], FILE_MODE));
  }

  async rename(path: string, target: string): Promise<void> {
    await rename(path, target);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  async makeFolder(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    // Each folder that was made is an entry of the one above it, from the first new one down to `path`.
    for (let made = path; made.length >= first.length; made = dirname(made)) await this.syncFolder(dirname(made));
  }

  async syncFolder(path: string): Promise<void> {
    await using folder = await open(path, O_RDONLY);
    await folder.sync();
  }

  async list(
    path: string,
  ): Promise<readonly { readonly name: string; readonly sizeBytes: number; readonly isFolder: boolean }[]> {
    const found = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const entries: { readonly name: string; readonly sizeBytes: number; readonly isFolder: boolean }[] = [];
    for (const [index, entry] of found.toSorted((a, b) => (a.name < b.name ? -1 : 1)).entries()) {
      const isFolder = entry.isDirectory();
      const sizeBytes = isFolder ? 0 : statSync(join(path, entry.name), { throwIfNoEntry: false })?.size;
      // A file that went between the two calls is not there.
      if (sizeBytes !== undefined) entries.push({ name: entry.name, isFolder, sizeBytes });
      if (index % STATS_PER_TURN === STATS_PER_TURN - 1) await setImmediate();
    }
    return entries;
  }

  async sizeOf(path: string): Promise<number | undefined> {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array): Promise<number> {
    return (await this.#handle.write(bytes)).bytesWritten;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return (await this.#handle.read(buffer, 0, buffer.length, position)).bytesRead;
  }

  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
