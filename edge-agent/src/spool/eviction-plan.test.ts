import { PRIORITIES } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EvictionCandidate, planEviction } from './eviction-plan.ts';

const candidates = fc.array(
  fc.record({
    priority: fc.constantFrom(...PRIORITIES),
    sizeBytes: fc.integer({ min: 1, max: 100 }),
    state: fc.constantFrom('queued' as const, 'verified' as const, 'refused' as const),
  }),
  { maxLength: 20 },
);
const numbered = candidates.map((list) =>
  list.map((each, order): EvictionCandidate => ({ ...each, order, eventId: `ev-${order}` })),
);
const newcomer = fc.record({ priority: fc.constantFrom(...PRIORITIES), sizeBytes: fc.integer({ min: 1, max: 150 }) });
const rank = (priority: (typeof PRIORITIES)[number]): number => PRIORITIES.indexOf(priority);
const one = (eventId: string, change: Partial<EvictionCandidate> = {}): EvictionCandidate => ({
  eventId,
  priority: 'normal',
  sizeBytes: 10,
  order: 0,
  state: 'queued',
  ...change,
});

describe('eviction', () => {
  it('makes room within the quota or takes nothing', () => {
    fc.assert(
      fc.property(numbered, newcomer, fc.integer({ min: 0, max: 600 }), (list, coming, quota) => {
        const plan = planEviction(list, coming, quota);
        if (plan.kind === 'refused') return;
        const kept = list
          .filter((each) => !plan.evict.includes(each.eventId))
          .reduce((sum, each) => sum + each.sizeBytes, 0);
        expect(kept + coming.sizeBytes).toBeLessThanOrEqual(quota);
      }),
    );
  });

  it('never gives up what waits for something that matters less, and refuses only when nothing else can go', () => {
    fc.assert(
      fc.property(numbered, newcomer, fc.integer({ min: 0, max: 600 }), (list, coming, quota) => {
        const plan = planEviction(list, coming, quota);
        const mayGo = (each: EvictionCandidate): boolean =>
          each.state !== 'queued' || rank(each.priority) >= rank(coming.priority);
        if (plan.kind === 'fits') {
          expect(list.filter((each) => plan.evict.includes(each.eventId)).every(mayGo)).toBe(true);
          return;
        }
        const immovable = list.filter((each) => !mayGo(each)).reduce((sum, each) => sum + each.sizeBytes, 0);
        expect(immovable + coming.sizeBytes).toBeGreaterThan(quota);
      }),
    );
  });

  it('takes verified copies, then refused ones, then bulk, then the oldest', () => {
    const list = [
      one('new', { order: 9 }),
      one('old', { order: 1 }),
      one('bulk', { priority: 'bulk', order: 5 }),
      one('refused', { state: 'refused', priority: 'safety' }),
      one('verified', { state: 'verified', priority: 'safety' }),
    ];
    const orderOf = (sizeBytes: number): readonly string[] => {
      const plan = planEviction(list, { priority: 'normal', sizeBytes }, 50);
      return plan.kind === 'fits' ? plan.evict : [];
    };
    expect([10, 20, 30, 40, 50].map((size) => orderOf(size).at(-1))).toEqual([
      'verified',
      'refused',
      'bulk',
      'old',
      'new',
    ]);
  });

  it('refuses what is larger than the quota', () => {
    expect(planEviction([one('a')], { priority: 'safety', sizeBytes: 51 }, 50)).toEqual({ kind: 'refused' });
  });
});
