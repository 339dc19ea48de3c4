/** The disk behind `SourceFiles`: plain files and zstd files, read in pieces. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { FleetError } from '@fleetloop/schemas';
import type { SourceFiles } from '@fleetloop/schemas/source';

/** Size of a piece; small enough for the memory of a vehicle, large enough for few system calls. */
const PIECE_SIZE_BYTES = 16 * 1024;

/** Reads source files from disk; a name that ends in `.zst` is unpacked on the way. */
export const fileSourceFiles: SourceFiles = {
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
  const file = createReadStream(path, { highWaterMark: PIECE_SIZE_BYTES, ...(signal === undefined ? {} : { signal }) });
  const unpacked: Readable = path.endsWith('.zst') ? unpack(file) : file;
  try {
    for await (const piece of unpacked) yield piece as Uint8Array;
  } catch (cause) {
    throw asFleetError(path, cause);
  } finally {
    file.destroy();
  }
}

function unpack(file: Readable): Readable {
  // The error of either stream reaches whoever reads the result; the callback only keeps it from being thrown twice.
  return pipeline(file, createZstdDecompress(), () => {});
}

function asFleetError(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ABORT_ERR') return cause;
  if (code.startsWith('ZSTD') || code.startsWith('ERR_ZSTD') || code === 'Z_BUF_ERROR') {
    return new FleetError('SOURCE_FORMAT', `${path} is not a whole zstd file`, { cause });
  }
  return new FleetError('SOURCE_NOT_FOUND', `${path} cannot be read (${code || String(cause)})`, { cause });
}
