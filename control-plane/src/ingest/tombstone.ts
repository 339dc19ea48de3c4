/** Decides whether a tombstone may be believed, and which fact it becomes. */
import { fromBinary } from '@bufbuild/protobuf';
import { type Digest, FleetError, type NewFact, parseEventId, parseVehicleId } from '@fleetloop/schemas';
import { digestFromBytes, digestOfBytes, isSignedByUser } from '@fleetloop/schemas/crypto';
import { type SignedTombstone, SignedTombstoneSchema, type Tombstone, TombstoneSchema } from '@fleetloop/schemas/wire';
import { hexOf, INGEST_ACTOR } from './facts.ts';
import type { EnrolledVehicle } from './ports.ts';

export const TOMBSTONE_VERSION = 1;
export const TOMBSTONE_BYTES_MAX = 64 * 1024;
const CAMPAIGNS_MAX = 1_000;
const TEXT_LENGTH_MAX = 4_096;
const DIGEST_BYTES = 32;
/** Last moment of the year 9999, ms: what a vehicle's clock says must still be a date. */
const AT_MS_MAX = 253_402_300_799_999n;

export type ReceivedTombstone = {
  /** Digest of the whole message as it came. */
  readonly digest: Digest;
  readonly tombstone: Tombstone;
  /** Digest of the lost recording; of the message where it never was a whole file. */
  readonly recording: Digest;
};

/**
 * Decodes a tombstone and checks that the vehicle of the subject signed it about itself; `admitKey` finds that vehicle.
 * @throws FleetError INGEST_TOMBSTONE, INGEST_VEHICLE_MISMATCH
 */
export async function readTombstone(
  bytes: Uint8Array,
  admitKey: (publicKey: string) => Promise<EnrolledVehicle>,
): Promise<ReceivedTombstone> {
  const { signed, tombstone } = decode(bytes);
  const { vehicleId, publicKey } = await admitKey(signed.publicKey);
  if (signed.publicKey !== publicKey || !isSignedByUser(publicKey, signed.tombstone, signed.signature))
    throw refused(vehicleId, 'its signature does not verify: it was altered or forged');
  if (tombstone.vehicleId !== vehicleId)
    throw new FleetError(
      'INGEST_VEHICLE_MISMATCH',
      `${vehicleId} sent a tombstone that speaks for ${tombstone.vehicleId}`,
    );
  checkForm(tombstone, vehicleId);
  const digest = digestOfBytes(bytes);
  const recording = tombstone.recordingDigest.length === 0 ? digest : digestFromBytes(tombstone.recordingDigest);
  return { digest, tombstone, recording };
}

/** One fact per event: a vehicle may sign the same loss again, after a restart for instance. */
export function evictedFact({ digest, tombstone, recording }: ReceivedTombstone): NewFact {
  const { vehicleId, eventId, sizeBytes, priority, session, campaignIds, startNs, endNs, code, reason, atMs } =
    tombstone;
  return {
    kind: 'recording.evicted',
    key: `e-${hexOf(digestOfBytes(new TextEncoder().encode(`${vehicleId}/${eventId}`)))}`,
    actor: INGEST_ACTOR,
    evidence: [digest],
    body: {
      vehicleId,
      eventId,
      recording: tombstone.recordingDigest.length === 0 ? null : recording,
      sizeBytes: Number(sizeBytes),
      priority,
      session,
      campaigns: campaignIds,
      startNs: String(startNs),
      endNs: String(endNs),
      code,
      reason,
      lostAt: new Date(Number(atMs)).toISOString(),
      tombstone: digest,
    },
  };
}

function decode(bytes: Uint8Array): { readonly signed: SignedTombstone; readonly tombstone: Tombstone } {
  if (bytes.length > TOMBSTONE_BYTES_MAX) throw refused('a vehicle', `it has ${bytes.length} bytes`);
  try {
    const signed = fromBinary(SignedTombstoneSchema, bytes);
    return { signed, tombstone: fromBinary(TombstoneSchema, signed.tombstone) };
  } catch (cause) {
    throw refused('a vehicle', 'it is not a protobuf SignedTombstone', cause);
  }
}

function checkForm(tombstone: Tombstone, vehicleId: string): void {
  const { version, recordingDigest, sizeBytes, campaignIds, code, reason, session, priority, atMs } = tombstone;
  if (version !== TOMBSTONE_VERSION)
    throw refused(vehicleId, `it has version ${version}, expected ${TOMBSTONE_VERSION}`);
  if (recordingDigest.length !== 0 && recordingDigest.length !== DIGEST_BYTES)
    throw refused(vehicleId, 'the digest of the recording is not 32 bytes long');
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER))
    throw refused(vehicleId, `a size of ${sizeBytes} bytes is not possible`);
  if (atMs < 0n || atMs > AT_MS_MAX) throw refused(vehicleId, `${atMs} is no moment in time`);
  if (campaignIds.length > CAMPAIGNS_MAX) throw refused(vehicleId, `it names ${campaignIds.length} campaigns`);
  if ([code, reason, session, priority, ...campaignIds].some((text) => text.length > TEXT_LENGTH_MAX))
    throw refused(vehicleId, `a text in it has more than ${TEXT_LENGTH_MAX} characters`);
  try {
    parseVehicleId(tombstone.vehicleId);
    parseEventId(tombstone.eventId);
  } catch (cause) {
    throw refused(vehicleId, FleetError.from(cause).message, cause);
  }
}

function refused(vehicleId: string, why: string, cause?: unknown): FleetError {
  return new FleetError('INGEST_TOMBSTONE', `a tombstone of ${vehicleId} is refused: ${why}`, { cause });
}
