/** Reads a recording once, from end to end, and says what is in it; whatever is not a whole recording of ours is refused. */
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { fromMetadataRecords, scanRecording } from '@fleetloop/schemas/recording';

export type RecordingSummary = {
  readonly metadata: RecordingMetadata;
  readonly messages: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Messages per topic. */
  readonly topics: Readonly<Record<string, number>>;
};

/** What the sender has said of the recording. */
export type RecordingClaim = { readonly vehicleId: string; readonly eventId: string };

/**
 * Checks structure, CRCs, statistics and metadata with memory bounded by one MCAP chunk.
 * @throws FleetError INGEST_MCAP_INVALID, INGEST_METADATA_MISSING, INGEST_LIMIT
 */
export async function checkRecording(bytes: AsyncIterable<Uint8Array>): Promise<RecordingSummary> {
  const { metadata, messages, startNs, endNs, topics } = await scanRecording(bytes);
  if (startNs === undefined) throw new FleetError('INGEST_MCAP_INVALID', 'the recording holds no message');
  return { metadata: fromMetadataRecords(metadata), messages, startNs, endNs, topics };
}

/**
 * Holds what a recording says about itself against what its sender claimed.
 * @throws FleetError INGEST_VEHICLE_MISMATCH, INGEST_METADATA_MISSING
 */
export function checkClaim(metadata: RecordingMetadata, claim: RecordingClaim): void {
  if (metadata.vehicle.id !== claim.vehicleId) {
    throw new FleetError('INGEST_VEHICLE_MISMATCH', `${claim.vehicleId} sent a recording of ${metadata.vehicle.id}`);
  }
  if (metadata.event?.id !== claim.eventId) {
    throw new FleetError(
      'INGEST_METADATA_MISSING',
      `the manifest names event ${claim.eventId} but the recording names ${metadata.event?.id ?? 'none'}`,
    );
  }
}
