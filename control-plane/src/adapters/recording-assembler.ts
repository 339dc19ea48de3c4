/**
 * Puts recordings together on a thread of its own: hashing, unpacking and checking them at link speed would keep the main thread
 * from its messages, and the garbage of it is cheap only in a heap that holds nothing else.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas';
import type { Assembled } from '../ingest/assemble.ts';
import type { RecordingAssembler, StagedPiece, StreamAssembler } from '../ingest/ports.ts';
import type { AssemblyAnswer, AssemblyOrder } from './recording-assembler-thread.ts';
import { makePieceMemory, type Piece, PieceWindow } from './piece-window.ts';

const THREAD = join(import.meta.dirname, 'recording-assembler-thread.ts');

/**
 * Unpacked chunks are garbage of a mebibyte each that a collection of the young generation frees: a small one is collected often,
 * and what survives it is next to nothing.
 */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 3 } as const;
/** Memory of streams that is kept for the next ones. */
const MEMORIES_KEPT_MAX = 4;

export type AssemblerOptions = {
  /** The document of the quality standard that recordings are held against; without it only their structure is checked. */
  readonly standard?: unknown;
};

type Waiting = { readonly result: PromiseWithResolvers<Assembled>; readonly window: PieceWindow | undefined };

/** One thread for recordings of one kind; it is started at the first one, and again after it has failed. */
export class ThreadedAssembler implements RecordingAssembler, StreamAssembler, AsyncDisposable {
  readonly #standard: unknown;
  readonly #waiting = new Map<number, Waiting>();
  /** Of streams that have ended. */
  readonly #memories: SharedArrayBuffer[] = [];
  #thread: Worker | undefined;
  #lastJob = 0;

  constructor({ standard }: AssemblerOptions = {}) {
    this.#standard = standard;
  }

  async assemble(pieces: readonly StagedPiece[], path: string): Promise<Assembled> {
    const { id, result } = this.#wait(undefined);
    this.#tell({ kind: 'staged', id, pieces, path });
    return result.promise;
  }

  async assembleStream(
    bytes: AsyncIterable<Uint8Array>,
    file: { readonly path: string; readonly keptBytes: number },
  ): Promise<Assembled> {
    const window = new PieceWindow(this.#memories.pop() ?? makePieceMemory());
    const { id, result } = this.#wait(window);
    this.#tell({ kind: 'begin', id, ...file, memory: window.memory });
    const feeding = this.#feed(id, bytes, window);
    // What the thread says decides; feeding ends with it.
    try {
      return await result.promise;
    } finally {
      window.close();
      await feeding;
      if (this.#memories.length < MEMORIES_KEPT_MAX) this.#memories.push(window.memory);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  /** Never rejects: a source that fails is told to the thread, whose answer then fails. */
  async #feed(id: number, bytes: AsyncIterable<Uint8Array>, window: PieceWindow): Promise<void> {
    const send = (piece: Piece): void => this.#tell({ kind: 'piece', id, piece });
    try {
      for await (const part of bytes) if (!(await window.add(part, send))) return;
      window.flush(send);
      this.#tell({ kind: 'end', id });
    } catch (error) {
      // What came is kept: the next attempt goes on behind it.
      window.flush(send);
      const { code, message } = FleetError.from(error, 'RECORD_WRITE');
      this.#tell({ kind: 'broken', id, code, message });
    }
  }

  #wait(window: PieceWindow | undefined): Waiting & { readonly id: number } {
    const id = (this.#lastJob += 1);
    const waiting = { result: Promise.withResolvers<Assembled>(), window };
    this.#waiting.set(id, waiting);
    return { id, ...waiting };
  }

  #tell(order: AssemblyOrder): void {
    (this.#thread ??= this.#start()).postMessage(order);
  }

  #start(): Worker {
    const thread = new Worker(THREAD, { workerData: { standard: this.#standard }, resourceLimits: THREAD_LIMITS });
    // An idle thread does not keep the process alive.
    thread.unref();
    thread.on('message', (answer: AssemblyAnswer) => this.#settle(answer));
    thread.on('error', (error) => this.#fail(thread, error));
    thread.on('exit', () => this.#fail(thread, new Error('the assembling thread ended')));
    return thread;
  }

  #settle(answer: AssemblyAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (answer.kind === 'used') return waiting?.window?.giveBack(answer.slot);
    this.#waiting.delete(answer.id);
    if (answer.kind === 'failed') return waiting?.result.reject(new FleetError(answer.code, answer.message));
    const { digest, sizeBytes, check } = answer;
    waiting?.result.resolve({
      digest,
      sizeBytes,
      check: check.kind === 'good' ? check : { kind: 'bad', error: new FleetError(check.code, check.message) },
    });
  }

  /** Nothing is lost: the chunks are still staged, and the manifest is worked on again. */
  #fail(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const error = new FleetError('RECORD_WRITE', 'the thread that assembles recordings has failed', { cause });
    for (const { result } of this.#waiting.values()) result.reject(error);
    this.#waiting.clear();
  }
}
