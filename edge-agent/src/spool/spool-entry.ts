/** What the spool knows of a recording while it waits, and what it remembers when it is gone. */
import { type Digest, type EventId, lossName, type Priority } from '@fleetloop/schemas';
import type { ByteSink } from '../ports.ts';

/** Chunks of one recording: their digests fit into one message of 1 MiB; with 64 KiB each it bounds a recording at 2.0 GB. */
export const CHUNKS_MAX = 30_600;

/** A recording as far as the spool must know it; `write` may be called again after a failure. */
export type SpoolableRecording = {
  readonly id: EventId;
  readonly priority: Priority;
  readonly session: string;
  /** The event's interval on the session's clock. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly campaignIds: readonly string[];
  /** Messages in the file, as far as it is known. */
  readonly messages?: number;
  /** Smallest of its campaigns. */
  readonly uploadWithinMs?: number;
  /** Writes the whole file. */
  readonly write: (sink: ByteSink) => Promise<{ readonly sizeBytes: number }>;
};

/** A recording that waits to be uploaded. */
export type SpoolEntry = {
  readonly eventId: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** All chunks but the last have this size. */
  readonly chunkSizeBytes: number;
  readonly chunkDigests: readonly Digest[];
  readonly priority: Priority;
  readonly session: string;
  readonly campaignIds: readonly string[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Messages in the file, as far as it is known. */
  readonly messages?: number;
  readonly uploadWithinMs?: number;
  /** Wall clock when it was on disk, ms since the Unix epoch. */
  readonly capturedAtMs: number;
  /** Counts up in the order of capture. */
  readonly order: number;
  /** Which file of the event it is: a longer recording of the same event gets the next number. */
  readonly generation: number;
  /** Found on disk at the start: parts of it may be in the cloud already. */
  readonly isResumed: boolean;
  /** It will not change any more and may be uploaded. */
  readonly isSettled: boolean;
  /** The relay that said it has it (second receipt). */
  readonly storedAt?: string;
  /** As in its outcome. */
  readonly tombstonesBefore?: number;
};

export const OUTCOMES = ['verified', 'refused', 'evicted', 'quarantined', 'withdrawn'] as const;

/** What is still known of a recording that is gone. */
type GoneRecording = {
  /** Null when it was never written as a whole. */
  readonly digest: Digest | null;
  readonly sizeBytes: number;
  readonly priority: Priority;
  readonly session: string;
  readonly campaignIds: readonly string[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly atMs: number;
};

/** The end of a recording on this vehicle. One of `evicted` or `quarantined` is a loss that the cloud must be told. */
export type Outcome = GoneRecording & {
  readonly id: string;
  readonly outcome: (typeof OUTCOMES)[number];
  /** Sequence of the ledger entry that took the recording in, as text; only for `verified`. */
  readonly ledgerSequence?: string;
  /** The event that it became part of; only for `withdrawn`. */
  readonly into?: string;
  readonly code?: string;
  readonly reason?: string;
  /** Losses of the event before this one: it came again each time as what it had become, and was given up again. */
  readonly tombstonesBefore?: number;
};

/** A loss that the cloud has not confirmed yet. */
export type TombstoneEntry = GoneRecording & {
  /** Name of the loss, as `tombstoneId` makes it, or of the tombstone itself when it counts several. */
  readonly eventId: string;
  readonly code: string;
  readonly reason: string;
  /** Recordings that it stands for. */
  readonly count: number;
};

/** What became of an event on this vehicle. */
export type Explanation =
  | { readonly kind: 'queued'; readonly entry: SpoolEntry }
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly isTold: boolean }
  /** Lies on disk and is looked at since the start. */
  | { readonly kind: 'adopting' }
  | { readonly kind: 'unknown' };

/**
 * The name of a loss: the event's own at first. The cloud keeps one tombstone of a name, and the one before may be on its way to it
 * now, so that what was given up again needs another.
 */
export const tombstoneId = ({ id, tombstonesBefore = 0 }: Pick<Outcome, 'id' | 'tombstonesBefore'>): string =>
  lossName(id, tombstonesBefore);

/** What an end says of the recording that it is the end of. */
export type Origin = Omit<Outcome, 'outcome' | 'atMs'>;

export function originOf(entry: SpoolEntry): Origin {
  const { eventId, digest, sizeBytes, priority, session, campaignIds, startNs, endNs } = entry;
  return { id: eventId, digest, sizeBytes, priority, session, campaignIds, startNs, endNs, ...tombstonesOf(entry) };
}

/** Of a recording that never was a whole file here. */
export function originOfLost(recording: SpoolableRecording, id: string): Origin {
  const { priority, session, campaignIds, startNs, endNs } = recording;
  return { id, digest: null, sizeBytes: 0, priority, session, campaignIds, startNs, endNs };
}

export const tombstonesOf = (entry: SpoolEntry | undefined): { readonly tombstonesBefore?: number } =>
  entry?.tombstonesBefore === undefined ? {} : { tombstonesBefore: entry.tombstonesBefore };

/** Losses of an event after this end, as the next one counts them. */
export function tombstonesAfter(outcome: Outcome | undefined): { readonly tombstonesBefore?: number } {
  if (outcome === undefined) return {};
  const count = (outcome.tombstonesBefore ?? 0) + (isLoss(outcome) ? 1 : 0);
  return count === 0 ? {} : { tombstonesBefore: count };
}

/** Whether the cloud must be told of it. */
export const isLoss = ({ outcome }: Outcome): boolean => outcome === 'evicted' || outcome === 'quarantined';
