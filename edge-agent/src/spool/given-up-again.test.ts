/** Why: an event that was given up may come again as what it has become; the cloud keeps one tombstone of a name, so each loss must have its own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import { Spool } from './spool.ts';
import { event, SECOND, sizeOf } from './spool-testbed.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const CLOCK = { nowMs: () => 1_000, monotonicMs: () => 1_000, wait: async () => {}, random: () => 0 };
const ROOT = '/spool';
const PLENTY = 10_000_000;
const OPEN = { isSettled: false };

async function open(disk: MemoryDisk, quotaBytes = PLENTY): Promise<Spool> {
  const limits = { quotaBytes, reserveBytes: 0, safetyFloorBytes: 0 };
  const spool = await Spool.open({ disk, root: ROOT, clock: CLOCK, logger: QUIET, limits });
  await spool.recovered;
  return spool;
}
const toldOf = (spool: Spool): readonly string[] =>
  spool.tombstones().map(({ eventId, endNs }) => `${eventId} to ${endNs / SECOND} s`);

async function tellAll(spool: Spool): Promise<void> {
  for (const { eventId } of spool.tombstones()) await spool.tombstoneDelivered(eventId);
}

describe('an event that was given up', () => {
  it('comes again only when it has become longer, and leaves nothing to be told then', async () => {
    const disk = memoryDisk();
    const short = event('ev-a', { seconds: 3 });
    expect(await (await open(disk, 10)).add(short, OPEN)).toBe('evicted');
    const spool = await open(disk);
    expect(await spool.add(short, OPEN)).toBe('known');
    expect(await spool.add(event('ev-a', { seconds: 5 }), OPEN)).toBe('spooled');
    const again = await open(disk);
    expect(again.entry('ev-a')).toMatchObject({ endNs: 5n * SECOND });
    expect(again.tombstones()).toEqual([]);
    expect(again.counts()).toMatchObject({ spooled: 1, evicted: 0 });
  });

  it('has a tombstone of another name each time it is given up again', async () => {
    const disk = memoryDisk();
    const spool = await open(disk, 10);
    const told: string[] = [];
    for (const seconds of [3, 5, 7]) {
      expect(await spool.add(event('ev-a', { seconds }), OPEN)).toBe('evicted');
      told.push(...toldOf(spool));
      await tellAll(spool);
    }
    expect(told).toEqual(['ev-a to 3 s', 'ev-a-2 to 5 s', 'ev-a-3 to 7 s']);
    expect((await open(disk)).explain('ev-a')).toMatchObject({ kind: 'ended', isTold: true });
  });

  it('has one of another name too when it lay in the queue meanwhile, also after a restart', async () => {
    const disk = memoryDisk();
    await (await open(disk, 10)).add(event('ev-a', { seconds: 3 }), OPEN);
    const spool = await open(disk);
    await spool.add(event('ev-a', { seconds: 5 }), OPEN);
    await spool.add(event('ev-a', { seconds: 7 }), OPEN);
    const again = await open(disk);
    await again.giveUp('ev-a', 'PULL_UNAVAILABLE', 'nobody wants it');
    expect(toldOf(again)).toEqual(['ev-a-2 to 7 s']);
    expect(again.explain('ev-a')).toMatchObject({ isTold: false });
    await tellAll(again);
    expect(toldOf(await open(disk))).toEqual([]);
    expect(again.explain('ev-a')).toMatchObject({ isTold: true });
  });

  it('whose shorter recording stays has a tombstone for each rest that is lost', async () => {
    const disk = memoryDisk();
    const spool = await open(disk, Math.floor((await sizeOf(event('ev-a'))) * 1.2));
    expect(await spool.add(event('ev-a'), OPEN)).toBe('spooled');
    const told: string[] = [];
    for (const seconds of [5, 7]) {
      expect(await spool.add(event('ev-a', { seconds, payloadBytes: 9_000 }), OPEN)).toBe('evicted');
      told.push(...toldOf(spool));
      await tellAll(spool);
    }
    expect(told).toEqual(['ev-a-rest to 5 s', 'ev-a-rest-2 to 7 s']);
    expect(spool.entry('ev-a')).toMatchObject({ endNs: 3n * SECOND });
  });

  it('is taken again when its shorter recording was damaged on disk', async () => {
    const disk = memoryDisk();
    await (await open(disk)).add(event('ev-a'), OPEN);
    const path = `${ROOT}/queue/ev-a.mcap`;
    disk.files.set(path, disk.files.get(path)?.slice(0, -40) ?? new Uint8Array());
    const spool = await open(disk);
    expect(toldOf(spool)).toEqual(['ev-a to 3 s']);
    expect(await spool.add(event('ev-a'), OPEN)).toBe('known');
    expect(await spool.add(event('ev-a', { seconds: 5 }), OPEN)).toBe('spooled');
    expect((await open(disk)).entry('ev-a')).toMatchObject({ endNs: 5n * SECOND });
  });

  it('never has two losses of one name, whatever room there is each time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), async (hasRoom) => {
        const disk = memoryDisk();
        const names: string[] = [];
        for (const [index, isRoomy] of hasRoom.entries()) {
          const spool = await open(disk, isRoomy ? PLENTY : 10);
          await spool.add(event('ev-a', { seconds: 3 + index }), OPEN);
          names.push(...spool.tombstones().map(({ eventId }) => eventId));
          await tellAll(spool);
        }
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 20 },
    );
  });
});

describe('an event that a power cut left open', () => {
  it('is withdrawn into the settled event that it has become part of, but not into a pull', async () => {
    const disk = memoryDisk();
    const before = await open(disk);
    await before.add(event('ev-late'), OPEN);
    await before.add({ ...event('ev-pull', { seconds: 9 }), campaignIds: [] }, { isSettled: true });
    const spool = await open(disk);
    await spool.settleResumed();
    expect(spool.entry('ev-late')).toMatchObject({ isSettled: true });

    const other = memoryDisk();
    await (await open(other)).add(event('ev-late'), OPEN);
    const again = await open(other);
    await again.add(event('ev-whole', { seconds: 9 }), { isSettled: true });
    await again.settleResumed();
    expect(again.entries().map(({ eventId }) => eventId)).toEqual(['ev-whole']);
    expect(again.explain('ev-late')).toMatchObject({ outcome: { outcome: 'withdrawn', into: 'ev-whole' } });
    expect(again.tombstones()).toEqual([]);
  });
});
