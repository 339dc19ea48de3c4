/** Why: a table is there whole or not at all, whatever ends its writing, and a disk that is full is a failure with a name. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetError } from '@fleetloop/schemas';

/**
 * Refuses a place where no file can be made. Asked first: what was computed for an hour is lost where it cannot be written.
 * @throws FleetError REQUEST_INVALID
 */
export async function requirePlaceOf(path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder?.isDirectory() !== true)
    throw new FleetError('REQUEST_INVALID', `${path} cannot be written: there is no folder ${dirname(path)}`);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true)
    throw new FleetError('REQUEST_INVALID', `${path} cannot be written: it is a folder, name a file in it`);
}

/**
 * Has `write` make the file under a name that says that it is unfinished; what was at `path` before stays until it is whole.
 * @throws FleetError FEATURE_TABLE_WRITE when the disk does not take it, and whatever `write` throws
 */
export async function writeTableFile(path: string, write: (unfinished: string) => Promise<void>): Promise<void> {
  const unfinished = `${path}.active`;
  try {
    await write(unfinished);
    await flush(unfinished);
    await rename(unfinished, path);
    await flush(dirname(path));
  } catch (cause) {
    await rm(unfinished, { force: true });
    if (!isOfDisk(cause)) throw cause;
    throw new FleetError(
      'FEATURE_TABLE_WRITE',
      `${path} cannot be written: ${cause.message.split('\n')[0]}. Make room or name another place, then try again`,
      { cause },
    );
  }
}

/** A name that outlives a power cut must not stand for bytes that do not. */
async function flush(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

/** What Node says of files, and what DuckDB says of them. */
function isOfDisk(cause: unknown): cause is Error {
  return cause instanceof Error && (('errno' in cause && 'syscall' in cause) || cause.message.startsWith('IO Error'));
}
