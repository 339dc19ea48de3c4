/**
 * Why: holding an entry against its schema costs several times what hashing it does, and needs nothing of its
 * neighbours. Batches of entries go to a thread for each core while this one reads, hashes and builds the tree.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FleetError, LEDGER_ENTRY_BYTES_MAX } from '@fleetloop/schemas';
import { type CheckedEntries, type EntryChecks, LocalEntryChecks } from '../ledger/entry-checks.ts';
import type { EntryBatch } from './entry-check-thread.ts';

const THREAD = join(import.meta.dirname, 'entry-check-thread.ts');
const THREADS_MAX = 8;
const BATCH_BYTES = 2 * LEDGER_ENTRY_BYTES_MAX;
const BATCH_ENTRIES_MAX = 4_096;
/** Batches that one thread has before it. */
const BATCHES_AHEAD = 2;
/** Fewer entries are checked sooner than a thread is started. */
const LOCAL_ENTRIES_MAX = 5_000;

/** Starts its threads only for a ledger that is worth it; disposing ends them. */
export class ThreadedEntryChecks implements EntryChecks, AsyncDisposable {
  readonly #local = new LocalEntryChecks();
  readonly #threads: CheckThread[] = [];
  readonly #found: CheckedEntries[] = [];
  #batch: BatchBuilder | undefined;
  #taken = 0;

  take(sequence: number, bytes: Uint8Array): Promise<void> | undefined {
    this.#taken += 1;
    if (this.#taken <= LOCAL_ENTRIES_MAX) return this.#local.take(sequence, bytes);
    this.#batch ??= new BatchBuilder(sequence);
    if (this.#batch.add(bytes)) return undefined;
    const full = this.#batch;
    this.#batch = new BatchBuilder(sequence);
    this.#batch.add(bytes);
    return this.#send(full);
  }

  async finish(): Promise<CheckedEntries> {
    if (this.#batch !== undefined) await this.#send(this.#batch);
    await Promise.all(this.#threads.map(async (thread) => thread.idle()));
    const all = [this.#local.checked(), ...this.#found];
    const malformed = all.flatMap(({ firstMalformed }) => firstMalformed ?? []);
    return {
      firstMalformed: malformed.sort((left, right) => left.sequence - right.sequence)[0],
      rotations: all.flatMap(({ rotations }) => rotations).sort((left, right) => left.sequence - right.sequence),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(async (thread) => thread.stop()));
  }

  /** Gives the batch to the thread with the least before it; waits while all have enough. */
  async #send(batch: BatchBuilder): Promise<void> {
    const thread = this.#freeThread();
    thread.give(batch.finish(), (found) => {
      if (found.firstMalformed !== undefined || found.rotations.length > 0) this.#found.push(found);
    });
    while (this.#freeThread().load >= BATCHES_AHEAD) await Promise.race(this.#threads.map(async (one) => one.next()));
  }

  #freeThread(): CheckThread {
    if (this.#threads.length === 0)
      for (let count = Math.min(availableParallelism(), THREADS_MAX); count > 0; count -= 1)
        this.#threads.push(new CheckThread());
    return this.#threads.reduce((least, thread) => (thread.load < least.load ? thread : least));
  }
}

class BatchBuilder {
  readonly #fromSequence: number;
  readonly #bytes = new Uint8Array(BATCH_BYTES);
  readonly #ends = new Uint32Array(BATCH_ENTRIES_MAX);
  #count = 0;
  #length = 0;

  constructor(fromSequence: number) {
    this.#fromSequence = fromSequence;
  }

  /** False when there is no room; an empty batch takes any entry that may be in a ledger. */
  add(bytes: Uint8Array): boolean {
    if (this.#count === BATCH_ENTRIES_MAX || this.#length + bytes.length > BATCH_BYTES) return false;
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#ends[this.#count] = this.#length;
    this.#count += 1;
    return true;
  }

  finish(): EntryBatch {
    return { bytes: this.#bytes, ends: this.#ends.slice(0, this.#count), fromSequence: this.#fromSequence };
  }
}

type Waiting = {
  readonly resolve: () => void;
  readonly reject: (error: FleetError) => void;
  readonly onFound: (found: CheckedEntries) => void;
};

/** One worker; it answers in the order in which it was given batches. */
class CheckThread {
  readonly #worker = new Worker(THREAD);
  readonly #waiting: Waiting[] = [];
  #last: Promise<void> = Promise.resolve();
  #first: Promise<void>[] = [];

  constructor() {
    this.#worker.on('message', (found: CheckedEntries) => {
      const waiting = this.#waiting.shift();
      void this.#first.shift();
      waiting?.onFound(found);
      waiting?.resolve();
    });
    this.#worker.on('error', (cause) => {
      const error = new FleetError('INTERNAL_UNEXPECTED', 'a thread that checks entries has failed', { cause });
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  get load(): number {
    return this.#waiting.length;
  }

  give(batch: EntryBatch, onFound: Waiting['onFound']): void {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject, onFound });
    this.#first.push(promise);
    this.#last = promise;
    this.#last.catch(() => undefined);
    this.#worker.postMessage(batch, [batch.bytes.buffer, batch.ends.buffer]);
  }

  /** Settles with the batch that it is at. */
  async next(): Promise<void> {
    await this.#first[0];
  }

  /** Settles with the last batch that it was given. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
