/** The manifest of a recording, signed with the vehicle's own key, and the receipt that answers it. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FleetError, parseDigest } from '@fleetloop/schemas';
import { digestToBytes } from '@fleetloop/schemas/crypto';
import { ManifestSchema, type Receipt, ReceiptSchema, SignedManifestSchema } from '@fleetloop/schemas/wire';
import type { VehicleSigner } from '../ports.ts';
import type { SpoolEntry } from '../spool/spool-entry.ts';

export const MANIFEST_VERSION = 1;

/** Bytes of a SignedManifest message. */
export function signManifest(entry: SpoolEntry, vehicleId: string, signer: VehicleSigner): Uint8Array {
  const manifest = toBinary(
    ManifestSchema,
    create(ManifestSchema, {
      version: MANIFEST_VERSION,
      vehicleId,
      eventId: entry.eventId,
      recordingDigest: digestToBytes(parseDigest(entry.digest)),
      sizeBytes: BigInt(entry.sizeBytes),
      chunkSizeBytes: entry.chunkSizeBytes,
      chunkDigests: entry.chunkDigests.map((digest) => digestToBytes(parseDigest(digest))),
      priority: entry.priority,
      session: entry.session,
      campaignIds: [...entry.campaignIds],
    }),
  );
  const signature = signer.sign(manifest);
  return toBinary(
    SignedManifestSchema,
    create(SignedManifestSchema, { manifest, signature, publicKey: signer.publicKey }),
  );
}

/** @throws FleetError UPLINK_UNAVAILABLE for bytes that are no receipt */
export function parseReceipt(payload: Uint8Array): Receipt {
  try {
    return fromBinary(ReceiptSchema, payload);
  } catch (cause) {
    throw new FleetError(
      'UPLINK_UNAVAILABLE',
      'the control plane answered with bytes that are no receipt: its version may differ',
      { cause },
    );
  }
}

/** Indexes of the bits that are set, least significant bit of byte 0 first. */
export function indexesOfBitmap(bitmap: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index).filter(
    (index) => (((bitmap[index >> 3] ?? 0) >> (index & 7)) & 1) === 1,
  );
}
