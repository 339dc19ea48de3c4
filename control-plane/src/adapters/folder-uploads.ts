/** Recordings that arrive in several attempts: one file each, named by the digest that the whole will have. */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { PartialUploads } from '../ingest/ports.ts';

/** Uploads that are unfinished at one time; what is older is removed at a start. */
export const UPLOADS_MAX = 256;

export class FolderUploads implements PartialUploads {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Removes what nobody has gone on with since `keepSinceMs`. */
  static async open(root: string, keepSinceMs: number): Promise<FolderUploads> {
    await mkdir(root, { recursive: true });
    const uploads = new FolderUploads(root);
    await uploads.sweep(keepSinceMs);
    return uploads;
  }

  /** Removes what nobody has gone on with since then. */
  async sweep(keepSinceMs: number): Promise<void> {
    for (const name of await readdir(this.#root)) {
      const path = join(this.#root, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs < keepSinceMs) await rm(path, { force: true });
    }
  }

  /** Not flushed on the way: bytes that a power cut took are found missing by the digest of the whole. */
  async receivedBytes(recording: Digest): Promise<number> {
    return stat(this.#pathOf(recording)).then(
      ({ size }) => size,
      () => 0,
    );
  }

  async open(recording: Digest): Promise<string> {
    const path = this.#pathOf(recording);
    const names = await readdir(this.#root);
    if (names.length >= UPLOADS_MAX && !names.includes(hexOf(recording)))
      throw new FleetError(
        'INGEST_LIMIT',
        `${UPLOADS_MAX} uploads are unfinished: finish one of them, or wait until the oldest is given up`,
      );
    await using file = await open(path, 'a');
    await file.datasync();
    return path;
  }

  async remove(recording: Digest): Promise<void> {
    await rm(this.#pathOf(recording), { force: true });
  }

  #pathOf(recording: Digest): string {
    return join(this.#root, hexOf(recording));
  }
}

/** A parsed digest is 64 hex digits: nothing in it can leave the folder. */
const hexOf = (recording: Digest): string => recording.slice('sha256:'.length);
