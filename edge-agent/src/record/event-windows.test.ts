import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimWindow,
  closeWindows,
  completeWindows,
  type EventWindow,
  type EventWindows,
  nextCompletionNs,
  NO_WINDOWS,
  splitWindows,
  TRIGGERS_PER_EVENT_MAX,
  type WindowClaim,
  withoutRecorded,
} from './event-windows.ts';

const NO_LIMIT = 1_000_000n;

function claim(timeNs: number, pre: number, post: number, eventNsMax = NO_LIMIT): WindowClaim {
  return {
    campaignId: `c${pre}`,
    timeNs: BigInt(timeNs),
    startNs: BigInt(timeNs - pre),
    endNs: BigInt(timeNs + post),
    eventNsMax,
  };
}

/** What comes out when time passes one unit at a time and each claim comes at its own time. */
function run(claims: readonly WindowClaim[], preMax: number, lastNs: number): EventWindow[] {
  let state: EventWindows = NO_WINDOWS;
  const events: EventWindow[] = [];
  for (let now = 0; now <= lastNs; now += 1) {
    const completed = completeWindows(state, BigInt(now), BigInt(preMax));
    events.push(...completed.events);
    state = completed.state;
    for (const each of claims.filter(({ timeNs }) => timeNs === BigInt(now))) state = claimWindow(state, each);
  }
  return [...events, ...closeWindows(state, BigInt(lastNs))];
}

/** The same by brute force: colour each instant that any claim covers, and read the runs off. Touching claims share an instant or overlap. */
function oracle(claims: readonly WindowClaim[], lastNs: number): { start: number; end: number; triggers: number[] }[] {
  const sorted = claims.map((each) => ({
    start: Number(each.startNs),
    end: Math.min(lastNs, Number(each.endNs)),
    time: Number(each.timeNs),
  }));
  const events: { start: number; end: number; triggers: number[] }[] = [];
  let open: typeof sorted = sorted;
  while (open.length > 0) {
    let { start, end } = open[0] as { start: number; end: number };
    let inside: typeof sorted = [];
    for (let grew = true; grew; ) {
      inside = open.filter((each) => each.start <= end && each.end >= start);
      const next = {
        start: Math.min(...inside.map((each) => each.start)),
        end: Math.max(...inside.map((each) => each.end)),
      };
      grew = next.start !== start || next.end !== end;
      ({ start, end } = next);
    }
    events.push({ start, end, triggers: inside.map((each) => each.time).toSorted((a, b) => a - b) });
    open = open.filter((each) => !inside.includes(each));
  }
  return events.toSorted((a, b) => a.start - b.start);
}

const plain = ({ startNs, endNs, triggers }: EventWindow): { start: number; end: number; triggers: number[] } => ({
  start: Number(startNs),
  end: Number(endNs),
  triggers: triggers.map((trigger) => Number(trigger.timeNs)),
});

const claims = fc.array(
  fc
    .record({
      time: fc.integer({ min: 0, max: 120 }),
      pre: fc.integer({ min: 0, max: 15 }),
      post: fc.integer({ min: 0, max: 15 }),
    })
    .map(({ time, pre, post }) => claim(time, pre, post)),
  { maxLength: 12 },
);

describe('event windows', () => {
  it('are the same as by brute force', () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 0, max: 10 }), (list, extraPre) => {
        const preMax = Math.max(0, ...list.map((each) => Number(each.timeNs - each.startNs))) + extraPre;
        expect(run(list, preMax, 130).map(plain)).toEqual(oracle(list, 130));
      }),
      { numRuns: 500 },
    );
  });

  it('merges two windows that touch and keeps two apart that do not', () => {
    expect(run([claim(10, 2, 5), claim(17, 2, 1)], 2, 40).map(plain)).toEqual([
      { start: 8, end: 18, triggers: [10, 17] },
    ]);
    expect(run([claim(10, 2, 5), claim(18, 2, 1)], 2, 40)).toHaveLength(2);
  });

  it('lets a later trigger with a longer pre-window join two events that wait', () => {
    expect(run([claim(5, 1, 1), claim(9, 1, 1), claim(12, 8, 1)], 8, 40).map(plain)).toEqual([
      { start: 4, end: 13, triggers: [5, 9, 12] },
    ]);
  });

  it('cuts the post-window at the end of the session', () => {
    expect(run([claim(10, 2, 50)], 2, 20).map(plain)).toEqual([{ start: 8, end: 20, triggers: [10] }]);
  });

  it('cuts a chain over its maximum into parts without hole or overlap that name the first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 30 }), fc.integer({ min: 5, max: 60 }), (limit, count) => {
        const chain = Array.from({ length: count }, (_, index) => claim(10 + index * 2, 3, 2, BigInt(limit)));
        const parts = run(chain, 3, 200);
        const [first] = parts;
        expect(parts.length).toBeGreaterThanOrEqual(Math.floor((count * 2) / limit));
        expect(parts.every((part) => part.endNs - part.startNs < BigInt(limit))).toBe(true);
        for (const [index, part] of parts.slice(1).entries()) {
          expect(part.startNs).toBe((parts[index]?.endNs ?? 0n) + 1n);
          expect(part.continuesNs).toBe(first?.triggers[0]?.timeNs ?? first?.startNs);
        }
        expect(parts.flatMap((part) => part.triggers)).toHaveLength(count);
        expect(
          parts.every((part) => part.triggers.every(({ timeNs }) => timeNs >= part.startNs && timeNs <= part.endNs)),
        ).toBe(true);
      }),
    );
  });

  it('lists no more triggers in one event than its maximum', () => {
    const many = Array.from({ length: TRIGGERS_PER_EVENT_MAX * 2 }, (_, index) => claim(10 + index, 1, 1));
    const parts = run(many, 1, 10 + many.length + 10);
    expect(parts.every((part) => part.triggers.length <= TRIGGERS_PER_EVENT_MAX)).toBe(true);
    expect(parts.flatMap((part) => part.triggers)).toHaveLength(many.length);
  }, 30_000);

  it('ends open events at once when memory is short and continues them behind', () => {
    const state = claimWindow(NO_WINDOWS, claim(10, 5, 20));
    const split = splitWindows(state, 15n);
    expect(split.events.map(plain)).toEqual([{ start: 5, end: 15, triggers: [10] }]);
    expect(split.state.pending.map(plain)).toEqual([{ start: 16, end: 30, triggers: [] }]);
    expect(split.state.pending[0]).toMatchObject({ continuesNs: 10n, campaignIds: ['c5'] });
  });

  it('never complete before the time that is given as the next', () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 15 }), (list, limit, preMax) => {
        const state = list.reduce(
          (windows, each) => claimWindow(windows, { ...each, eventNsMax: BigInt(limit) }),
          NO_WINDOWS,
        );
        const next = nextCompletionNs(state, BigInt(preMax)) ?? 0n;
        for (let now = -20n; now < next; now += 1n)
          expect(completeWindows(state, now, BigInt(preMax)).events).toEqual([]);
      }),
    );
  });

  it('are left with what is not recorded, each moment once', () => {
    const interval = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 12 }));
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 5 }), (list) => {
        const [event] = claimWindow(NO_WINDOWS, claim(15, 10, 10)).pending as [EventWindow];
        const recorded = list.map(([from, length]) => ({ startNs: BigInt(from), endNs: BigInt(from + length) }));
        const moments = withoutRecorded(event, recorded).flatMap((part) =>
          Array.from({ length: Number(part.endNs - part.startNs) + 1 }, (_, index) => Number(part.startNs) + index),
        );
        const expected = Array.from({ length: 21 }, (_, index) => 5 + index).filter(
          (moment) => !list.some(([from, length]) => from <= moment && moment <= from + length),
        );
        expect(moments).toEqual(expected);
      }),
    );
  });
});
