/** Why: reading entries and writing their rows as text is most of a replay, and the process that does it answers questions meanwhile. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas';
import type { RawBatch } from '../projection/text-batch.ts';
import type { RowFileAnswer, RowFileOrder } from './row-file-thread.ts';
import { type FileBatch, type RowFileMaker, RowFiles, type RowFilesStart } from './row-files.ts';

const THREAD = join(import.meta.dirname, 'row-file-thread.ts');

type Waiting = { readonly resolve: (batch: FileBatch) => void; readonly reject: (error: FleetError) => void };

/**
 * Makes files as `RowFiles` does, on a thread that disposing ends. Until the thread is up, which takes as long as tens of
 * thousands of entries do, batches are made here.
 */
export class ThreadedRowFiles implements RowFileMaker, AsyncDisposable {
  readonly #worker = new Worker(THREAD);
  readonly #waiting: Waiting[] = [];
  #here: RowFiles | undefined;
  #isUp = false;
  #turn: Promise<void> = Promise.resolve();
  #failure: FleetError | undefined;

  constructor(start: RowFilesStart) {
    this.#here = new RowFiles(start);
    this.#worker.on('message', (answer: RowFileAnswer) => this.#take(answer));
    this.#worker.on('error', (cause) => this.#fail('the thread that makes rows of entries has failed', cause));
    this.#worker.on('exit', () => this.#fail('the thread that makes rows of entries has ended'));
  }

  /** A batch may be moved to the thread. @throws FleetError INTERNAL_UNEXPECTED also when the thread has ended on its own */
  async make(batch: RawBatch): Promise<FileBatch> {
    const { promise, resolve, reject } = Promise.withResolvers<FileBatch>();
    // What is made here is made before anything that comes after it is given away: it may name what that speaks of.
    this.#turn = this.#turn.then(async () => this.#makeInTurn(batch, { resolve, reject }));
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  /** Never rejects; settles when the next batch may go its way. */
  async #makeInTurn(batch: RawBatch, waiting: Waiting): Promise<void> {
    if (this.#failure !== undefined) return waiting.reject(this.#failure);
    if (this.#here !== undefined && !this.#isUp) {
      await this.#here.make(batch).then(waiting.resolve, (error: unknown) => waiting.reject(FleetError.from(error)));
      return;
    }
    if (this.#here !== undefined) this.#give({ kind: 'start', start: this.#here.next });
    this.#here = undefined;
    this.#waiting.push(waiting);
    this.#give({ kind: 'make', batch });
  }

  #give(order: RowFileOrder): void {
    this.#worker.postMessage(order, order.kind === 'make' ? [order.batch.bytes.buffer] : []);
  }

  #take(answer: RowFileAnswer): void {
    if (answer.kind === 'up') {
      this.#isUp = true;
      return;
    }
    const waiting = this.#waiting.shift();
    if (answer.kind === 'made') waiting?.resolve(answer.batch);
    else waiting?.reject(new FleetError(answer.code, answer.message, { details: answer.details }));
  }

  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new FleetError('INTERNAL_UNEXPECTED', message, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
