/** Why: recordings, tables and bundles are filed under their own SHA-256, so that a name can never mean other bytes. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, FleetError, parseDigest } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { BlobStore } from '../ports.ts';
import { makeFolderDurably, syncFolder, ACTIVE_SUFFIX } from './durable-file.ts';
import { GroupedFlush } from './grouped-flush.ts';

/** Largest blob that `get` reads into memory, bytes; larger ones are streamed by `open` or read by path. */
export const BLOB_IN_MEMORY_BYTES_MAX = 256 * 1024 * 1024;
const INCOMING_FOLDER = 'incoming';
const ALGORITHM_FOLDER = 'sha256';

/** Blobs in a folder: `sha256/<first two hex digits>/<hex>`, so that few folders are made, and none when there are many blobs. */
export class FolderBlobs implements BlobStore {
  readonly #folder: string;
  readonly #incoming: string;
  /** Flushes of the folders that stand, by their path: blobs that come together share them. */
  readonly #folders = new Map<string, GroupedFlush>();

  private constructor(folder: string, incoming: string) {
    this.#folder = folder;
    this.#incoming = incoming;
  }

  /**
   * Opens or creates the folder; what was unfinished when the process last ended is removed, as nobody can name it.
   * @param writer tells processes apart that write to one folder side by side: each removes only what it left itself
   */
  static async open(folder: string, writer?: string): Promise<FolderBlobs> {
    const incoming = join(folder, writer === undefined ? INCOMING_FOLDER : `${INCOMING_FOLDER}-${writer}`);
    await rm(incoming, { recursive: true, force: true });
    await makeFolderDurably(incoming);
    await makeFolderDurably(join(folder, ALGORITHM_FOLDER));
    await syncFolder(folder);
    return new FolderBlobs(folder, incoming);
  }

  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOfBytes(bytes);
    if (await this.has(digest)) return digest;
    const incoming = this.#incomingPath();
    await this.#discardOnFailure(incoming, async () => {
      await using file = await open(incoming, 'wx');
      await file.writeFile(bytes);
      await file.sync();
    });
    await this.#file(incoming, digest);
    return digest;
  }

  async adopt(path: string, digest: Digest, options: { readonly isChecked?: boolean } = {}): Promise<void> {
    if (await this.has(digest)) return rm(path, { force: true });
    const incoming = this.#incomingPath();
    await this.#discardOnFailure(incoming, async () => {
      await moveOrCopy(path, incoming);
      const actual = options.isChecked === true ? digest : await digestOfFile(incoming);
      if (actual !== digest) {
        // The caller's file goes back where it was: it is the caller's evidence.
        await moveOrCopy(incoming, path);
        throw new FleetError('BLOB_DIGEST', `${path} has the digest ${actual}, not ${digest}`, {
          details: { expected: digest, actual },
        });
      }
      // Whoever checked the bytes has flushed them, too.
      if (options.isChecked === true) return;
      await using file = await open(incoming, 'r');
      await file.sync();
    });
    await this.#file(incoming, digest);
  }

  async has(digest: Digest): Promise<boolean> {
    return (await stat(this.#pathOf(digest)).catch(() => undefined)) !== undefined;
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const size = await this.sizeOf(digest);
    if (size > BLOB_IN_MEMORY_BYTES_MAX) {
      throw new FleetError(
        'BLOB_DIGEST',
        `the blob ${digest} has ${size} bytes, over the ${BLOB_IN_MEMORY_BYTES_MAX} that are read at once: stream it`,
      );
    }
    const bytes = await readFile(this.#pathOf(digest));
    const actual = digestOfBytes(bytes);
    if (actual !== digest) throw damaged(digest, actual);
    return bytes;
  }

  /** The stream fails with BLOB_DIGEST at its end when the bytes were not the ones asked for. */
  async open(digest: Digest): Promise<Readable> {
    await this.sizeOf(digest);
    const check = new DigestCheck(digest);
    // The pipeline destroys both ends on failure; the reader sees the error on the stream that it holds.
    pipeline(createReadStream(this.#pathOf(digest)), check).catch(() => undefined);
    return check;
  }

  async sizeOf(digest: Digest): Promise<number> {
    try {
      return (await stat(this.#pathOf(digest))).size;
    } catch (cause) {
      throw new FleetError('BLOB_NOT_FOUND', `no blob ${digest} is stored`, { cause, details: { digest } });
    }
  }

  async pathOf(digest: Digest): Promise<string> {
    await this.sizeOf(digest);
    return this.#pathOf(digest);
  }

  #pathOf(digest: Digest): string {
    // Parsed again because the text becomes a path.
    const hex = parseDigest(digest).slice('sha256:'.length);
    return join(this.#folder, ALGORITHM_FOLDER, hex.slice(0, 2), hex);
  }

  #incomingPath(): string {
    return join(this.#incoming, `${randomUUID()}${ACTIVE_SUFFIX}`);
  }

  async #discardOnFailure(incoming: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      await rm(incoming, { force: true });
      throw error;
    }
  }

  /** Renaming over an equal file is harmless: two writers of the same bytes may meet here. */
  async #file(incoming: string, digest: Digest): Promise<void> {
    const path = this.#pathOf(digest);
    const folder = this.#folders.get(dirname(path)) ?? (await this.#makeFolder(dirname(path)));
    await rename(incoming, path);
    await folder.run();
  }

  async #makeFolder(path: string): Promise<GroupedFlush> {
    await makeFolderDurably(path);
    const flush = this.#folders.get(path) ?? new GroupedFlush(async () => syncFolder(path));
    this.#folders.set(path, flush);
    return flush;
  }
}

/** Passes bytes through and fails at the end when they do not have the digest. */
class DigestCheck extends Transform {
  readonly #expected: Digest;
  readonly #hash = createHash('sha256');

  constructor(expected: Digest) {
    super();
    this.#expected = expected;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.#hash.update(chunk);
    done(null, chunk);
  }

  override _flush(done: (error?: Error | null) => void): void {
    const actual = `sha256:${this.#hash.digest('hex')}`;
    done(actual === this.#expected ? null : damaged(this.#expected, actual));
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 512 * 1024 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/** Across file systems a rename is not possible; the copy is flushed as the file was. */
async function moveOrCopy(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(from, to);
    await using copy = await open(to, 'r');
    await copy.sync();
    await rm(from, { force: true });
  }
}

function damaged(digest: Digest, actual: string): FleetError {
  return new FleetError(
    'BLOB_DIGEST',
    `the stored bytes of ${digest} have the digest ${actual}: the blob is damaged, restore it from a copy`,
    {
      details: { expected: digest, actual },
    },
  );
}
