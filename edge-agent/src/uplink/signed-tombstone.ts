/** The tombstone of a recording that will never arrive, signed with the vehicle's own key. */
import { create, toBinary } from '@bufbuild/protobuf';
import { parseDigest } from '@fleetloop/schemas';
import { digestToBytes } from '@fleetloop/schemas/crypto';
import { SignedTombstoneSchema, TombstoneSchema } from '@fleetloop/schemas/wire';
import type { VehicleSigner } from '../ports.ts';
import type { TombstoneEntry } from '../spool/spool-entry.ts';

export const TOMBSTONE_VERSION = 1;

/** Bytes of a SignedTombstone message. */
export function signTombstone(entry: TombstoneEntry, vehicleId: string, signer: VehicleSigner): Uint8Array {
  const { eventId, digest, sizeBytes, priority, session, campaignIds, startNs, endNs, code, reason, atMs } = entry;
  const tombstone = toBinary(
    TombstoneSchema,
    create(TombstoneSchema, {
      version: TOMBSTONE_VERSION,
      vehicleId,
      eventId,
      recordingDigest: digest === null ? new Uint8Array() : digestToBytes(parseDigest(digest)),
      sizeBytes: BigInt(sizeBytes),
      priority,
      session,
      campaignIds: [...campaignIds],
      startNs,
      endNs,
      code,
      reason,
      atMs: BigInt(Math.round(atMs)),
    }),
  );
  const signature = signer.sign(tombstone);
  return toBinary(
    SignedTombstoneSchema,
    create(SignedTombstoneSchema, { tombstone, signature, publicKey: signer.publicKey }),
  );
}
