/** The disk behind `SourceFiles`: plain files and zstd files, read in pieces. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { FleetError } from '@fleetloop/schemas';
import type { SourceFiles } from '@fleetloop/schemas/source';

/** Size of a piece; small enough for the memory of a vehicle, large enough for few system calls. */
const PIECE_SIZE_BYTES = 16 * 1024;

/** How a zstd frame begins (RFC 8878, 3.1.1). */
const ZSTD_MAGIC = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);

/** Reads source files from disk; zstd is unpacked on the way, whether the name says so (`.zst`) or only the content. */
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
  sizeOf: async (path) => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile() || (await isCompressed(path))) return undefined;
    return found.size;
  },
  readRange: (path, offset, length) => withFile(path, (file) => readFully(file, offset, length)),
};

/** @throws FleetError SOURCE_NOT_FOUND */
async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    return await use(file);
  } catch (cause) {
    throw asFleetError(path, cause);
  } finally {
    await file?.close();
  }
}

async function readFully(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function isCompressed(path: string): Promise<boolean> {
  if (path.endsWith('.zst')) return true;
  const start = await withFile(path, (file) => readFully(file, 0, ZSTD_MAGIC.length));
  return ZSTD_MAGIC.equals(start);
}

async function* readPieces(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const isPacked = await isCompressed(path);
  const file = createReadStream(path, { highWaterMark: PIECE_SIZE_BYTES, ...(signal === undefined ? {} : { signal }) });
  const unpacked: Readable = isPacked ? unpack(file) : file;
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
