/** The thread behind `ThreadedAssembler`. It has nothing else to do, so its file access is synchronous: that costs least. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { CHUNK_SIZE_BYTES_MAX, type Digest, type ErrorCode, FleetError } from '@fleetloop/schemas';
import { assembleRecording, type RecordingFile } from '../ingest/assemble.ts';
import type { StagedPiece } from '../ingest/ports.ts';
import type { RecordingSummary } from '../ingest/recording-check.ts';
import { RecordingCheck } from '../quality/recording-check.ts';
import { parseStandard, type Standard } from '../quality/standard.ts';
import { FedPieces } from './fed-pieces.ts';
import type { Piece } from './piece-window.ts';

/** What the thread is told. A `begin` is followed by pieces and an end of the same id. */
export type AssemblyOrder =
  | {
      readonly kind: 'staged';
      readonly id: number;
      /** Where its chunks stand, in order. */
      readonly pieces: readonly StagedPiece[];
      /** The file that the recording is written to. */
      readonly path: string;
    }
  | {
      readonly kind: 'begin';
      readonly id: number;
      readonly path: string;
      /** Bytes that stand in the file already and begin the recording. */
      readonly keptBytes: number;
      /** Where the pieces stand. */
      readonly memory: SharedArrayBuffer;
    }
  | { readonly kind: 'piece'; readonly id: number; readonly piece: Piece }
  | { readonly kind: 'end'; readonly id: number }
  | { readonly kind: 'broken'; readonly id: number; readonly code: ErrorCode; readonly message: string };

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
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  /** A piece may be filled again. */
  | { readonly kind: 'used'; readonly id: number; readonly slot: number };

/** Undefined where only structure is checked. */
const STANDARD = standardOf(workerData);
/** One buffer for all that is read from disk: each part is written and checked before the next one is read. */
const BUFFER = new Uint8Array(CHUNK_SIZE_BYTES_MAX);
const FED = new Map<number, FedPieces>();

function standardOf(data: unknown): Standard | undefined {
  const document = (data as { readonly standard?: unknown } | null)?.standard;
  return document === undefined ? undefined : parseStandard(document);
}

/** Never rejects. */
async function answer(id: number, path: string, bytes: AsyncIterable<Uint8Array>, keptBytes: number): Promise<void> {
  try {
    using file = new SyncRecordingFile(path, keptBytes);
    const { check, ...recording } = await assembleRecording(
      bytes,
      file,
      STANDARD === undefined ? undefined : new RecordingCheck(STANDARD),
    );
    say({
      kind: 'assembled',
      id,
      ...recording,
      check: check.kind === 'good' ? check : { kind: 'bad', code: check.error.code, message: check.error.message },
    });
  } catch (error) {
    const { code, message } = FleetError.from(error, 'RECORD_WRITE');
    say({ kind: 'failed', id, code, message });
  } finally {
    FED.delete(id);
  }
}

function say(said: AssemblyAnswer): void {
  parentPort?.postMessage(said);
}

async function* stagedBytes(pieces: readonly StagedPiece[]): AsyncGenerator<Uint8Array> {
  for (const { path, offset, sizeBytes } of pieces) {
    const file = openSync(path, 'r');
    try {
      yield readInto(BUFFER.subarray(0, sizeBytes), file, offset);
    } finally {
      closeSync(file);
    }
  }
}

/** What a former attempt has left, read once more, and then what comes now. */
async function* keptAndFed(path: string, keptBytes: number, fed: FedPieces): AsyncGenerator<Uint8Array> {
  if (keptBytes > 0) yield* keptBytesOf(path, keptBytes);
  yield* fed;
}

async function* keptBytesOf(path: string, keptBytes: number): AsyncGenerator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    for (let offset = 0; offset < keptBytes; ) {
      const part = readInto(BUFFER.subarray(0, Math.min(BUFFER.length, keptBytes - offset)), file, offset);
      if (part.length === 0) throw new FleetError('RECORD_WRITE', `${path} is shorter than it was a moment ago`);
      offset += part.length;
      yield part;
    }
  } finally {
    closeSync(file);
  }
}

function readInto(buffer: Uint8Array, file: number, offset: number): Uint8Array {
  let filled = 0;
  while (filled < buffer.length) {
    const bytesRead = readSync(file, buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

class SyncRecordingFile implements RecordingFile, Disposable {
  readonly #file: number;
  readonly #hash = createHash('sha256');
  #keptBytes: number;
  #sizeBytes = 0;

  constructor(path: string, keptBytes: number) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT);
    if (fstatSync(this.#file).size > keptBytes) ftruncateSync(this.#file, keptBytes);
    this.#keptBytes = keptBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    // The first bytes stand there already.
    if (this.#keptBytes > 0) this.#keptBytes -= bytes.length;
    else
      for (let written = 0; written < bytes.length; )
        written += writeSync(this.#file, bytes, written, bytes.length - written, this.#sizeBytes + written);
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

function begin({ id, path, keptBytes, memory }: Extract<AssemblyOrder, { readonly kind: 'begin' }>): void {
  const fed = new FedPieces(memory, (slot) => say({ kind: 'used', id, slot }));
  FED.set(id, fed);
  void answer(id, path, keptAndFed(path, keptBytes, fed), keptBytes);
}

parentPort?.on('message', (order: AssemblyOrder) => {
  switch (order.kind) {
    case 'staged':
      return void answer(order.id, order.path, stagedBytes(order.pieces), 0);
    case 'begin':
      return begin(order);
    case 'piece':
      return FED.get(order.id)?.push(order);
    case 'end':
      return FED.get(order.id)?.push(order);
    case 'broken':
      return FED.get(order.id)?.push({ kind: 'failed', error: new FleetError(order.code, order.message) });
  }
});
