/** Why: reading entries and writing their rows as text is most of a replay, and the process that does it answers questions meanwhile. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas';
import type { RawBatch } from '../projection/text-batch.ts';
import type { RowFileAnswer } from './row-file-thread.ts';
import type { FileBatch, RowFileMaker, RowFilesStart } from './row-files.ts';

const THREAD = join(import.meta.dirname, 'row-file-thread.ts');

type Waiting = { readonly resolve: (batch: FileBatch) => void; readonly reject: (error: FleetError) => void };

/** Makes files as `RowFiles` does, on a thread that disposing ends. */
export class ThreadedRowFiles implements RowFileMaker, AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #failure: FleetError | undefined;

  constructor(start: RowFilesStart) {
    this.#worker = new Worker(THREAD, { workerData: start });
    this.#worker.on('message', (answer: RowFileAnswer) => {
      const waiting = this.#waiting.shift();
      if (answer.kind === 'made') waiting?.resolve(answer.batch);
      else waiting?.reject(new FleetError(answer.code, answer.message, { details: answer.details }));
    });
    this.#worker.on('error', (cause) => this.#fail('the thread that makes rows of entries has failed', cause));
    this.#worker.on('exit', () => this.#fail('the thread that makes rows of entries has ended'));
  }

  /** The batch is moved to the thread. @throws FleetError INTERNAL_UNEXPECTED also when the thread has ended on its own */
  async make(batch: RawBatch): Promise<FileBatch> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<FileBatch>();
    this.#waiting.push({ resolve, reject });
    this.#worker.postMessage(batch, [batch.bytes.buffer]);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new FleetError('INTERNAL_UNEXPECTED', message, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
