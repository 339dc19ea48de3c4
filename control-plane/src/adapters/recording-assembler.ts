/**
 * Puts recordings together on a thread of its own: hashing, unpacking and checking them at link speed would keep the main thread
 * from its messages, and the garbage of it is cheap only in a heap that holds nothing else.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { Assembled } from '../ingest/assemble.ts';
import type { RecordingAssembler } from '../ingest/ports.ts';
import type { AssemblyAnswer, AssemblyJob } from './recording-assembler-thread.ts';

const THREAD = join(import.meta.dirname, 'recording-assembler-thread.ts');

/** One thread that assembles one recording after the other; it is started at the first one, and again after it has failed. */
export class ThreadedAssembler implements RecordingAssembler, AsyncDisposable {
  readonly #stagingRoot: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<Assembled>>();
  #thread: Worker | undefined;
  #lastJob = 0;

  constructor(stagingRoot: string) {
    this.#stagingRoot = stagingRoot;
  }

  async assemble(vehicleId: string, chunks: readonly Digest[], path: string): Promise<Assembled> {
    const thread = (this.#thread ??= this.#start());
    const id = (this.#lastJob += 1);
    const result = Promise.withResolvers<Assembled>();
    this.#waiting.set(id, result);
    thread.postMessage({ id, folder: join(this.#stagingRoot, vehicleId), chunks, path } satisfies AssemblyJob);
    return result.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(THREAD);
    // An idle thread does not keep the process alive.
    thread.unref();
    thread.on('message', (answer: AssemblyAnswer) => this.#settle(answer));
    thread.on('error', (error) => this.#fail(thread, error));
    thread.on('exit', () => this.#fail(thread, new Error('the assembling thread ended')));
    return thread;
  }

  #settle(answer: AssemblyAnswer): void {
    const result = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.kind === 'failed') return result?.reject(new FleetError(answer.code, answer.message));
    const { digest, sizeBytes, check } = answer;
    result?.resolve({
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
    for (const result of this.#waiting.values()) result.reject(error);
    this.#waiting.clear();
  }
}
