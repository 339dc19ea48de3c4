/** Identity of a recording: its own digest and those of its chunks. */
import { createHash, hash } from 'node:crypto';
import { type Digest, FleetError, parseDigest } from '@fleetloop/schemas';
import type { ByteSink } from '../ports.ts';
import type { DurableFiles, ListedFile } from './durable-files.ts';
import { CHUNKS_MAX } from './spool-entry.ts';

/**
 * Bytes of a chunk. A cut costs what was on the link, which is at least two chunks; each chunk costs about 210 bytes of framing
 * (0.3 %). A recording that matters most waits for one chunk that is on its way: 0.07 s on a link of 1 MB/s.
 */
export const CHUNK_SIZE_BYTES = 64 * 1024;

export type RecordingDigests = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly chunkDigests: readonly Digest[];
};

/**
 * Digests bytes in their order, on the spot: 256 KiB take under 1 ms. To hand chunks to the system's threads would cost the same,
 * as each has to be copied for them.
 */
export class RecordingDigester {
  readonly #whole = createHash('sha256');
  readonly #chunk = new Uint8Array(CHUNK_SIZE_BYTES);
  readonly #chunkDigests: Digest[] = [];
  #filled = 0;
  #sizeBytes = 0;

  /** The buffer may be used again afterwards. @throws FleetError INGEST_LIMIT for a recording of more than CHUNKS_MAX chunks */
  update(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    assertChunks(this.#sizeBytes);
    this.#whole.update(bytes);
    for (let offset = 0; offset < bytes.length; ) {
      const part = bytes.subarray(offset, offset + CHUNK_SIZE_BYTES - this.#filled);
      offset += part.length;
      // A chunk that is whole in what was given need not be put together.
      if (part.length === CHUNK_SIZE_BYTES) {
        this.#closeChunk(part);
        continue;
      }
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      if (this.#filled === CHUNK_SIZE_BYTES) this.#closeChunk(this.#chunk);
    }
  }

  finish(): RecordingDigests {
    if (this.#filled > 0) this.#closeChunk(this.#chunk.subarray(0, this.#filled));
    const digest = parseDigest(`sha256:${this.#whole.digest('hex')}`);
    return { digest, sizeBytes: this.#sizeBytes, chunkSizeBytes: CHUNK_SIZE_BYTES, chunkDigests: this.#chunkDigests };
  }

  #closeChunk(bytes: Uint8Array): void {
    this.#filled = 0;
    this.#chunkDigests.push(parseDigest(`sha256:${hash('sha256', bytes, 'hex')}`));
  }
}

/** Reads what was just written, out of the system's cache; nothing of it stays when that fails. @throws FleetError RECORD_WRITE */
export async function digestWritten(files: DurableFiles, { name, sizeBytes }: ListedFile): Promise<RecordingDigests> {
  try {
    const digester = new RecordingDigester();
    await files.scan(name, (piece) => digester.update(piece));
    const digests = digester.finish();
    if (digests.sizeBytes === sizeBytes) return digests;
    throw new Error(`${digests.sizeBytes} of its ${sizeBytes} bytes can be read`);
  } catch (cause) {
    await files.remove(name).catch(() => {});
    const { message } = FleetError.from(cause);
    throw new FleetError('RECORD_WRITE', `${name} cannot be read back (${message}): the disk may be failing`, {
      cause,
    });
  }
}

/** Passes bytes on and counts them: what would be too long to be digested is refused while it is written. */
export class CountingSink implements ByteSink {
  readonly #target: ByteSink;
  #sizeBytes = 0;

  constructor(target: ByteSink) {
    this.#target = target;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @throws FleetError INGEST_LIMIT for a recording of more than CHUNKS_MAX chunks, or what the target throws */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#target.write(bytes);
    this.#sizeBytes += bytes.length;
    assertChunks(this.#sizeBytes);
  }
}

function assertChunks(sizeBytes: number): void {
  if (sizeBytes <= CHUNKS_MAX * CHUNK_SIZE_BYTES) return;
  throw new FleetError(
    'INGEST_LIMIT',
    `a recording has more than ${CHUNKS_MAX} chunks of ${CHUNK_SIZE_BYTES} bytes: use shorter windows or fewer topics`,
  );
}
