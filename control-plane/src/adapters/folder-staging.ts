/** Staged chunks as files named by their digest, one folder per vehicle; and files under assembly beside the blobs. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_SIZE_BYTES_MAX, type Digest, FleetError, isDigest } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { Assemblies, Assembly, ChunkStaging, StagedPiece } from '../ingest/ports.ts';
import { ACTIVE_SUFFIX, flushClosing, makeFolderDurably, syncFolder } from './durable-file.ts';
import { GroupedFlush } from './grouped-flush.ts';

/** Files that are looked at or removed at once. */
const FILES_AT_ONCE = 16;

export class FolderStaging implements ChunkStaging {
  readonly #root: string;
  /** Flushes of the folders that stand, by vehicle: chunks that come together share them. */
  readonly #folders = new Map<string, GroupedFlush>();

  private constructor(root: string) {
    this.#root = root;
  }

  /**
   * Removes what a crash has left half-written, and chunks that came before `keepSinceMs` and that no manifest has claimed:
   * a vehicle that still wants them sends them again when it is told that they are missing.
   */
  static async open(root: string, keepSinceMs: number): Promise<FolderStaging> {
    await makeFolderDurably(root);
    const staging = new FolderStaging(root);
    await staging.#removeWhere(async (path) => path.endsWith(ACTIVE_SUFFIX) || isOlder(path, keepSinceMs));
    return staging;
  }

  /** The same folder, which another thread has opened, for whoever only puts chunks into it. */
  static beside(root: string): Pick<FolderStaging, 'put'> {
    return new FolderStaging(root);
  }

  /** Removes chunks that came before `keepSinceMs`: the vehicle has given them up, or sends them again. */
  async sweep(keepSinceMs: number): Promise<void> {
    await this.#removeWhere(async (path) => isOlder(path, keepSinceMs));
  }

  /**
   * Only flushes wait on other threads: the rest takes less time than the way there and back.
   * @throws FleetError RECORD_WRITE (retryable), as on a full disk
   */
  async put(vehicleId: string, digest: Digest, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(vehicleId, digest);
    const folder = this.#folders.get(vehicleId) ?? (await this.#makeFolder(vehicleId));
    const unfinished = join(this.#root, vehicleId, `${randomUUID()}${ACTIVE_SUFFIX}`);
    try {
      // A file under its final name is whole: it was renamed after it had been flushed. Whether the name was flushed nobody knows.
      if (statSync(path, { throwIfNoEntry: false })?.size === bytes.length) return await folder.run();
      await flushClosing(openWritten(unfinished, bytes));
      renameSync(unfinished, path);
      await folder.run();
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw FleetError.from(error, 'RECORD_WRITE');
    }
  }

  async sizes(vehicleId: string, digests: readonly Digest[]): Promise<readonly (number | undefined)[]> {
    return inGroups(digests, async (digest) => sizeOf(this.#pathOf(vehicleId, digest)));
  }

  async locate(vehicleId: string, digests: readonly Digest[]): Promise<readonly StagedPiece[]> {
    return digests.map((digest) => ({
      path: this.#pathOf(vehicleId, digest),
      offset: 0,
      sizeBytes: CHUNK_SIZE_BYTES_MAX,
    }));
  }

  /** Every chunk that is there. */
  async *contents(): AsyncGenerator<{
    readonly vehicleId: string;
    readonly digest: Digest;
    readonly sizeBytes: number;
  }> {
    for (const vehicleId of await readdir(this.#root)) {
      for (const name of await readdir(join(this.#root, vehicleId))) {
        const digest = `sha256:${name}`;
        if (!isDigest(digest)) continue;
        yield { vehicleId, digest, sizeBytes: (await sizeOf(this.#pathOf(vehicleId, digest))) ?? 0 };
      }
    }
  }

  /** @throws FleetError BLOB_NOT_FOUND when the chunk is gone or damaged */
  async read(vehicleId: string, digest: Digest): Promise<Uint8Array> {
    const bytes = await readFile(this.#pathOf(vehicleId, digest)).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw FleetError.from(error, 'RECORD_WRITE');
    });
    if (bytes !== undefined && digestOfBytes(bytes) === digest) return bytes;
    if (bytes !== undefined) await this.remove(vehicleId, [digest]);
    throw new FleetError('BLOB_NOT_FOUND', `the staged chunk ${digest} of ${vehicleId} is gone or damaged`);
  }

  async remove(vehicleId: string, digests: readonly Digest[]): Promise<void> {
    await inGroups(digests, async (digest) => removeFile(this.#pathOf(vehicleId, digest)));
  }

  async #makeFolder(vehicleId: string): Promise<GroupedFlush> {
    const path = join(this.#root, vehicleId);
    await makeFolderDurably(path);
    const flush = this.#folders.get(vehicleId) ?? new GroupedFlush(async () => syncFolder(path));
    this.#folders.set(vehicleId, flush);
    return flush;
  }

  async #removeWhere(isUnwanted: (path: string) => Promise<boolean>): Promise<void> {
    for (const vehicleId of await readdir(this.#root)) {
      const folder = join(this.#root, vehicleId);
      await inGroups(await readdir(folder), async (name) => {
        const path = join(folder, name);
        if (await isUnwanted(path)) await rm(path, { force: true });
      });
    }
  }

  #pathOf(vehicleId: string, digest: Digest): string {
    return join(this.#root, vehicleId, digest.slice('sha256:'.length));
  }
}

export class FolderAssemblies implements Assemblies {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Files that a crash has left half-written are removed: their chunks are still staged. */
  static async open(root: string): Promise<FolderAssemblies> {
    await mkdir(root, { recursive: true });
    const left = (await readdir(root)).filter((name) => name.endsWith(ACTIVE_SUFFIX));
    await inGroups(left, async (name) => rm(join(root, name), { force: true }));
    return new FolderAssemblies(root);
  }

  begin(): Assembly {
    const path = join(this.#root, `${randomUUID()}${ACTIVE_SUFFIX}`);
    return { path, discard: async () => removeFile(path) };
  }
}

/** A new file with these bytes, which are not flushed yet. */
function openWritten(path: string, bytes: Uint8Array): number {
  const file = openSync(path, 'wx');
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** As `rm` with `force`, which looks first what stands there. */
async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/** False for a file that is gone meanwhile. */
async function isOlder(path: string, keepSinceMs: number): Promise<boolean> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs < keepSinceMs,
    () => false,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw FleetError.from(error, 'RECORD_WRITE');
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function inGroups<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let start = 0; start < items.length; start += FILES_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + FILES_AT_ONCE).map(work))));
  }
  return results;
}
