/**
 * Files that are there as a whole or not at all, and lines that stay once they are written. Each call that changes something
 * has survived a power cut when it resolves, the folder's entry included.
 */
import { FleetError } from '@fleetloop/schemas';
import type { ByteSink, Disk, DiskFile } from '../ports.ts';
import { Turns } from './turns.ts';

/** What is being written and has not got its name yet; found at a start it is what a power cut left. */
export const ACTIVE_SUFFIX = '.active';
/** Most bytes of a small file. */
export const TEXT_BYTES_MAX = 512 * 1024 * 1024;
const NEWLINE = 0x0a;
/** Bytes of a piece of a file that is looked at as a whole. */
const SCAN_BYTES = 256 * 1024;

export type ListedFile = { readonly name: string; readonly sizeBytes: number };

/** A file that is complete and synced under its `.active` name. */
export type ActiveFile<T> = {
  readonly result: T;
  /** Gives it its name, replacing what is there. @throws FleetError RECORD_WRITE */
  readonly commit: () => Promise<void>;
  /** Removes it, as far as the disk still can. */
  readonly discard: () => Promise<void>;
};

export class DurableFiles {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #turns = new Turns();
  /** Folders that are known to be there. */
  readonly #folders = new Set<string>();
  /** Files of lines whose last byte ends a line and whose name is on disk. */
  readonly #whole = new Set<string>();

  constructor(disk: Disk, root: string) {
    this.#disk = disk;
    this.#root = root;
  }

  /** Writes a file as `name.active` and renames it. @throws FleetError RECORD_WRITE, or what `write` throws as a FleetError */
  async writeFile<T>(name: string, write: (sink: ByteSink) => Promise<T>): Promise<T> {
    const active = await this.begin(name, write);
    await active.commit();
    return active.result;
  }

  /** The first half of `writeFile`: all bytes are on disk, and whether they get their name is still to be decided. */
  async begin<T>(name: string, write: (sink: ByteSink) => Promise<T>): Promise<ActiveFile<T>> {
    const path = this.#path(name);
    const active = `${path}${ACTIVE_SUFFIX}`;
    const discard = async (): Promise<void> => this.#disk.remove(active).catch(() => {});
    const guarded = async <R>(work: () => Promise<R>): Promise<R> => {
      try {
        return await this.#asWriteError(path, work);
      } catch (error) {
        await discard();
        throw error;
      }
    };
    const result = await guarded(async () => {
      await this.#makeFolder(folderOf(path));
      return useFile(await this.#disk.open(active, 'create'), async (file) => {
        const written = await write({ write: async (bytes) => writeAll(file, bytes) });
        await file.sync();
        return written;
      });
    });
    const commit = async (): Promise<void> => {
      await guarded(async () => this.#disk.rename(active, path));
      this.#whole.delete(name);
      await this.#asWriteError(path, async () => this.#disk.syncFolder(folderOf(path)));
    };
    return { result, commit, discard };
  }

  /** Replaces a small file as a whole. @throws FleetError RECORD_WRITE */
  async writeText(name: string, text: string): Promise<void> {
    await this.writeFile(name, async (sink) => sink.write(new TextEncoder().encode(text)));
  }

  /**
   * Adds a line, or several that are joined by newlines, in one write. A line that an earlier failure left half written is
   * closed first, so that nothing is ever glued to it. @throws FleetError RECORD_WRITE
   */
  async appendLine(name: string, line: string): Promise<void> {
    await this.#turns.take(name, async () => this.#append(name, line));
  }

  async #append(name: string, line: string): Promise<void> {
    const path = this.#path(name);
    await this.#asWriteError(path, async () => {
      await this.#makeFolder(folderOf(path));
      const isWhole = this.#whole.delete(name);
      const sizeBytes = (await this.#disk.sizeOf(path)) ?? 0;
      const isTorn = !isWhole && sizeBytes > 0 && (await this.#lastByte(path, sizeBytes)) !== NEWLINE;
      await useFile(await this.#disk.open(path, 'append'), async (file) => {
        try {
          await writeAll(file, new TextEncoder().encode(`${isTorn ? '\n' : ''}${line}\n`));
          await file.sync();
        } catch (error) {
          // What is left of the line would be found again at the next start; if it cannot be cut off, the next append closes it.
          await file.truncate(sizeBytes).catch(() => {});
          throw error;
        }
      });
      if (!isWhole) await this.#disk.syncFolder(folderOf(path));
      this.#whole.add(name);
    });
  }

  /** The text of a small file, or undefined when there is none. @throws FleetError SPOOL_CORRUPT */
  async readText(name: string): Promise<string | undefined> {
    const bytes = await this.readWhole(name);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** The bytes of a small file, or undefined when there is none. @throws FleetError SPOOL_CORRUPT */
  async readWhole(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    const sizeBytes = await asReadError(path, async () => this.#disk.sizeOf(path));
    if (sizeBytes === undefined) return undefined;
    if (sizeBytes > TEXT_BYTES_MAX)
      throw new FleetError('SPOOL_CORRUPT', `${path} has ${sizeBytes} bytes, more than ${TEXT_BYTES_MAX}: remove it`);
    return this.readBytes(name, 0, sizeBytes);
  }

  /** Up to `length` bytes; fewer at the end of the file. @throws FleetError SPOOL_CORRUPT */
  async readBytes(name: string, offset: number, length: number): Promise<Uint8Array> {
    const path = this.#path(name);
    return asReadError(path, async () =>
      useFile(await this.#disk.open(path, 'read'), async (file) => {
        const buffer = new Uint8Array(length);
        let filled = 0;
        while (filled < length) {
          const count = await file.read(buffer.subarray(filled), offset + filled);
          if (count === 0) break;
          filled += count;
        }
        return buffer.subarray(0, filled);
      }),
    );
  }

  /**
   * Shows the whole of a file piece by piece, in one buffer that is used again for each. Others get their turn between two pieces.
   * @throws FleetError SPOOL_CORRUPT, or what `visit` throws
   */
  async scan(name: string, visit: (piece: Uint8Array) => void): Promise<void> {
    const path = this.#path(name);
    await asReadError(path, async () =>
      useFile(await this.#disk.open(path, 'read'), async (file) => {
        const buffer = new Uint8Array(SCAN_BYTES);
        for (let offset = 0; ; ) {
          const count = await file.read(buffer, offset);
          if (count === 0) return;
          visit(buffer.subarray(0, count));
          offset += count;
        }
      }),
    );
  }

  /** The files of a folder, `/` between folder and name; empty when there is no such folder. @throws FleetError SPOOL_CORRUPT */
  async list(folder: string): Promise<readonly ListedFile[]> {
    const path = this.#path(folder);
    const found = await asReadError(path, async () => this.#disk.list(path));
    return found
      .filter((entry) => !entry.isFolder)
      .map(({ name, sizeBytes }) => ({ name: `${folder}/${name}`, sizeBytes }));
  }

  /** Moves a file and makes the target's folder. @throws FleetError RECORD_WRITE */
  async move(name: string, target: string): Promise<void> {
    const path = this.#path(target);
    this.#whole.delete(name);
    await this.#asWriteError(path, async () => {
      await this.#makeFolder(folderOf(path));
      await this.#disk.rename(this.#path(name), path);
      await this.#disk.syncFolder(folderOf(path));
    });
  }

  /** No error when there is nothing. @throws FleetError RECORD_WRITE */
  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    this.#whole.delete(name);
    await this.#asWriteError(path, async () => {
      await this.#makeFolder(folderOf(path));
      await this.#disk.remove(path);
      await this.#disk.syncFolder(folderOf(path));
    });
  }

  /** Bytes of a file, or undefined when there is none. @throws FleetError SPOOL_CORRUPT */
  async sizeOf(name: string): Promise<number | undefined> {
    const path = this.#path(name);
    return asReadError(path, async () => this.#disk.sizeOf(path));
  }

  /** Bytes that the file system still takes. @throws FleetError RECORD_WRITE */
  async freeBytes(): Promise<number> {
    return this.#asWriteError(this.#root, async () => {
      await this.#makeFolder(this.#root);
      return this.#disk.freeBytes(this.#root);
    });
  }

  #path(name: string): string {
    return `${this.#root}/${name}`;
  }

  async #makeFolder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    await this.#disk.makeFolder(path);
    this.#folders.add(path);
  }

  async #lastByte(path: string, sizeBytes: number): Promise<number | undefined> {
    return useFile(await this.#disk.open(path, 'read'), async (file) => {
      const buffer = new Uint8Array(1);
      return (await file.read(buffer, sizeBytes - 1)) === 0 ? undefined : buffer[0];
    });
  }

  async #asWriteError<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // A folder that somebody took away is made again at the next try.
      this.#folders.clear();
      if (error instanceof FleetError) throw error;
      throw new FleetError(
        'RECORD_WRITE',
        `${path} cannot be written (${codeOf(error)}): free disk space or check its permissions`,
        { cause: error },
      );
    }
  }
}

/** Whether an error of a write says that the disk has no room. */
export function isDiskFull(error: unknown): boolean {
  const cause = error instanceof FleetError ? error.cause : error;
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(cause));
}

/** Offers the rest again when the system took fewer bytes than it was given. */
async function writeAll(file: DiskFile, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const taken = await file.write(bytes.subarray(offset));
    if (taken === 0) throw new Error('the file takes no more bytes');
    offset += taken;
  }
}

async function useFile<T>(file: DiskFile, work: (file: DiskFile) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(file);
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
  await file.close();
  return result;
}

async function asReadError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FleetError) throw error;
    throw new FleetError('SPOOL_CORRUPT', `${path} cannot be read (${codeOf(error)}): the disk may be failing`, {
      cause: error,
    });
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
