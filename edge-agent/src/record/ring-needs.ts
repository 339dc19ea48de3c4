/** What pending events and later pre-windows still need of a ring; the rest goes. */
import type { ClaimingCampaigns } from './claiming-campaigns.ts';
import type { EventWindow } from './event-windows.ts';
import type { SessionRing } from './session-ring.ts';
import type { StoredSession } from './stored-session.ts';
import { topicPlanOf } from './topic-plan.ts';

/** Columns of messages stay in memory for the longest pre-window that a campaign may ask for. */
const HELD_NS = 120_000 * 1e6;

export type KeptRing = {
  readonly ring: SessionRing;
  readonly stored: StoredSession | undefined;
  readonly campaigns: ClaimingCampaigns;
};

/** Frees what no pending event and no later pre-window can need. */
export function trimRing({ ring, stored, campaigns }: KeptRing, now: number, first: EventWindow | undefined): void {
  const pre = now - Number(campaigns.preNsMax);
  const firstStart = first === undefined ? Number.POSITIVE_INFINITY : ring.offsetOf(first.startNs);
  const needed = Math.min(pre, firstStart);
  ring.trim(needed, stored === undefined ? needed : Math.min(needed, now - HELD_NS));
  stored?.keepFrom(needed, firstStart);
}

/** What open events want is chosen bit by bit, as closing one must not hold up the messages behind it. */
export function selectAhead({ ring, campaigns }: KeptRing, open: readonly EventWindow[]): void {
  ring.selectAhead(
    open.map((window) => ({
      span: { start: ring.offsetOf(window.startNs), end: ring.offsetOf(window.endNs) },
      plan: topicPlanOf(campaigns.of(window)),
    })),
  );
}
