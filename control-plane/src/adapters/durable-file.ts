/** Why: a file exists whole or not at all, also after a power cut: write beside it, flush, rename, flush the folder. */
import { randomUUID } from 'node:crypto';
import { closeSync, fsync, openSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Suffix of files that are being written; whoever finds one at start may remove it. */
export const ACTIVE_SUFFIX = '.active';

const flush = promisify(fsync);

/** Permissions of a file that everybody may read. */
const READABLE_MODE = 0o644;

/** Writes `path` durably, replacing what was there. */
export async function writeFileDurably(path: string, bytes: Uint8Array | string, mode = READABLE_MODE): Promise<void> {
  await moveDurably(await writeFileBeside(path, bytes, mode), path);
}

/** Writes and flushes a file in the folder of `path`, under a name that says that it is unfinished; returns its path. */
async function writeFileBeside(path: string, bytes: Uint8Array | string, mode = READABLE_MODE): Promise<string> {
  const unfinished = join(dirname(path), `${randomUUID()}${ACTIVE_SUFFIX}`);
  try {
    await using file = await open(unfinished, 'wx', mode);
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  return unfinished;
}

/** Renames within one file system and flushes the folder that the file arrives in. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Creates a folder and flushes its parent, so that the folder itself survives. */
export async function makeFolderDurably(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) await syncFolder(dirname(folder));
}

export async function syncFolder(folder: string): Promise<void> {
  await flushClosing(openSync(folder, 'r'));
}

/** Only the flush waits on another thread: the rest takes less time than the way there and back. */
export async function flushClosing(file: number): Promise<void> {
  try {
    await flush(file);
  } finally {
    closeSync(file);
  }
}
