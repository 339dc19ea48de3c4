/**
 * Which recordings go when there is no room: a pure function of priority, claims, upload state, age, size and the floor of safety
 * recordings, within the quota and a hard reserve of the file system.
 */
import { PRIORITIES, type Priority } from '@fleetloop/schemas';

export type EvictionCandidate = {
  readonly eventId: string;
  readonly priority: Priority;
  readonly sizeBytes: number;
  /** Counts up in the order of capture. */
  readonly order: number;
  /** A refused copy is evidence but of no more use to the cloud; a stored one lies in the region too. */
  readonly state: 'refused' | 'stored' | 'queued';
  /** False while the recorder still claims it: it may become longer. */
  readonly isSettled: boolean;
};

export type EvictionPlan =
  | { readonly kind: 'fits'; readonly evict: readonly string[] }
  /** Everything that could make room matters more than the newcomer. */
  | { readonly kind: 'refused' };

export type Newcomer = {
  readonly priority: Priority;
  readonly sizeBytes: number;
  /** Bytes that the file system still takes, the newcomer not counted. */
  readonly freeBytes: number;
};

export type Room = {
  readonly quotaBytes: number;
  /** Bytes of the quota that are there for safety recordings, used or not. */
  readonly safetyFloorBytes: number;
  /** Bytes of the file system that stay free. */
  readonly reserveBytes: number;
};

/** Bytes of recordings on disk. */
export type Used = { readonly bytes: number; readonly safetyBytes: number };

/** Bytes that must go before the newcomer fits; 0 or less when it fits as it is. */
export function missingBytes(used: Used, newcomer: Newcomer, room: Room): number {
  const isSafety = newcomer.priority === 'safety';
  const keptForSafety = isSafety ? 0 : Math.max(0, room.safetyFloorBytes - used.safetyBytes);
  const overQuota = used.bytes + newcomer.sizeBytes - (room.quotaBytes - keptForSafety);
  const reserve = isSafety ? room.reserveBytes / 2 : room.reserveBytes;
  return Math.max(overQuota, reserve - (newcomer.freeBytes - newcomer.sizeBytes));
}

/**
 * Refused copies go first; then bulk before normal before safety; of one priority what a relay has before what it has not, settled
 * before unsettled, the oldest first. A queued recording never goes for one of lower priority. What turns out to be more than is
 * needed is spared again, the most worth first, so that a small recording does not go beside a large one for nothing.
 */
export function planEviction(
  candidates: readonly EvictionCandidate[],
  newcomer: Newcomer,
  neededBytes: number,
): EvictionPlan {
  if (neededBytes <= 0) return { kind: 'fits', evict: [] };
  const going: EvictionCandidate[] = [];
  let freedBytes = 0;
  for (const candidate of candidates.toSorted(byWorth)) {
    if (freedBytes >= neededBytes) break;
    if (candidate.state !== 'refused' && rank(candidate.priority) < rank(newcomer.priority)) break;
    going.push(candidate);
    freedBytes += candidate.sizeBytes;
  }
  if (freedBytes < neededBytes) return { kind: 'refused' };
  const evict = going.toReversed().filter((candidate) => {
    if (freedBytes - candidate.sizeBytes < neededBytes) return true;
    freedBytes -= candidate.sizeBytes;
    return false;
  });
  return { kind: 'fits', evict: evict.toReversed().map((candidate) => candidate.eventId) };
}

/** Least worth first. */
function byWorth(a: EvictionCandidate, b: EvictionCandidate): number {
  return (
    Number(b.state === 'refused') - Number(a.state === 'refused') ||
    rank(b.priority) - rank(a.priority) ||
    Number(b.state === 'stored') - Number(a.state === 'stored') ||
    Number(b.isSettled) - Number(a.isSettled) ||
    a.order - b.order
  );
}

export const mattersMore = (priority: Priority, than: Priority): boolean => rank(priority) < rank(than);

/** 0 is the highest priority. */
const rank = (priority: Priority): number => PRIORITIES.indexOf(priority);
