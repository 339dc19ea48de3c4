/** What the recorder hands on: recordings that are complete, and what becomes of those that were closed early. */
import type { Campaign, EventId, Priority, RecordingMetadata } from '@fleetloop/schemas';
import type { ByteSink } from '../ports.ts';
import type { Gap } from './gaps.ts';

/** What of a campaign shapes its recordings. */
export type RecordedCampaign = Pick<Campaign, 'id' | 'priority' | 'topics' | 'decimation' | 'brief' | 'uploadWithinMs'>;

/** A recording that is complete and goes to the spool. */
export type ClosedRecording = {
  readonly id: EventId;
  readonly priority: Priority;
  readonly session: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly campaignIds: readonly string[];
  readonly triggers: readonly { readonly campaignId: string; readonly timeNs: bigint }[];
  readonly gaps: readonly Gap[];
  readonly metadata: RecordingMetadata;
  /** Messages in the file, latched context included. */
  readonly messages: number;
  /** Smallest of its campaigns'; the uplink prefers it as this runs out. */
  readonly uploadWithinMs?: number;
  /** Writes the whole MCAP file; may be called again after a failure until `release()`. @throws FleetError SPOOL_CORRUPT and what the sink throws */
  readonly write: (sink: ByteSink) => Promise<{ readonly sizeBytes: number }>;
  /** The claim on the ring may go: the recording is on disk or given up. */
  readonly release: () => void;
};

/** What the recorder asks to be done, in order. */
export type RecorderEffect =
  /** `isSettled` is false when it was closed at the end of its post-window: a later trigger that overlaps may replace it. */
  | { readonly kind: 'close'; readonly recording: ClosedRecording; readonly isSettled: boolean }
  /** It cannot be extended any more: it may be uploaded. */
  | { readonly kind: 'settle'; readonly eventId: EventId }
  /** It became part of another event, whose recording holds its messages. */
  | { readonly kind: 'withdraw'; readonly eventId: EventId; readonly into: EventId };
