/** Why: a vehicle captures before the index of a full spool is read, and a recording has its name before its digests are known. */
import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import type { Disk } from '../ports.ts';
import { Spool } from './spool.ts';
import { event } from './spool-testbed.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const CLOCK = { nowMs: () => 1_000, monotonicMs: () => 1_000, wait: async () => {}, random: () => 0 };
const LIMITS = { quotaBytes: 10_000_000, reserveBytes: 0, safetyFloorBytes: 0 };
const SETTLED = { isSettled: true };
const RECORDING = '/spool/queue/ev-b.mcap';

const options = (disk: Disk) => ({ disk, root: '/spool', clock: CLOCK, logger: QUIET, limits: LIMITS });

async function diskWithEvent(id: string): Promise<MemoryDisk> {
  const disk = memoryDisk();
  const spool = await Spool.open(options(disk));
  await spool.add(event(id), SETTLED);
  await spool.close();
  return disk;
}

describe('a spool that is being opened', () => {
  it('takes a recording at once and keeps it beside what it finds', async () => {
    const spool = Spool.begin(options(await diskWithEvent('ev-a')));
    expect(spool.isOpen).toBe(false);
    expect(spool.explain('ev-a')).toEqual({ kind: 'adopting' });
    const additions = [spool.add(event('ev-b'), SETTLED), spool.add(event('ev-a'), SETTLED)];
    expect(await Promise.all(additions)).toEqual(['spooled', 'known']);
    expect(spool.isOpen).toBe(true);
    expect(spool.entries().map(({ eventId, order }) => [eventId, order])).toEqual([
      ['ev-a', 0],
      ['ev-b', 1],
    ]);
  });

  it('takes nothing when its index cannot be read, and still closes', async () => {
    const disk = await diskWithEvent('ev-a');
    const open: Disk['open'] = async (path, mode) => {
      if (mode === 'read') throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return disk.open(path, mode);
    };
    const spool = Spool.begin(options(replaced(disk, { open })));
    await expect(spool.add(event('ev-b'), SETTLED)).rejects.toMatchObject({ code: 'SPOOL_CORRUPT' });
    await expect(spool.verified('ev-a', 1n)).rejects.toMatchObject({ code: 'SPOOL_CORRUPT' });
    await spool.close();
    expect((await Spool.open(options(disk))).entries()).toMatchObject([{ eventId: 'ev-a' }]);
  });
});

describe('a recording that cannot be read back', () => {
  it('leaves nothing behind and may be tried again', async () => {
    const disk = memoryDisk();
    let failures = 1;
    const open: Disk['open'] = async (path, mode) => {
      if (mode === 'read' && path === RECORDING && failures-- > 0)
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return disk.open(path, mode);
    };
    const spool = await Spool.open(options(replaced(disk, { open })));
    await expect(spool.add(event('ev-b'), SETTLED)).rejects.toMatchObject({ code: 'RECORD_WRITE' });
    expect(disk.files.has(RECORDING)).toBe(false);
    expect(spool.explain('ev-b')).toEqual({ kind: 'unknown' });
    expect(await spool.add(event('ev-b'), SETTLED)).toBe('spooled');
    expect(disk.files.has(RECORDING)).toBe(true);
  });
});

/** The same disk with other calls. */
function replaced(disk: Disk, calls: Partial<Disk>): Disk {
  return {
    open: async (path, mode) => disk.open(path, mode),
    rename: async (path, target) => disk.rename(path, target),
    remove: async (path) => disk.remove(path),
    makeFolder: async (path) => disk.makeFolder(path),
    syncFolder: async (path) => disk.syncFolder(path),
    list: async (path) => disk.list(path),
    sizeOf: async (path) => disk.sizeOf(path),
    freeBytes: async (path) => disk.freeBytes(path),
    ...calls,
  };
}
