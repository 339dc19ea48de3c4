/** The thread behind `ThreadedAssembler`. It has nothing else to do, so its file access is synchronous: that costs least. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { CHUNK_SIZE_BYTES_MAX, type Digest, type ErrorCode, FleetError } from '@fleetloop/schemas';
import { assembleRecording, type RecordingFile } from '../ingest/assemble.ts';
import type { RecordingSummary } from '../ingest/recording-check.ts';
import { stagedFileName } from './folder-staging.ts';

export type AssemblyJob = {
  readonly id: number;
  /** The staged chunks of the vehicle. */
  readonly folder: string;
  readonly chunks: readonly Digest[];
  /** The empty file that the recording is written to. */
  readonly path: string;
};

/** An `Assembled` as it crosses threads: errors by code and message. */
export type AssemblyAnswer =
  | {
      readonly kind: 'assembled';
      readonly id: number;
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly check:
        | { readonly kind: 'good'; readonly summary: RecordingSummary }
        | { readonly kind: 'bad'; readonly code: ErrorCode; readonly message: string };
    }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** One buffer for all chunks: each is written and checked before the next one is read. */
const BUFFER = new Uint8Array(CHUNK_SIZE_BYTES_MAX);

async function answer({ id, folder, chunks, path }: AssemblyJob): Promise<AssemblyAnswer> {
  try {
    using file = new SyncRecordingFile(path);
    const { check, ...recording } = await assembleRecording(stagedBytes(folder, chunks), file);
    return {
      kind: 'assembled',
      id,
      ...recording,
      check: check.kind === 'good' ? check : { kind: 'bad', code: check.error.code, message: check.error.message },
    };
  } catch (error) {
    const { code, message } = FleetError.from(error, 'RECORD_WRITE');
    return { kind: 'failed', id, code, message };
  }
}

async function* stagedBytes(folder: string, chunks: readonly Digest[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield readInto(BUFFER, join(folder, stagedFileName(chunk)));
}

function readInto(buffer: Uint8Array, path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    let filled = 0;
    while (filled < buffer.length) {
      const bytesRead = readSync(file, buffer, filled, buffer.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}

class SyncRecordingFile implements RecordingFile, Disposable {
  readonly #file: number;
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'r+');
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
  }

  async finish(): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    fsyncSync(this.#file);
    return { digest: `sha256:${this.#hash.digest('hex')}` as Digest, sizeBytes: this.#sizeBytes };
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

parentPort?.on('message', (job: AssemblyJob) => {
  void answer(job).then((result) => parentPort?.postMessage(result));
});
