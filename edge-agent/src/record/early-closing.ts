/**
 * Events of a live session are recorded as soon as their post-window is over, long before it is sure that no later trigger reaches
 * back into them. What was recorded early is settled as it is, recorded anew, or withdrawn into the event that swallowed it. Pure.
 */
import { anchorOf, type EventWindow, type EventWindows, partsOf } from './event-windows.ts';

/** What was recorded early and is not settled. */
export type EarlyClosings = {
  /** Pending events of which all parts are recorded. */
  readonly closed: ReadonlySet<EventWindow>;
  readonly parts: readonly EarlyPart[];
};

export type EarlyPart = {
  readonly window: EventWindow;
  /** A message came late into its interval: the recording lacks it. */
  readonly isStale: boolean;
};

export const NOTHING_EARLY: EarlyClosings = { closed: new Set(), parts: [] };

/** What to do with the recording of a window. Events are named by the anchors of their windows. */
export type ClosingStep =
  | { readonly kind: 'close'; readonly window: EventWindow; readonly isSettled: boolean }
  | { readonly kind: 'settle'; readonly window: EventWindow }
  | { readonly kind: 'withdraw'; readonly window: EventWindow; readonly into: EventWindow };

export type Closed = { readonly early: EarlyClosings; readonly steps: readonly ClosingStep[] };

/** Closes the pending events of which the post-window is over at `nowNs`, once. */
export function closeEarly(early: EarlyClosings, windows: EventWindows, nowNs: bigint): Closed {
  const due = windows.pending.filter((event) => event.endNs < nowNs && !early.closed.has(event));
  const closed = new Set([...windows.pending.filter((event) => early.closed.has(event)), ...due]);
  let parts = early.parts;
  const steps: ClosingStep[] = [];
  for (const event of due) {
    const next = partsOf(event);
    steps.push(...recordAll(next, parts, false));
    parts = [...outside(parts, event), ...next.map((window) => ({ window, isStale: false }))];
  }
  return { early: { closed, parts }, steps };
}

/** The events are complete: nothing can change them any more. */
export function settleWindows(early: EarlyClosings, events: readonly EventWindow[]): Closed {
  let { parts } = early;
  const steps: ClosingStep[] = [];
  for (const event of events) {
    steps.push(...recordAll([event], parts, true));
    parts = outside(parts, event);
  }
  return { early: { closed: early.closed, parts }, steps };
}

/** A message of that time came after the event was recorded. */
export function markStale(early: EarlyClosings, timeNs: bigint): EarlyClosings {
  const isHit = ({ window }: EarlyPart): boolean => window.startNs <= timeNs && timeNs <= window.endNs;
  if (!early.parts.some((part) => !part.isStale && isHit(part))) return early;
  return { ...early, parts: early.parts.map((part) => (isHit(part) ? { ...part, isStale: true } : part)) };
}

/** The earliest end of a post-window that is not closed, ns. */
export function nextEarlyNs(early: EarlyClosings, windows: EventWindows): bigint | undefined {
  const ends = windows.pending.filter((event) => !early.closed.has(event)).map((event) => event.endNs + 1n);
  return ends.length === 0 ? undefined : ends.reduce((least, each) => (each < least ? each : least));
}

function recordAll(
  next: readonly EventWindow[],
  before: readonly EarlyPart[],
  isSettled: boolean,
): readonly ClosingStep[] {
  const steps: ClosingStep[] = [];
  for (const window of next) {
    const known = before.find((part) => anchorOf(part.window) === anchorOf(window));
    const isRecorded = known !== undefined && !known.isStale && isSame(known.window, window);
    if (!isRecorded) steps.push({ kind: 'close', window, isSettled });
    else if (isSettled) steps.push({ kind: 'settle', window });
  }
  const anchors = new Set(next.map(anchorOf));
  for (const { window } of before) {
    const into = next.find((each) => each.startNs <= window.startNs && window.startNs <= each.endNs);
    if (into !== undefined && !anchors.has(anchorOf(window))) steps.push({ kind: 'withdraw', window, into });
  }
  return steps;
}

const outside = (parts: readonly EarlyPart[], event: EventWindow): readonly EarlyPart[] =>
  parts.filter(({ window }) => window.startNs < event.startNs || window.startNs > event.endNs);

function isSame(first: EventWindow, second: EventWindow): boolean {
  return (
    first.startNs === second.startNs &&
    first.endNs === second.endNs &&
    first.continuesNs === second.continuesNs &&
    first.triggers.length === second.triggers.length &&
    first.campaignIds.length === second.campaignIds.length
  );
}
