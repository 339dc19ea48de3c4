/** What a receipt means to the upload that it answers. */
import type { Receipt } from '@fleetloop/schemas/wire';
import { indexesOfBitmap } from './signed-manifest.ts';
import type { UploadInput } from './upload-state.ts';

/** Undefined for an outcome that a newer control plane may know. */
export function inputOfReceipt(
  outcome: Receipt['outcome'],
  chunkCount: number,
  storedAskMs: number,
): UploadInput | undefined {
  switch (outcome.case) {
    case 'missing':
      return { kind: 'receipt-missing', chunks: indexesOfBitmap(outcome.value.chunkBitmap, chunkCount) };
    case 'stored':
      return { kind: 'receipt-stored', askAgainMs: storedAskMs };
    case 'verified':
      return { kind: 'receipt-verified', ledgerSequence: outcome.value.ledgerSequence };
    case 'refused':
      return { kind: 'receipt-refused', code: outcome.value.code, message: outcome.value.message };
    default:
      return undefined;
  }
}
