/** Reads a recording once, from end to end, and says what is in it; whatever is not a whole recording of ours is refused. */
import { FleetError, type RecordingMetadata, type SourceMessage, type TimeOfDay } from '@fleetloop/schemas';
import { fromMetadataRecords, scanRecording } from '@fleetloop/schemas/recording';
import type { CheckReport } from '../quality/finding.ts';
import type { RecordingFacts } from '../quality/judged.ts';
import { metadataFacts } from '../quality/metadata-facts.ts';
import { boundedForms, type TopicForm } from '../quality/topic-form.ts';
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
  /** What its topics look like, within limits; none where no standard was asked. */
  readonly forms: readonly TopicForm[];
};

/** What the sender has said of the recording. */
export type RecordingClaim = { readonly vehicleId: string; readonly eventId: string };

/** One recording held against a quality standard while it is read. */
export interface StandardCheck {
  push(message: SourceMessage): void;
  forms(): readonly TopicForm[];
  finish(facts: RecordingFacts): CheckReport;
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
  const {
    metadata: records,
    channels,
    ...scan
  } = await scanRecording(bytes, standard === undefined ? undefined : visit);
  const { messages, startNs, endNs, topics } = scan;
  if (startNs === undefined) throw new FleetError('INGEST_MCAP_INVALID', 'the recording holds no message');
  const metadata = fromMetadataRecords(records);
  const timeOfDay = timeOfDayOf(metadata, position.found);
  const forms = boundedForms(standard?.forms() ?? []).topics;
  const report = standard?.finish({ ...metadataFacts(records), declared: channels });
  return { metadata, messages, startNs, endNs, topics, timeOfDay, report, forms };
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
