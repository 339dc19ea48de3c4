/** Test-drive files on disk for `import`: plain and zstd files, read in pieces. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { FleetError } from '@fleetloop/schemas';
import type { SourceFiles } from '@fleetloop/schemas/source';

const PIECE_BYTES = 256 * 1024;

/** A name that ends in `.zst` is unpacked on the way. */
export const diskSourceFiles: SourceFiles = {
  read: readPieces,
  findFirst: async (candidates) => {
    for (const path of candidates) {
      const isFile = await stat(path).then(
        (found) => found.isFile(),
        () => false,
      );
      if (isFile) return path;
    }
    return undefined;
  },
  sizeOf: async (path) => {
    const found = path.endsWith('.zst') ? undefined : await stat(path).catch(() => undefined);
    return found?.isFile() === true ? found.size : undefined;
  },
  readRange,
};

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } catch (cause) {
    throw new FleetError('SOURCE_NOT_FOUND', `${path} cannot be read`, { cause });
  }
}

async function* readPieces(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: PIECE_BYTES, ...(signal === undefined ? {} : { signal }) });
  // The error of either stream reaches whoever reads the result; the callback only keeps it from being thrown twice.
  const bytes: Readable = path.endsWith('.zst') ? pipeline(file, createZstdDecompress(), () => {}) : file;
  try {
    for await (const piece of bytes) yield piece as Uint8Array;
  } catch (cause) {
    signal?.throwIfAborted();
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code.includes('ZSTD') || code === 'Z_BUF_ERROR')
      throw new FleetError('SOURCE_FORMAT', `${path} is not a whole zstd file`, { cause });
    throw new FleetError('SOURCE_NOT_FOUND', `${path} cannot be read (${code})`, { cause });
  } finally {
    file.destroy();
  }
}
