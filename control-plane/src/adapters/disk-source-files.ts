/** Test-drive files on disk for `import`: plain and zstd files, read in pieces. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
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
};

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
