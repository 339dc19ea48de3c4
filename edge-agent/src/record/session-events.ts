/** The events of one session, from the claim of a trigger to the recording that is settled. Changed in place. */
import type { Campaign, RecordingCut } from '@fleetloop/schemas';
import type { ClaimingCampaigns } from './claiming-campaigns.ts';
import {
  closeEarly,
  type ClosingStep,
  type EarlyClosings,
  markStale,
  nextEarlyNs,
  NOTHING_EARLY,
  settleWindows,
} from './early-closing.ts';
import type { EventCloser } from './event-closer.ts';
import {
  claimWindow,
  closeWindows,
  completeWindows,
  type EventWindow,
  type EventWindows,
  nextCompletionNs,
  NO_WINDOWS,
  splitWindows,
  type WindowClaim,
} from './event-windows.ts';
import { timeAt } from './message-record.ts';
import type { RecorderEffect } from './recorder-effects.ts';
import type { SessionRing } from './session-ring.ts';

const NS_PER_MS = 1_000_000n;

export type SessionEventsOptions = {
  readonly ring: SessionRing;
  readonly campaigns: ClaimingCampaigns;
  readonly closer: EventCloser;
  /** It can be read again from its start: nothing is closed early. */
  readonly isReplayable: boolean;
  readonly firstNs: bigint;
};

export class SessionEvents {
  readonly #options: SessionEventsOptions;
  #windows: EventWindows = NO_WINDOWS;
  #early: EarlyClosings = NOTHING_EARLY;
  /** Earliest time that an event may still claim: behind the session's start and what is recorded for good. */
  #floorNs: bigint;
  /** Time at which the windows have to be looked at again; a distance from the ring's base. */
  #due = Number.POSITIVE_INFINITY;

  constructor(options: SessionEventsOptions) {
    this.#options = options;
    this.#floorNs = options.firstNs;
  }

  get due(): number {
    return this.#due;
  }
  get pending(): readonly EventWindow[] {
    return this.#windows.pending;
  }
  /** Pending events of which no recording is closed. */
  get open(): readonly EventWindow[] {
    return this.#windows.pending.filter((window) => !this.isClosed(window));
  }

  /** Whether it is recorded already, though a later trigger may still reach into it. */
  isClosed(window: EventWindow): boolean {
    return this.#early.closed.has(window);
  }

  /** A campaign fired; undefined when the moment came out of order and lies whole within an event that is recorded for good. */
  claim(campaign: Campaign, timeNs: bigint): WindowClaim | undefined {
    const wantedNs = timeNs - BigInt(campaign.preWindowMs) * NS_PER_MS;
    const floorNs = this.#heldFromNs();
    const startNs = wantedNs < floorNs ? floorNs : wantedNs;
    const endNs = timeNs + BigInt(campaign.postWindowMs) * NS_PER_MS;
    if (endNs < startNs) return undefined;
    const eventNsMax = BigInt(campaign.eventMsMax) * NS_PER_MS;
    const claim = { campaignId: campaign.id, timeNs, startNs, endNs, eventNsMax };
    this.#windows = claimWindow(this.#windows, claim);
    this.#options.campaigns.claim(campaign);
    this.plan();
    return claim;
  }

  /** A message of that time came after a later one. */
  late(timeNs: bigint): void {
    if (this.#early.parts.length > 0) this.#early = markStale(this.#early, timeNs);
  }

  /** Records what is complete at `nowNs`, and early what a live session may still extend. */
  complete(nowNs: bigint): readonly RecorderEffect[] {
    const completed = completeWindows(this.#windows, nowNs, this.#options.campaigns.preNsMax);
    this.#windows = completed.state;
    const settled = this.#settle(completed.events);
    if (this.#options.isReplayable) return settled;
    const closed = closeEarly(this.#early, this.#windows, nowNs);
    this.#early = closed.early;
    this.plan();
    return [...settled, ...this.#follow(closed.steps)];
  }

  /** Open events are cut here and written; what follows continues them. */
  cut(nowNs: bigint, why: RecordingCut): readonly RecorderEffect[] {
    const split = splitWindows(this.#windows, nowNs);
    this.#windows = split.state;
    return this.#settle(split.events, why);
  }

  /** The session is over: post-windows are cut off here. */
  end(nowNs: bigint): readonly RecorderEffect[] {
    const events = closeWindows(this.#windows, nowNs);
    this.#windows = NO_WINDOWS;
    return this.#settle(events);
  }

  /** Works out anew when the windows have to be looked at. */
  plan(): void {
    const { campaigns, isReplayable, ring } = this.#options;
    const dueNs = [
      nextCompletionNs(this.#windows, campaigns.preNsMax),
      isReplayable ? undefined : nextEarlyNs(this.#early, this.#windows),
    ];
    this.#due = Math.min(...dueNs.map((ns) => (ns === undefined ? Number.POSITIVE_INFINITY : ring.offsetOf(ns))));
  }

  /** The events cannot change any more. */
  #settle(events: readonly EventWindow[], why?: RecordingCut): readonly RecorderEffect[] {
    const { early, steps } = settleWindows(this.#early, events);
    this.#early = early;
    const effects = this.#follow(steps, why);
    for (const { endNs } of events) if (this.#floorNs <= endNs) this.#floorNs = endNs + 1n;
    this.#options.campaigns.keepOnly(this.#windows.pending);
    this.plan();
    return effects;
  }

  #follow(steps: readonly ClosingStep[], why?: RecordingCut): readonly RecorderEffect[] {
    const cut = why === undefined ? undefined : { why, pending: this.#windows.pending };
    return this.#options.closer.follow(steps, cut);
  }

  #heldFromNs(): bigint {
    const { droppedUntil, base } = this.#options.ring;
    const heldNs = Number.isFinite(droppedUntil) ? timeAt(base, droppedUntil) + 1n : this.#floorNs;
    return heldNs > this.#floorNs ? heldNs : this.#floorNs;
  }
}
