/** Why: one folder holds the file that serves and, during a rebuild, the next one; which of them serves is changed in one rename. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { removeDuckdbFile } from './duckdb-file.ts';
import { writeFileDurably } from './durable-file.ts';

/** Names the file that serves; a rebuild changes it in one rename. */
const CURRENT_FILE = 'current';
const FILE_NAME = /^projection-(\d+)\.duckdb$/;
const LOAD_FOLDER = /^projection-\d+\.duckdb\.load$/;

/** The file that serves; a folder without one is told which it will be. */
export async function currentFileName(folder: string): Promise<string> {
  const text = await readFile(join(folder, CURRENT_FILE), 'utf8').catch(() => '');
  if (FILE_NAME.test(text.trim())) return text.trim();
  const name = 'projection-1.duckdb';
  await serveFile(folder, name);
  return name;
}

export function nextFileName(path: string): string {
  const number = Number(FILE_NAME.exec(basename(path))?.[1] ?? 0);
  return `projection-${number + 1}.duckdb`;
}

/** What a rebuild or a replay left behind when the process ended in the middle of it. */
export async function removeOtherFiles(folder: string, current: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (FILE_NAME.test(name) && name !== current) await removeDuckdbFile(join(folder, name));
    if (LOAD_FOLDER.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** From now on this file of the folder serves, also after a power cut. */
export async function serveFile(folder: string, name: string): Promise<void> {
  await writeFileDurably(join(folder, CURRENT_FILE), name);
}
