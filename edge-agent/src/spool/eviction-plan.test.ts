import { PRIORITIES } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EvictionCandidate, missingBytes, type Newcomer, planEviction, type Room } from './eviction-plan.ts';

const candidates = fc.array(
  fc.record({
    priority: fc.constantFrom(...PRIORITIES),
    sizeBytes: fc.integer({ min: 1, max: 100 }),
    state: fc.constantFrom('queued' as const, 'stored' as const, 'refused' as const),
    isSettled: fc.boolean(),
  }),
  { maxLength: 20 },
);
const numbered = candidates.map((list) =>
  list.map((each, order): EvictionCandidate => ({ ...each, order, eventId: `ev-${order}` })),
);
const newcomers = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  sizeBytes: fc.integer({ min: 1, max: 150 }),
  freeBytes: fc.integer({ min: 0, max: 1_000 }),
});
const rooms = fc.record({
  quotaBytes: fc.integer({ min: 0, max: 600 }),
  safetyFloorBytes: fc.integer({ min: 0, max: 200 }),
  reserveBytes: fc.integer({ min: 0, max: 300 }),
});
const rank = (priority: (typeof PRIORITIES)[number]): number => PRIORITIES.indexOf(priority);
const bytesOf = (list: readonly EvictionCandidate[]): number => list.reduce((sum, each) => sum + each.sizeBytes, 0);
const one = (eventId: string, change: Partial<EvictionCandidate> = {}): EvictionCandidate => ({
  eventId,
  priority: 'normal',
  sizeBytes: 10,
  order: 0,
  state: 'queued',
  isSettled: true,
  ...change,
});
const usedBy = (list: readonly EvictionCandidate[]): { bytes: number; safetyBytes: number } => ({
  bytes: bytesOf(list),
  safetyBytes: bytesOf(list.filter((each) => each.priority === 'safety' && each.state !== 'refused')),
});

type Case = {
  readonly list: readonly EvictionCandidate[];
  readonly coming: Newcomer;
  readonly room: Room;
  readonly needed: number;
  readonly evict: readonly string[] | undefined;
};
const check = (property: (each: Case) => void): void =>
  fc.assert(
    fc.property(numbered, newcomers, rooms, (list, coming, room) => {
      const needed = missingBytes(usedBy(list), coming, room);
      const plan = planEviction(list, coming, needed);
      property({ list, coming, room, needed, evict: plan.kind === 'fits' ? plan.evict : undefined });
    }),
    { numRuns: 500 },
  );
const mayGo = (each: EvictionCandidate, coming: Newcomer): boolean =>
  each.state === 'refused' || rank(each.priority) >= rank(coming.priority);

describe('eviction', () => {
  it('keeps the quota and the reserve, or takes nothing', () => {
    check(({ list, coming, room, evict }) => {
      if (evict === undefined) return;
      const kept = list.filter((each) => !evict.includes(each.eventId));
      expect(bytesOf(kept) + coming.sizeBytes).toBeLessThanOrEqual(room.quotaBytes);
      const freeBytes = coming.freeBytes - coming.sizeBytes + bytesOf(list) - bytesOf(kept);
      const reserve = coming.priority === 'safety' ? room.reserveBytes / 2 : room.reserveBytes;
      expect(freeBytes).toBeGreaterThanOrEqual(reserve);
    });
  });

  it('keeps the floor free for safety recordings', () => {
    check(({ list, coming, room, evict }) => {
      if (evict === undefined || coming.priority === 'safety') return;
      const kept = list.filter((each) => !evict.includes(each.eventId));
      const missing = Math.max(0, room.safetyFloorBytes - usedBy(list).safetyBytes);
      expect(bytesOf(kept) + coming.sizeBytes).toBeLessThanOrEqual(room.quotaBytes - missing);
    });
  });

  it('never gives up what waits for something that matters less, and refuses only when nothing else can go', () => {
    check(({ list, coming, needed, evict }) => {
      if (evict !== undefined) {
        const gone = list.filter((each) => evict.includes(each.eventId));
        expect(gone.every((each) => mayGo(each, coming))).toBe(true);
        return;
      }
      expect(bytesOf(list.filter((each) => mayGo(each, coming)))).toBeLessThan(needed);
    });
  });

  it('takes nothing that is not needed', () => {
    check(({ list, needed, evict }) => {
      const gone = list.filter((each) => evict?.includes(each.eventId));
      const freed = bytesOf(gone);
      for (const each of gone) expect(freed - each.sizeBytes).toBeLessThan(needed);
    });
  });

  it('takes refused copies, then bulk, then what a relay has, then the settled, then the oldest', () => {
    const list = [
      one('open', { order: 0, isSettled: false }),
      one('new', { order: 9 }),
      one('old', { order: 1 }),
      one('stored', { state: 'stored', order: 10 }),
      one('bulk', { priority: 'bulk', order: 5 }),
      one('refused', { state: 'refused', priority: 'safety' }),
    ];
    const lastFor = (needed: number): string | undefined => {
      const plan = planEviction(list, { priority: 'normal', sizeBytes: 1, freeBytes: 0 }, needed);
      return plan.kind === 'fits' ? plan.evict.at(-1) : undefined;
    };
    const order = ['refused', 'bulk', 'stored', 'old', 'new', 'open'];
    expect([10, 20, 30, 40, 50, 60].map(lastFor)).toEqual(order);
  });

  it('spares a small recording when the large one that goes as well is enough', () => {
    const list = [one('small', { order: 1, sizeBytes: 1 }), one('large', { order: 2, sizeBytes: 100 })];
    const plan = planEviction(list, { priority: 'normal', sizeBytes: 50, freeBytes: 0 }, 50);
    expect(plan).toEqual({ kind: 'fits', evict: ['large'] });
  });

  it('refuses what is larger than the quota', () => {
    const room = { quotaBytes: 50, safetyFloorBytes: 0, reserveBytes: 0 };
    const coming = { priority: 'safety' as const, sizeBytes: 51, freeBytes: 1_000 };
    const list = [one('a')];
    expect(planEviction(list, coming, missingBytes(usedBy(list), coming, room))).toEqual({ kind: 'refused' });
  });
});
