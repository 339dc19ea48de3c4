import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import { Ballast, BALLAST_BYTES } from './ballast.ts';
import { DurableFiles } from './durable-files.ts';
import { IndexJournal } from './index-journal.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const PATH = '/spool/ballast';
const ROOM = 100 * BALLAST_BYTES;
const ballastOn = (disk: MemoryDisk): Ballast => new Ballast(new DurableFiles(disk, '/spool'), QUIET);
const noSpace = (): NodeJS.ErrnoException => Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
const told = { kind: 'told', id: 'ev-a' } as const;

/** Takes nothing as long as the ballast is there. */
function fullUntilDropped(): MemoryDisk {
  const disk = memoryDisk();
  return Object.assign(disk, {
    remove: async (path: string) => {
      disk.files.delete(path);
      if (path === PATH) disk.failWrites = undefined;
    },
  });
}

describe('the ballast', () => {
  it('is written when there is room for it, and does not itself fill the disk', async () => {
    const disk = memoryDisk();
    const ballast = ballastOn(disk);
    await ballast.refill(2 * BALLAST_BYTES);
    expect(disk.files.has(PATH)).toBe(false);
    await ballast.refill(ROOM);
    expect(disk.files.get(PATH)?.length).toBe(BALLAST_BYTES);
  });

  it('is given back once, and comes again when there is room', async () => {
    const disk = memoryDisk();
    await ballastOn(disk).refill(ROOM);
    const ballast = ballastOn(disk);
    expect([await ballast.drop(), await ballast.drop()]).toEqual([true, false]);
    expect(disk.files.has(PATH)).toBe(false);
    await ballast.refill(ROOM);
    expect(disk.files.get(PATH)?.length).toBe(BALLAST_BYTES);
  });

  it('takes a disk that refuses it for one to ask another time', async () => {
    const disk = memoryDisk();
    const ballast = ballastOn(disk);
    disk.failWrites = noSpace();
    await ballast.refill(ROOM);
    expect(await ballast.drop()).toBe(false);
    disk.failWrites = undefined;
    await ballast.refill(ROOM);
    expect(await ballast.drop()).toBe(true);
  });

  it('makes room for the line of the index that a full disk did not take', async () => {
    const disk = fullUntilDropped();
    const files = new DurableFiles(disk, '/spool');
    const ballast = new Ballast(files, QUIET);
    const journal = new IndexJournal(files, ballast, QUIET);
    await journal.read();
    await ballast.refill(ROOM);
    disk.failWrites = noSpace();
    await journal.append(told);
    expect(disk.files.has(PATH)).toBe(false);
    disk.failWrites = noSpace();
    await expect(journal.append(told)).rejects.toMatchObject({ code: 'RECORD_WRITE' });
  });
});
