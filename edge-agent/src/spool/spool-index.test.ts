import { digestOfBytes } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeIndex, encodeRecord, type IndexRecord } from './index-record.ts';
import { OUTCOMES_MAX, SpoolIndex, TOMBSTONES_MAX } from './spool-index.ts';

const DIGEST = digestOfBytes(new Uint8Array(0));
const entry = (id: number, sizeBytes = 10): IndexRecord => ({
  kind: 'entry',
  eventId: `ev-${id}`,
  digest: DIGEST,
  sizeBytes,
  chunkSizeBytes: 4,
  chunkDigests: [DIGEST],
  priority: id % 2 === 0 ? 'safety' : 'bulk',
  session: 's',
  campaignIds: ['c'],
  startNs: 1n,
  endNs: 2n,
  capturedAtMs: 0,
  order: id,
  generation: 0,
  isSettled: false,
});
const outcome = (id: number, kind: 'verified' | 'refused' | 'evicted' | 'withdrawn' = 'evicted'): IndexRecord => ({
  kind: 'outcome',
  id: `ev-${id}`,
  outcome: kind,
  digest: null,
  sizeBytes: 3,
  priority: 'bulk',
  session: 's',
  campaignIds: ['c'],
  startNs: BigInt(id + 1),
  endNs: BigInt(id + 2),
  code: 'SPOOL_FULL',
  reason: 'r',
  atMs: id,
});
const steps = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 50 })),
  { maxLength: 40 },
);

function recordOf(id: number, what: number, sizeBytes: number): IndexRecord {
  if (what <= 1) return entry(id, sizeBytes);
  if (what === 2) return { kind: 'settled', ids: [`ev-${id}`] };
  if (what === 3) return { kind: 'stored', id: `ev-${id}`, relay: 'relay' };
  if (what === 4) return { kind: 'told', id: `ev-${id}` };
  return outcome(id, (['verified', 'refused', 'evicted'] as const)[what - 5] ?? 'evicted');
}
function through(index: SpoolIndex): SpoolIndex {
  const again = new SpoolIndex();
  const text = [...index.records()].map((record) => `${encodeRecord(record)}\n`).join('');
  for (const record of decodeIndex(new TextEncoder().encode(text))) if (record !== undefined) again.apply(record);
  return again;
}
const stateOf = (index: SpoolIndex): object => ({
  entries: index.entries(),
  tombstones: index.tombstones(),
  counts: index.counts(),
  nextOrder: index.nextOrder,
  outcomes: [0, 1, 2, 3, 4, 5].map((id) => index.outcome(`ev-${id}`)),
});

describe('the index in memory', () => {
  it('counts what is there and is the same after it was written down as a whole', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const index = new SpoolIndex();
        for (const [id, what, sizeBytes] of list) index.apply(recordOf(id, what, sizeBytes));
        const entries = index.entries();
        const bytesOf = (some: typeof entries): number => some.reduce((sum, each) => sum + each.sizeBytes, 0);
        expect(index.bytes).toBe(bytesOf(entries));
        expect(index.safetyBytes).toBe(bytesOf(entries.filter((each) => each.priority === 'safety')));
        expect(index.counts()).toMatchObject({ spooled: entries.length, tombstonesWaiting: index.tombstones().length });
        expect(stateOf(through(index))).toEqual(stateOf(index));
      }),
    );
  });

  it('forgets the oldest outcomes but neither their number nor what the cloud must be told of them', () => {
    const index = new SpoolIndex();
    index.apply(outcome(0));
    for (let id = 1; id <= OUTCOMES_MAX; id += 1) index.apply(outcome(id, 'verified'));
    expect(index.outcome('ev-0')).toBeUndefined();
    expect(index.counts()).toMatchObject({ verified: OUTCOMES_MAX, evicted: 1, tombstonesWaiting: 1 });
    expect(through(index).counts()).toEqual(index.counts());
    expect(through(index).tombstones()).toEqual(index.tombstones());
  });

  it('makes one counting tombstone of the oldest when too many wait', () => {
    const index = new SpoolIndex();
    for (let id = 0; id < 3 * TOMBSTONES_MAX; id += 1) {
      index.apply(outcome(id));
      const merge = index.mergeDue();
      if (merge !== undefined) index.apply(merge);
      expect(index.counts().tombstonesWaiting).toBeLessThanOrEqual(TOMBSTONES_MAX);
    }
    const total = (each: SpoolIndex): number => each.tombstones().reduce((sum, { count }) => sum + count, 0);
    expect(total(index)).toBe(3 * TOMBSTONES_MAX);
    expect(total(through(index))).toBe(3 * TOMBSTONES_MAX);
    const counting = index.tombstones().find((each) => each.count > 1);
    expect(counting?.reason).toContain('recordings were given up between');
    expect(
      index
        .tombstones()
        .map((each) => each.startNs)
        .toSorted((a, b) => (a < b ? -1 : 1))[0],
    ).toBe(1n);
  });

  it('takes the last end of a recording as its end', () => {
    const index = new SpoolIndex();
    index.apply(entry(1));
    index.apply(outcome(1, 'evicted'));
    index.apply(outcome(1, 'verified'));
    expect(index.tombstones()).toEqual([]);
    expect(index.outcome('ev-1')).toMatchObject({ outcome: 'verified' });
  });
});
