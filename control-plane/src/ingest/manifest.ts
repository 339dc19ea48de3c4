/** Decides whether a manifest may be believed: its form, its limits, its signature, and whom it speaks for. */
import { fromBinary } from '@bufbuild/protobuf';
import {
  CHUNK_SIZE_BYTES_MAX,
  type Digest,
  FleetError,
  parseEventId,
  parseVehicleId,
  PRIORITIES,
  type Priority,
} from '@fleetloop/schemas';
import { digestFromBytes, digestOfBytes, isSignedByUser } from '@fleetloop/schemas/crypto';
import { type Manifest, ManifestSchema, type SignedManifest, SignedManifestSchema } from '@fleetloop/schemas/wire';
import type { EnrolledVehicle } from './ports.ts';

export const MANIFEST_VERSION = 1;
/** Largest manifest message, bytes; a digest of 34 bytes per chunk of 512 KiB stays far below it. */
export const MANIFEST_BYTES_MAX = 1024 * 1024;
export const CHUNKS_PER_RECORDING_MAX = 20_000;
const DIGEST_BYTES = 32;

/** A manifest whose form and limits hold. Nothing in it may be believed before `verifyManifest`. */
export type ReceivedManifest = {
  /** Digest of the whole message as it came: names this manifest in quarantine and as evidence. */
  readonly digest: Digest;
  /** The message as it came. */
  readonly bytes: Uint8Array;
  readonly signed: SignedManifest;
  readonly vehicleId: string;
  readonly eventId: string;
  readonly recording: Digest;
  readonly priority: Priority;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly chunks: readonly Digest[];
};

/** @throws FleetError INGEST_MANIFEST_MALFORMED, INGEST_LIMIT */
export function decodeManifest(bytes: Uint8Array, recordingBytesMax: number): ReceivedManifest {
  if (bytes.length > MANIFEST_BYTES_MAX)
    throw new FleetError('INGEST_LIMIT', `the manifest has ${bytes.length} bytes, more than ${MANIFEST_BYTES_MAX}`);
  const { signed, manifest } = decode(bytes);
  const sizeBytes = Number(manifest.sizeBytes);
  if (sizeBytes > recordingBytesMax)
    throw new FleetError('INGEST_LIMIT', `the recording has ${sizeBytes} bytes, more than ${recordingBytesMax}`);
  if (manifest.chunkDigests.length > CHUNKS_PER_RECORDING_MAX) {
    throw new FleetError(
      'INGEST_LIMIT',
      `the manifest lists ${manifest.chunkDigests.length} chunks, more than ${CHUNKS_PER_RECORDING_MAX}`,
    );
  }
  checkForm(manifest, sizeBytes);
  return {
    digest: digestOfBytes(bytes),
    bytes,
    signed,
    vehicleId: manifest.vehicleId,
    eventId: manifest.eventId,
    recording: digestFromBytes(manifest.recordingDigest),
    priority: priorityOf(manifest.priority),
    sizeBytes,
    chunkSizeBytes: manifest.chunkSizeBytes,
    chunks: manifest.chunkDigests.map(digestFromBytes),
  };
}

/**
 * Checks that the enrolled vehicle of the subject signed this manifest about itself.
 * @throws FleetError INGEST_MANIFEST_SIGNATURE, INGEST_VEHICLE_MISMATCH
 */
export function verifyManifest(manifest: ReceivedManifest, enrolled: EnrolledVehicle): void {
  const { publicKey, signature, manifest: signedBytes } = manifest.signed;
  if (publicKey !== enrolled.publicKey) {
    throw new FleetError(
      'INGEST_MANIFEST_SIGNATURE',
      `the manifest of ${manifest.recording} is signed by another key than the one that ${enrolled.vehicleId} enrolled with`,
    );
  }
  if (!isSignedByUser(enrolled.publicKey, signedBytes, signature)) {
    throw new FleetError(
      'INGEST_MANIFEST_SIGNATURE',
      `the signature of the manifest of ${manifest.recording} does not verify: it was altered or forged`,
    );
  }
  if (manifest.vehicleId !== enrolled.vehicleId) {
    throw new FleetError(
      'INGEST_VEHICLE_MISMATCH',
      `${enrolled.vehicleId} sent a manifest that speaks for ${manifest.vehicleId}`,
    );
  }
}

function decode(bytes: Uint8Array): { readonly signed: SignedManifest; readonly manifest: Manifest } {
  try {
    const signed = fromBinary(SignedManifestSchema, bytes);
    return { signed, manifest: fromBinary(ManifestSchema, signed.manifest) };
  } catch (cause) {
    throw malformed('it is not a protobuf SignedManifest', cause);
  }
}

function checkForm(manifest: Manifest, sizeBytes: number): void {
  if (manifest.version !== MANIFEST_VERSION)
    throw malformed(`it has version ${manifest.version}, expected ${MANIFEST_VERSION}`);
  if (manifest.recordingDigest.length !== DIGEST_BYTES)
    throw malformed('the digest of the recording is not 32 bytes long');
  if (manifest.chunkDigests.some((digest) => digest.length !== DIGEST_BYTES))
    throw malformed('the digest of a chunk is not 32 bytes long');
  if (manifest.chunkSizeBytes < 1 || manifest.chunkSizeBytes > CHUNK_SIZE_BYTES_MAX) {
    throw malformed(`chunks of ${manifest.chunkSizeBytes} bytes are not between 1 and ${CHUNK_SIZE_BYTES_MAX}`);
  }
  const expected = Math.ceil(sizeBytes / manifest.chunkSizeBytes);
  if (sizeBytes < 1 || manifest.chunkDigests.length !== expected) {
    throw malformed(
      `${sizeBytes} bytes in chunks of ${manifest.chunkSizeBytes} make ${expected} chunks, but it lists ${manifest.chunkDigests.length}`,
    );
  }
  try {
    parseVehicleId(manifest.vehicleId);
    parseEventId(manifest.eventId);
  } catch (cause) {
    throw malformed(FleetError.from(cause).message, cause);
  }
}

/** What a manifest says of its class is a wish; one that we do not know waits behind all others. */
function priorityOf(text: string): Priority {
  return PRIORITIES.find((priority) => priority === text) ?? 'bulk';
}

function malformed(why: string, cause?: unknown): FleetError {
  return new FleetError('INGEST_MANIFEST_MALFORMED', `the manifest is malformed: ${why}`, { cause });
}
