/** The thread behind `ThreadedRowFiles`: raw batches in, the files of their rows out, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas/ledger';
import type { RawBatch } from '../projection/text-batch.ts';
import { type FileBatch, RowFiles, type RowFilesStart } from './row-files.ts';

export type RowFileAnswer =
  | { readonly kind: 'made'; readonly batch: FileBatch }
  | {
      readonly kind: 'failed';
      readonly code: FleetError['code'];
      readonly message: string;
      readonly details: FleetError['details'];
    };

const FILES = new RowFiles(workerData as RowFilesStart);

parentPort?.on('message', (batch: RawBatch) => void answer(batch));

/** Never rejects. */
async function answer(raw: RawBatch): Promise<void> {
  try {
    say({ kind: 'made', batch: await FILES.make(raw) });
  } catch (error) {
    const { code, message, details } = FleetError.from(error);
    say({ kind: 'failed', code, message, details });
  }
}

function say(answer: RowFileAnswer): void {
  parentPort?.postMessage(answer);
}
