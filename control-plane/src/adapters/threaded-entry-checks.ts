/**
 * Why: holding an entry against its schema costs more than hashing it does, and needs nothing of its neighbours. Batches of entries go to a thread for each other core while this one reads, hashes and builds the tree, and
 * checks a batch itself whenever they all have enough before them.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FleetError, LEDGER_ENTRY_BYTES_MAX } from '@fleetloop/schemas';
import {
  checkBatch,
  type CheckedEntries,
  type EntryBatch,
  type EntryChecks,
  LocalEntryChecks,
} from '../ledger/entry-checks.ts';

const THREAD = join(import.meta.dirname, 'entry-check-thread.ts');
const THREADS_MAX = 8;
const BATCH_BYTES = 2 * LEDGER_ENTRY_BYTES_MAX;
const BATCH_ENTRIES_MAX = 4_096;
/** Batches that one thread has before it. */
const BATCHES_AHEAD = 2;
/** Fewer entries are checked sooner than a thread is started. */
const LOCAL_ENTRIES_MAX = 20_000;

/** Starts its threads only for a ledger that is worth it; disposing ends them. */
export class ThreadedEntryChecks implements EntryChecks, AsyncDisposable {
  readonly #local = new LocalEntryChecks();
  readonly #threads: CheckThread[] = [];
  readonly #found: CheckedEntries[] = [];
  #batch: BatchBuilder | undefined;
  #taken = 0;

  take(sequence: number, bytes: Uint8Array): undefined {
    this.#taken += 1;
    if (this.#taken <= LOCAL_ENTRIES_MAX) return this.#local.take(sequence, bytes);
    this.#batch ??= new BatchBuilder(sequence);
    if (this.#batch.add(bytes)) return;
    this.#check(this.#batch.finish());
    this.#batch = new BatchBuilder(sequence);
    if (this.#batch.add(bytes)) return;
    this.#batch = undefined;
    this.#local.take(sequence, bytes);
  }

  async finish(): Promise<CheckedEntries> {
    if (this.#batch !== undefined) this.#check(this.#batch.finish());
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

  /** Gives the batch to the thread with the least before it, or checks it here while all have enough. */
  #check(batch: EntryBatch): void {
    const thread = this.#freeThread();
    const onFound = (found: CheckedEntries): void => {
      if (found.firstMalformed !== undefined || found.rotations.length > 0) this.#found.push(found);
    };
    if (thread.load >= BATCHES_AHEAD) onFound(checkBatch(batch));
    else thread.give(batch, onFound);
  }

  #freeThread(): CheckThread {
    if (this.#threads.length === 0)
      for (let count = Math.max(1, Math.min(availableParallelism() - 1, THREADS_MAX)); count > 0; count -= 1)
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

  /** False when there is no room, in an empty batch for what is far too long for an entry. */
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

type OnFound = (found: CheckedEntries) => void;

/** One worker; it answers in the order in which it was given batches. */
class CheckThread {
  readonly #worker = new Worker(THREAD);
  readonly #waiting: OnFound[] = [];
  readonly #failed = Promise.withResolvers<never>();
  #idle = Promise.withResolvers<void>();

  constructor() {
    this.#failed.promise.catch(() => undefined);
    this.#worker.on('message', (found: CheckedEntries) => {
      this.#waiting.shift()?.(found);
      if (this.#waiting.length === 0) this.#idle.resolve();
    });
    this.#worker.on('error', (cause) => {
      this.#failed.reject(new FleetError('INTERNAL_UNEXPECTED', 'a thread that checks entries has failed', { cause }));
    });
  }

  /** Batches before it. */
  get load(): number {
    return this.#waiting.length;
  }

  give(batch: EntryBatch, onFound: OnFound): void {
    if (this.#waiting.length === 0) this.#idle = Promise.withResolvers();
    this.#waiting.push(onFound);
    this.#worker.postMessage(batch, [batch.bytes.buffer, batch.ends.buffer]);
  }

  /** Settles once nothing is before it. @throws FleetError INTERNAL_UNEXPECTED when the thread has ended on its own */
  async idle(): Promise<void> {
    if (this.#waiting.length > 0) await Promise.race([this.#idle.promise, this.#failed.promise]);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
