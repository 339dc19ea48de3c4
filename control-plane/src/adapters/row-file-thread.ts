/** The thread behind `ThreadedRowFiles`: where to start, then raw batches in, and the files of their rows out, in order. */
import { parentPort } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas/ledger';
import type { RawBatch } from '../projection/text-batch.ts';
import { type FileBatch, RowFiles, type RowFilesStart } from './row-files.ts';

export type RowFileOrder =
  | { readonly kind: 'start'; readonly start: RowFilesStart }
  | { readonly kind: 'make'; readonly batch: RawBatch };
export type RowFileAnswer =
  | { readonly kind: 'up' }
  | { readonly kind: 'made'; readonly batch: FileBatch }
  | {
      readonly kind: 'failed';
      readonly code: FleetError['code'];
      readonly message: string;
      readonly details: FleetError['details'];
    };

let files: RowFiles | undefined;

parentPort?.on('message', (order: RowFileOrder) => {
  if (order.kind === 'start') files = new RowFiles(order.start);
  else void answer(order.batch);
});
say({ kind: 'up' });

/** Never rejects. */
async function answer(raw: RawBatch): Promise<void> {
  try {
    if (files === undefined) throw new FleetError('INTERNAL_UNEXPECTED', 'rows were asked for before the start');
    say({ kind: 'made', batch: await files.make(raw) });
  } catch (error) {
    const { code, message, details } = FleetError.from(error);
    say({ kind: 'failed', code, message, details });
  }
}

function say(answer: RowFileAnswer): void {
  parentPort?.postMessage(answer);
}
