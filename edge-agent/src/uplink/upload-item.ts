/** What the uplink brings to the cloud: recordings in chunks, and tombstones of those that will never come. */
import type { Priority } from '@fleetloop/schemas';
import type { SpoolEntry, TombstoneEntry } from '../spool/spool-entry.ts';

export type UploadItem =
  | { readonly kind: 'recording'; readonly entry: SpoolEntry }
  | { readonly kind: 'tombstone'; readonly entry: TombstoneEntry };

/** Tells uploads apart: an event may have a recording, or a tombstone, or one after the other. */
export function keyOf(item: UploadItem): string {
  return item.kind === 'recording' ? item.entry.eventId : `tombstone:${item.entry.eventId}`;
}

/** Whether both stand for the same bytes; an event that was extended comes again with others. */
export function isSameItem(left: UploadItem, right: UploadItem): boolean {
  if (left.kind === 'tombstone' || right.kind === 'tombstone') return left.kind === right.kind;
  return left.entry.digest === right.entry.digest;
}

/** The bytes of one chunk; only the last is shorter. */
export function chunkBytes(entry: SpoolEntry, index: number): number {
  return Math.min(entry.chunkSizeBytes, entry.sizeBytes - index * entry.chunkSizeBytes);
}

/** Subject, headers and framing of one message, estimated high: what a budget counts beside the payload. */
export const MESSAGE_OVERHEAD_BYTES = 256;
const DIGEST_BYTES = 32;
const MANIFEST_BASE_BYTES = 512;

/** The size of a manifest or tombstone message, estimated high. */
export function manifestBytes(item: UploadItem): number {
  const digests = item.kind === 'recording' ? item.entry.chunkDigests.length * (DIGEST_BYTES + 2) : 0;
  return MANIFEST_BASE_BYTES + digests + MESSAGE_OVERHEAD_BYTES;
}

/** How many times the bytes of a question a doubt must be worth before it is asked. */
const DOUBT_WORTH = 4;

/** With more chunks in doubt after a cut than this, asking is cheaper than sending them again. */
export function doubtfulMax(entry: SpoolEntry): number {
  return Math.floor((DOUBT_WORTH * manifestBytes({ kind: 'recording', entry })) / entry.chunkSizeBytes);
}

/** What the uplink needs of the disk queue. */
export interface UploadSpool {
  /** In the order of capture; only settled ones are sent. */
  entries(): readonly SpoolEntry[];
  tombstones(): readonly TombstoneEntry[];
  /** Called when a recording or a tombstone came, went or changed. */
  onChange(listener: () => void): void;
  /** @throws FleetError SPOOL_CORRUPT when the file is shorter than it was */
  readChunk(entry: SpoolEntry, index: number): Promise<Uint8Array>;
  stored(eventId: string, relay: string): Promise<void>;
  verified(eventId: string, ledgerSequence: bigint): Promise<void>;
  refused(eventId: string, code: string, reason: string): Promise<void>;
  quarantine(eventId: string, code: string, reason: string): Promise<void>;
  tombstoneDelivered(eventId: string): Promise<void>;
}

export type LaneName = Priority | 'tombstone';
