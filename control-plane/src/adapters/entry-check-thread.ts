/** The thread behind `ThreadedEntryChecks`: a batch of entries in, what was found in it out. */
import { parentPort } from 'node:worker_threads';
import { type CheckedEntries, LocalEntryChecks } from '../ledger/entry-checks.ts';

/** Entries one after another in one buffer. */
export type EntryBatch = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each entry ends in it. */
  readonly ends: Uint32Array<ArrayBuffer>;
  /** Sequence of the first one. */
  readonly fromSequence: number;
};

parentPort?.on('message', ({ bytes, ends, fromSequence }: EntryBatch) => {
  const checks = new LocalEntryChecks();
  let start = 0;
  for (const [index, end] of ends.entries()) {
    checks.take(fromSequence + index, bytes.subarray(start, end));
    start = end;
  }
  const answer: CheckedEntries = checks.checked();
  parentPort?.postMessage(answer);
});
