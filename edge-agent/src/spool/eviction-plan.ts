/** Which recordings go when the quota is reached: a pure function of priority, upload state, age and size. */
import { PRIORITIES, type Priority } from '@fleetloop/schemas';

export type EvictionCandidate = {
  readonly eventId: string;
  readonly priority: Priority;
  readonly sizeBytes: number;
  /** Counts up in the order of capture. */
  readonly order: number;
  /** Verified copies exist elsewhere and go first; a refused one is evidence but of no more use to the cloud. */
  readonly state: 'queued' | 'verified' | 'refused';
};

export type EvictionPlan =
  | { readonly kind: 'fits'; readonly evict: readonly string[] }
  /** Everything that could make room matters more than the newcomer. */
  | { readonly kind: 'refused' };

export type Newcomer = { readonly priority: Priority; readonly sizeBytes: number };

/**
 * Verified copies go first, then refused ones, then bulk before normal before safety, the oldest first. A queued recording never
 * goes for one of lower priority.
 */
export function planEviction(
  candidates: readonly EvictionCandidate[],
  newcomer: Newcomer,
  quotaBytes: number,
): EvictionPlan {
  let usedBytes = candidates.reduce((sum, candidate) => sum + candidate.sizeBytes, 0);
  const evict: string[] = [];
  for (const candidate of candidates.toSorted(byWorth)) {
    if (usedBytes + newcomer.sizeBytes <= quotaBytes) break;
    if (candidate.state === 'queued' && rank(candidate.priority) < rank(newcomer.priority)) break;
    evict.push(candidate.eventId);
    usedBytes -= candidate.sizeBytes;
  }
  return usedBytes + newcomer.sizeBytes <= quotaBytes ? { kind: 'fits', evict } : { kind: 'refused' };
}

const STATE_ORDER = { verified: 0, refused: 1, queued: 2 } as const;

/** Least worth first. */
function byWorth(a: EvictionCandidate, b: EvictionCandidate): number {
  return STATE_ORDER[a.state] - STATE_ORDER[b.state] || rank(b.priority) - rank(a.priority) || a.order - b.order;
}

/** 0 is the highest priority. */
const rank = (priority: Priority): number => PRIORITIES.indexOf(priority);
