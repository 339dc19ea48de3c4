/**
 * zstd and SHA-256 without threads: a run in which the threads of libuv decide what comes first cannot be replayed from a seed. They
 * work for real, only at once. Tests put them in the place of `node:zlib` and `node:crypto`.
 */
import { EventEmitter } from 'node:events';
import type * as Zlib from 'node:zlib';

// Not imported, since the import would get what this replaces.
const zlib = process.getBuiltinModule('node:zlib');
const crypto = process.getBuiltinModule('node:crypto');

type Done = (error: Error | null, result: Buffer) => void;

class LockstepCompressor extends EventEmitter {
  readonly #options: Zlib.ZstdOptions;
  #written: Uint8Array[] = [];

  constructor(options: Zlib.ZstdOptions) {
    super();
    this.#options = options;
  }

  write(bytes: Uint8Array): boolean {
    this.#written.push(bytes);
    return true;
  }

  /** Ends a frame. */
  flush(_: number, done: () => void): void {
    const bytes = Buffer.concat(this.#written);
    this.#written = [];
    queueMicrotask(() => {
      this.emit('data', zlib.zstdCompressSync(bytes, this.#options));
      done();
    });
  }

  close(): void {
    this.removeAllListeners();
  }
}

const soon = (work: () => Buffer, done: Done): void => queueMicrotask(() => done(null, work()));

export const lockstepZlib = {
  ...zlib,
  createZstdCompress: (options: Zlib.ZstdOptions) => new LockstepCompressor(options),
  zstdCompress: (bytes: Uint8Array, options: Zlib.ZstdOptions, done: Done) =>
    soon(() => zlib.zstdCompressSync(bytes, options), done),
  zstdDecompress: (bytes: Uint8Array, options: Zlib.ZstdOptions, done: Done) => {
    queueMicrotask(() => {
      let result: Buffer;
      try {
        result = zlib.zstdDecompressSync(bytes, options);
      } catch (error) {
        done(error as Error, Buffer.alloc(0));
        return;
      }
      done(null, result);
    });
  },
};

export const lockstepCrypto = {
  ...crypto,
  subtle: {
    digest: async (_: string, bytes: Uint8Array) =>
      Uint8Array.from(crypto.createHash('sha256').update(bytes).digest()).buffer,
  },
};
