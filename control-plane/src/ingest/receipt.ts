/** Builds the answers that vehicles get. */
import { create } from '@bufbuild/protobuf';
import type { Digest, FleetError } from '@fleetloop/schemas';
import { digestToBytes } from '@fleetloop/schemas/crypto';
import { type Receipt, ReceiptSchema } from '@fleetloop/schemas/wire';

type Upload = { readonly recording: Digest; readonly eventId: string };

export function verifiedReceipt(upload: Upload, ledgerSequence: number): Receipt {
  return receipt(upload, {
    case: 'verified',
    value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence: BigInt(ledgerSequence) },
  });
}

export function missingReceipt(upload: Upload, chunkBitmap: Uint8Array): Receipt {
  return receipt(upload, { case: 'missing', value: { $typeName: 'fleetloop.uplink.Missing', chunkBitmap } });
}

export function storedReceipt(upload: Upload, relay: string): Receipt {
  return receipt(upload, { case: 'stored', value: { $typeName: 'fleetloop.uplink.Stored', relay } });
}

export function refusedReceipt(upload: Upload, refusal: Pick<FleetError, 'code' | 'message'>): Receipt {
  return receipt(upload, {
    case: 'refused',
    value: { $typeName: 'fleetloop.uplink.Refused', code: refusal.code, message: refusal.message },
  });
}

function receipt(upload: Upload, outcome: Receipt['outcome']): Receipt {
  return create(ReceiptSchema, { recordingDigest: digestToBytes(upload.recording), eventId: upload.eventId, outcome });
}
