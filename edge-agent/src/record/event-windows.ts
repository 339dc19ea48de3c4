/**
 * The arithmetic of event windows: a trigger claims an interval around its time, overlapping intervals become one event, and
 * an event is complete when no later trigger can overlap it any more. Times are ns on the session's clock, intervals closed.
 */

/** Most triggers that one event lists; a longer chain is cut, so that metadata stays small. */
export const TRIGGERS_PER_EVENT_MAX = 2_000;

export type EventTrigger = { readonly campaignId: string; readonly timeNs: bigint };

/** What one trigger asks for. */
export type WindowClaim = EventTrigger & {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Longest recording that its campaign wants. */
  readonly eventNsMax: bigint;
};

/** An interval claimed by one or more triggers. */
export type EventWindow = {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Campaigns that claimed any part of the chain. */
  readonly campaignIds: readonly string[];
  /** In order of time. */
  readonly triggers: readonly EventTrigger[];
  readonly eventNsMax: bigint;
  /** Anchor of the first part, set on the later parts of a chain that was cut. */
  readonly continuesNs?: bigint;
};

export type EventWindows = {
  /** Pending events, disjoint, in order of time. */
  readonly pending: readonly EventWindow[];
};

export const NO_WINDOWS: EventWindows = { pending: [] };

/** Adds a claim; events that it overlaps or touches become one with it. */
export function claimWindow(state: EventWindows, claim: WindowClaim): EventWindows {
  const { campaignId, timeNs, startNs, endNs, eventNsMax } = claim;
  let merged: EventWindow = {
    startNs,
    endNs,
    campaignIds: [campaignId],
    triggers: [{ campaignId, timeNs }],
    eventNsMax,
  };
  const before: EventWindow[] = [];
  const after: EventWindow[] = [];
  for (const event of state.pending) {
    if (event.endNs < merged.startNs) before.push(event);
    else if (event.startNs > merged.endNs) after.push(event);
    else merged = mergeEvents(event, merged);
  }
  return { pending: [...before, merged, ...after] };
}

function mergeEvents(first: EventWindow, second: EventWindow): EventWindow {
  const continuesNs = first.continuesNs ?? second.continuesNs;
  // A part that continues an earlier one never grows back over the cut.
  const startNs = first.continuesNs === undefined ? min(first.startNs, second.startNs) : first.startNs;
  return {
    startNs,
    endNs: max(first.endNs, second.endNs),
    campaignIds: [...new Set([...first.campaignIds, ...second.campaignIds])],
    triggers: mergeTriggers(first.triggers, second.triggers),
    eventNsMax: max(first.eventNsMax, second.eventNsMax),
    ...(continuesNs === undefined ? {} : { continuesNs }),
  };
}

function mergeTriggers(first: readonly EventTrigger[], second: readonly EventTrigger[]): readonly EventTrigger[] {
  const lastFirst = first.at(-1);
  const firstSecond = second[0];
  if (lastFirst !== undefined && firstSecond !== undefined && lastFirst.timeNs <= firstSecond.timeNs)
    return [...first, ...second];
  return [...first, ...second].toSorted((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
}

export type Completed = { readonly state: EventWindows; readonly events: readonly EventWindow[] };

/**
 * Takes out what is complete at `nowNs`: events that no claim starting at `nowNs - preNsMax` or later can reach, and the first
 * parts of chains that are longer than their maximum.
 */
export function completeWindows(state: EventWindows, nowNs: bigint, preNsMax: bigint): Completed {
  const reachableNs = nowNs - preNsMax;
  const events: EventWindow[] = [];
  const pending: EventWindow[] = [];
  for (const event of state.pending) {
    const parts = cutChain(event, event.endNs < reachableNs ? event.endNs : reachableNs - 1n);
    events.push(...parts.whole);
    if (event.endNs < reachableNs) events.push(parts.rest);
    else pending.push(parts.rest);
  }
  return { state: { pending }, events };
}

/** Closes all at the end of a session: post-windows are cut off at the last time seen. */
export function closeWindows(state: EventWindows, lastNs: bigint): readonly EventWindow[] {
  return state.pending
    .filter((event) => event.startNs <= lastNs)
    .flatMap((event) => {
      const parts = cutChain({ ...event, endNs: min(event.endNs, lastNs) }, lastNs);
      return [...parts.whole, parts.rest];
    });
}

/** Ends the event that holds `nowNs` there and lets the rest of it continue: the way out when memory is short. */
export function splitWindows(state: EventWindows, nowNs: bigint): Completed {
  const events: EventWindow[] = [];
  const pending: EventWindow[] = [];
  for (const event of state.pending) {
    if (event.startNs > nowNs) pending.push(event);
    else if (event.endNs <= nowNs) events.push(event);
    else {
      const { head, tail } = cutAt(event, nowNs + 1n);
      events.push(head);
      pending.push(tail);
    }
  }
  return { state: { pending }, events };
}

/** The recordings of an event that reaches to its end: one, or several when the chain is over its maximum. */
export function partsOf(event: EventWindow): readonly EventWindow[] {
  const { whole, rest } = cutChain(event, event.endNs);
  return [...whole, rest];
}

/** The earliest time at which `completeWindows` can take something out; undefined when nothing waits. */
export function nextCompletionNs(state: EventWindows, preNsMax: bigint): bigint | undefined {
  let next: bigint | undefined;
  for (const { startNs, endNs, eventNsMax, triggers } of state.pending) {
    const overflow = triggers[TRIGGERS_PER_EVENT_MAX]?.timeNs;
    const lengthNs = startNs + eventNsMax;
    const cutNs = overflow !== undefined && overflow < lengthNs ? overflow : lengthNs;
    const dueNs = min(endNs + 1n, cutNs) + preNsMax;
    if (next === undefined || dueNs < next) next = dueNs;
  }
  return next;
}

/** What is left of an event without what is recorded already, in order of time. */
export function withoutRecorded(
  event: EventWindow,
  recorded: readonly { readonly startNs: bigint; readonly endNs: bigint }[],
): readonly EventWindow[] {
  let left: readonly EventWindow[] = [event];
  for (const { startNs, endNs } of recorded) {
    left = left.flatMap((part) => {
      if (endNs < part.startNs || startNs > part.endNs) return [part];
      const head = startNs > part.startNs ? [cutAt(part, startNs).head] : [];
      const tail = endNs < part.endNs ? [cutAt(part, endNs + 1n).tail] : [];
      return [...head, ...tail];
    });
  }
  return left;
}

/** Cuts parts of the maximal length off while they end at or before `settledNs`. */
function cutChain(event: EventWindow, settledNs: bigint): { whole: EventWindow[]; rest: EventWindow } {
  const whole: EventWindow[] = [];
  let rest = event;
  while (rest.endNs - rest.startNs >= rest.eventNsMax || rest.triggers.length > TRIGGERS_PER_EVENT_MAX) {
    const byLengthNs = rest.startNs + rest.eventNsMax;
    const overflow = rest.triggers[TRIGGERS_PER_EVENT_MAX];
    const cutNs =
      overflow === undefined || overflow.timeNs > byLengthNs || overflow.timeNs <= rest.startNs
        ? byLengthNs
        : overflow.timeNs;
    if (cutNs - 1n > settledNs || cutNs > rest.endNs) break;
    const { head, tail } = cutAt(rest, cutNs);
    whole.push(head);
    rest = tail;
  }
  return { whole, rest };
}

function cutAt(event: EventWindow, cutNs: bigint): { head: EventWindow; tail: EventWindow } {
  const isBefore = (trigger: EventTrigger): boolean => trigger.timeNs < cutNs;
  const head = { ...event, endNs: cutNs - 1n, triggers: event.triggers.filter(isBefore) };
  const triggers = event.triggers.filter((trigger) => !isBefore(trigger));
  return { head, tail: { ...event, startNs: cutNs, triggers, continuesNs: event.continuesNs ?? anchorOf(head) } };
}

/** The time that identifies an event within its session: its first trigger, or the start of a part that holds none. */
export function anchorOf(event: EventWindow): bigint {
  return event.triggers[0]?.timeNs ?? event.startNs;
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
