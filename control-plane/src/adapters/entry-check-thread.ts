/** The thread behind `ThreadedEntryChecks`: a batch of entries in, what was found in it out. */
import { parentPort } from 'node:worker_threads';
import { checkBatch, type EntryBatch } from '../ledger/entry-checks.ts';

parentPort?.on('message', (batch: EntryBatch) => {
  parentPort?.postMessage(checkBatch(batch));
});
