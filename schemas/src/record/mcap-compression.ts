/**
 * zstd in the threads of libuv: several chunks are compressed at once while the next one is being filled. A zstd context takes some
 * megabytes, so each is kept for the next chunk; what it gives depends on the bytes alone.
 */
import { constants, createZstdCompress } from 'node:zlib';

/** A chunk that does not become at least this much smaller (JPEG, lidar packets) is stored as it is: reading it is then free. */
const SIZE_SHARE_MAX = 0.95;
/** Compressed bytes come in blocks of this size, which are garbage as soon as they are copied. */
const BLOCK_BYTES = 64 * 1024;
/** Contexts that are kept for the next chunk; what was needed beyond them at some moment is given back. */
const IDLE_MAX = 3;

type ZstdStream = ReturnType<typeof createZstdCompress>;

export class ChunkCompressor {
  readonly #params: Record<number, number>;
  /** Contexts that compress nothing now. */
  readonly #idle: ZstdStream[] = [];

  /** A window as large as the largest chunk finds all that repeats in it; a larger one only takes memory. */
  constructor({ level, windowLog }: { readonly level: number; readonly windowLog?: number }) {
    this.#params = {
      [constants.ZSTD_c_compressionLevel]: level,
      ...(windowLog === undefined ? {} : { [constants.ZSTD_c_windowLog]: windowLog }),
    };
  }

  /** The compressed records in blocks, or undefined when it is not worth it. The records must stay as they are meanwhile. */
  async compress(records: Uint8Array): Promise<readonly Uint8Array[] | undefined> {
    const stream = this.#idle.pop() ?? this.#open();
    const blocks: Uint8Array[] = [];
    const take = (block: Uint8Array): void => void blocks.push(block);
    const done = Promise.withResolvers<void>();
    stream.on('data', take).once('error', done.reject);
    stream.write(records);
    // Ends the frame, not the stream: the next write begins a new frame in the same context.
    stream.flush(constants.ZSTD_e_end, () => done.resolve());
    await done.promise;
    stream.off('data', take).off('error', done.reject);
    if (this.#idle.length < IDLE_MAX) this.#idle.push(stream);
    else stream.close();
    const compressedBytes = blocks.reduce((sum, block) => sum + block.length, 0);
    return compressedBytes <= Math.floor(records.length * SIZE_SHARE_MAX) ? blocks : undefined;
  }

  /** Gives the memory of the contexts back. */
  close(): void {
    for (const stream of this.#idle.splice(0)) stream.close();
  }

  #open(): ZstdStream {
    return createZstdCompress({ chunkSize: BLOCK_BYTES, params: this.#params });
  }
}
