/** Reads a recording once, from end to end, and says what is in it; whatever is not a whole recording of ours is refused. */
import { FleetError, type RecordingMetadata, type SourceMessage, type TimeOfDay } from '@fleetloop/schemas';
import { fromMetadataRecords, scanRecording } from '@fleetloop/schemas/recording';
import type { CheckReport } from '../quality/finding.ts';
import { PositionSighting, timeOfDayOf } from './time-of-day.ts';

export type RecordingSummary = {
  readonly metadata: RecordingMetadata;
  readonly messages: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Messages per topic. */
  readonly topics: Readonly<Record<string, number>>;
  readonly timeOfDay: TimeOfDay | undefined;
  /** What the quality standard says; undefined where none was asked. */
  readonly report: CheckReport | undefined;
};

/** What the sender has said of the recording. */
export type RecordingClaim = { readonly vehicleId: string; readonly eventId: string };

/** One recording held against a quality standard while it is read. */
export interface StandardCheck {
  push(message: SourceMessage): void;
  finish(facts: { readonly metadata: RecordingMetadata | undefined; readonly messages: number }): CheckReport;
}

/**
 * Checks structure, CRCs, statistics and metadata with memory bounded by one MCAP chunk. With `standard` the content is looked at,
 * too: without it no message is made, which a relay asks for.
 * @throws FleetError INGEST_MCAP_INVALID, INGEST_METADATA_MISSING, INGEST_LIMIT
 */
export async function checkRecording(
  bytes: AsyncIterable<Uint8Array>,
  standard?: StandardCheck,
): Promise<RecordingSummary> {
  const position = new PositionSighting();
  const visit = (message: SourceMessage): void => {
    position.push(message);
    standard?.push(message);
  };
  const { metadata: records, ...scan } = await scanRecording(bytes, standard === undefined ? undefined : visit);
  const { messages, startNs, endNs, topics } = scan;
  if (startNs === undefined) throw new FleetError('INGEST_MCAP_INVALID', 'the recording holds no message');
  const metadata = fromMetadataRecords(records);
  const timeOfDay = timeOfDayOf(metadata, position.found);
  const report = standard?.finish({ metadata, messages });
  return { metadata, messages, startNs, endNs, topics, timeOfDay, report };
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
