import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeDisk } from '../adapters/node-disk.ts';
import type { AgentClock, Disk } from '../ports.ts';
import { CHUNK_SIZE_BYTES } from './recording-digests.ts';
import { Spool } from './spool.ts';
import type { SpoolLimits } from './spool-space.ts';
import { event, SECOND, sizeOf } from './spool-testbed.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const LIMITS: SpoolLimits = { quotaBytes: 10_000_000, reserveBytes: 0, safetyFloorBytes: 0 };
const FREE_BYTES = 1_000_000_000;

let root: string;
let nowMs: number;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-spool-'));
  nowMs = 1_000;
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const clock: AgentClock = { nowMs: () => nowMs, monotonicMs: () => nowMs, wait: async () => {}, random: () => 0 };
const disk = (change: Partial<Disk> = {}): Disk =>
  Object.assign(Object.create(new NodeDisk()) as Disk, { freeBytes: async () => FREE_BYTES }, change);
async function open(limits: Partial<SpoolLimits> = {}, on: Disk = disk()): Promise<Spool> {
  const spool = await Spool.open({ disk: on, root, clock, logger: QUIET, limits: { ...LIMITS, ...limits } });
  await spool.recovered;
  return spool;
}
const SETTLED = { isSettled: true };
const OPEN = { isSettled: false };
const inFolder = async (folder: string): Promise<string[]> =>
  (await readdir(join(root, folder)).catch(() => [])).toSorted((a, b) => (a < b ? -1 : 1));

describe('the spool', () => {
  it('knows after a restart what it held before, in the same order', async () => {
    const spool = await open();
    for (const id of ['ev-a', 'ev-b', 'ev-c']) expect(await spool.add(event(id), SETTLED)).toBe('spooled');
    await spool.stored('ev-b', 'relay-1');
    const again = await open();
    expect(again.entries().map((entry) => ({ ...entry, isResumed: false }))).toEqual(spool.entries());
    expect(again.entries().every((entry) => entry.isResumed)).toBe(true);
    expect(again.entry('ev-b')).toMatchObject({ storedAt: 'relay-1', capturedAtMs: 1_000, endNs: 3n * SECOND });
  });

  it('gives out chunks that make up the recording and have the digests that it names', async () => {
    const spool = await open();
    await spool.add(event('ev-a', { payloadBytes: 2 * CHUNK_SIZE_BYTES }), SETTLED);
    const [entry] = spool.entries();
    if (entry === undefined) throw new Error('nothing was spooled');
    expect(entry.chunkDigests.length).toBe(3);
    const chunks = await Promise.all(entry.chunkDigests.map(async (_, index) => spool.readChunk(entry, index)));
    expect(chunks.map(digestOfBytes)).toEqual(entry.chunkDigests);
    expect(digestOfBytes(Buffer.concat(chunks))).toBe(entry.digest);
    expect(digestOfBytes(await readFile(join(root, 'queue', 'ev-a.mcap')))).toBe(entry.digest);
  });

  it('takes an event only once, even after its copy is gone', async () => {
    const spool = await open();
    await spool.add(event('ev-a'), SETTLED);
    expect(await spool.add(event('ev-a'), SETTLED)).toBe('known');
    await spool.verified('ev-a', 5n);
    expect(await inFolder('queue')).toEqual([]);
    expect(await spool.add(event('ev-a'), SETTLED)).toBe('known');
    const again = await open();
    expect(await again.add(event('ev-a'), SETTLED)).toBe('known');
    expect(again.explain('ev-a')).toMatchObject({
      kind: 'ended',
      outcome: { outcome: 'verified', ledgerSequence: '5' },
    });
  });

  it('replaces a recording by a longer one until it is settled', async () => {
    const spool = await open();
    expect(await spool.add(event('ev-a'), OPEN)).toBe('spooled');
    expect(await spool.add(event('ev-a'), OPEN)).toBe('known');
    expect(await spool.add(event('ev-a', { seconds: 5 }), OPEN)).toBe('replaced');
    expect(spool.entry('ev-a')).toMatchObject({ isSettled: false, endNs: 5n * SECOND, order: 0 });
    expect(await inFolder('queue')).toEqual(['ev-a.1.mcap']);
    await spool.settle('ev-a');
    expect(await spool.add(event('ev-a', { seconds: 9 }), OPEN)).toBe('known');
    expect((await open()).entry('ev-a')).toMatchObject({ isSettled: true, endNs: 5n * SECOND });
  });

  it('settles what an earlier run left open when it is told to', async () => {
    await (await open()).add(event('ev-a'), OPEN);
    const again = await open();
    expect(again.entry('ev-a')?.isSettled).toBe(false);
    await again.settleResumed();
    expect(again.entry('ev-a')?.isSettled).toBe(true);
    expect((await open()).entry('ev-a')?.isSettled).toBe(true);
  });

  it('withdraws what became part of an event that is here, and keeps it otherwise', async () => {
    const spool = await open();
    for (const id of ['ev-a', 'ev-b']) await spool.add(event(id), OPEN);
    await spool.withdraw('ev-b', 'ev-gone');
    expect(spool.entry('ev-b')).toMatchObject({ isSettled: true });
    await spool.withdraw('ev-a', 'ev-b');
    expect(await inFolder('queue')).toEqual(['ev-b.mcap']);
    expect((await open()).explain('ev-a')).toMatchObject({ outcome: { outcome: 'withdrawn', into: 'ev-b' } });
    expect(spool.tombstones()).toEqual([]);
  });

  it('keeps what was refused aside with the reason, and does not offer it again', async () => {
    const spool = await open();
    await spool.add(event('ev-a'), SETTLED);
    await spool.refused('ev-a', 'INGEST_LIMIT', 'it is too large');
    expect(await inFolder('queue')).toEqual([]);
    expect(await inFolder('refused')).toEqual(['ev-a.mcap', 'ev-a.mcap.reason.txt']);
    expect(await readFile(join(root, 'refused', 'ev-a.mcap.reason.txt'), 'utf8')).toBe(
      'INGEST_LIMIT: it is too large\n',
    );
    const again = await open();
    expect(again.entries()).toEqual([]);
    expect(again.counts()).toMatchObject({ refused: 1 });
    expect(await again.add(event('ev-a'), SETTLED)).toBe('known');
  });

  it('tells the cloud of what was quarantined until it has heard', async () => {
    const spool = await open();
    await spool.add(event('ev-a', { priority: 'safety' }), SETTLED);
    await spool.quarantine('ev-a', 'SPOOL_CORRUPT', 'a chunk has changed');
    expect(await inFolder('quarantine')).toContain('ev-a.mcap');
    const again = await open();
    const expected = { eventId: 'ev-a', priority: 'safety', code: 'SPOOL_CORRUPT', session: 'drive', count: 1 };
    expect(again.tombstones()).toEqual([expect.objectContaining(expected)]);
    await again.tombstoneDelivered('ev-a');
    expect(again.counts()).toMatchObject({ tombstonesWaiting: 0 });
    expect((await open()).tombstones()).toEqual([]);
  });

  it('gives up a recording that nobody wants any more and says so', async () => {
    const spool = await open();
    await spool.add(event('ev-a'), SETTLED);
    await spool.giveUp('ev-a', 'PULL_UNAVAILABLE', 'the pull was cancelled');
    expect(await inFolder('queue')).toEqual([]);
    expect((await open()).tombstones()).toEqual([
      expect.objectContaining({ eventId: 'ev-a', code: 'PULL_UNAVAILABLE' }),
    ]);
  });

  it('evicts the less important within its quota and leaves a tombstone for each', async () => {
    const quotaBytes = Math.floor((await sizeOf(event('ev-probe'))) * 2.5);
    const spool = await open({ quotaBytes });
    expect(await spool.add(event('ev-bulk', { priority: 'bulk' }), SETTLED)).toBe('spooled');
    expect(await spool.add(event('ev-old'), SETTLED)).toBe('spooled');
    expect(await spool.add(event('ev-safety', { priority: 'safety' }), SETTLED)).toBe('spooled');
    expect(spool.entries().map((entry) => entry.eventId)).toEqual(['ev-old', 'ev-safety']);
    expect(await spool.add(event('ev-late', { priority: 'bulk' }), SETTLED)).toBe('evicted');
    expect(spool.counts()).toMatchObject({ spooled: 2, evicted: 2, tombstonesWaiting: 2 });
    expect(spool.tombstones().map(({ eventId, code }) => `${eventId} ${code}`)).toEqual([
      'ev-bulk SPOOL_FULL',
      'ev-late SPOOL_FULL',
    ]);
    expect(await inFolder('queue')).toEqual(['ev-old.mcap', 'ev-safety.mcap']);
    expect((await open({ quotaBytes })).counts()).toEqual(spool.counts());
  });

  it('keeps the shorter recording when the longer one does not fit, and says what is lost', async () => {
    const quotaBytes = Math.floor((await sizeOf(event('ev-a'))) * 1.5);
    const spool = await open({ quotaBytes });
    await spool.add(event('ev-a'), OPEN);
    expect(await spool.add(event('ev-a', { seconds: 5, payloadBytes: quotaBytes }), OPEN)).toBe('evicted');
    expect(spool.entry('ev-a')).toMatchObject({ endNs: 3n * SECOND });
    expect(spool.tombstones()).toMatchObject([{ eventId: 'ev-a-rest', endNs: 5n * SECOND, code: 'SPOOL_FULL' }]);
    expect(await inFolder('queue')).toEqual(['ev-a.mcap']);
  });

  it('takes only safety recordings below the reserve, nothing far below it, and all again when there is room', async () => {
    let freeBytes = FREE_BYTES;
    const reserveBytes = 1_000_000;
    const spool = await open({ reserveBytes }, disk({ freeBytes: async () => freeBytes }));
    freeBytes = 0.8 * reserveBytes;
    expect(await spool.add(event('ev-a'), SETTLED)).toBe('evicted');
    expect(spool.diskState()).toEqual({ state: 'safety-only', freeBytes });
    expect(await spool.add(event('ev-b', { priority: 'safety' }), SETTLED)).toBe('spooled');
    freeBytes = 0.2 * reserveBytes;
    expect(await spool.add(event('ev-c', { priority: 'safety' }), SETTLED)).toBe('evicted');
    expect(spool.diskState().state).toBe('refusing');
    freeBytes = FREE_BYTES;
    expect(await spool.add(event('ev-d', { priority: 'bulk' }), SETTLED)).toBe('spooled');
    expect(spool.diskState().state).toBe('normal');
    expect(spool.tombstones().map(({ eventId }) => eventId)).toEqual(['ev-a', 'ev-c']);
  });

  it('gives up what matters less when the disk is nearly full', async () => {
    const reserveBytes = 10_000;
    let foreignBytes = 0;
    const used = async (): Promise<number> => {
      const sizes = await new NodeDisk().list(join(root, 'queue'));
      return sizes.reduce((sum, file) => sum + file.sizeBytes, 0);
    };
    const freeBytes = async (): Promise<number> => 20_000 - foreignBytes - (await used());
    const spool = await open({ reserveBytes }, disk({ freeBytes }));
    for (const id of ['ev-a', 'ev-b', 'ev-c']) await spool.add(event(id, { priority: 'bulk' }), SETTLED);
    foreignBytes = 10_000;
    expect(await spool.add(event('ev-d', { priority: 'safety' }), SETTLED)).toBe('spooled');
    expect(spool.tombstones().length).toBeGreaterThan(0);
    expect(await spool.add(event('ev-e', { priority: 'bulk' }), SETTLED)).toBe('evicted');
  });
});

describe('the spool on a disk that fails', () => {
  const failing = (code: string, times: number): Disk => {
    let left = times;
    const real = new NodeDisk();
    return disk({
      open: async (path, mode) => {
        if (mode === 'create' && path.includes('.mcap') && (left -= 1) >= 0)
          throw Object.assign(new Error(code), { code });
        return real.open(path, mode);
      },
    });
  };

  it('makes room when the disk takes no more', async () => {
    await (await open()).add(event('ev-a'), SETTLED);
    const spool = await open({}, failing('ENOSPC', 1));
    expect(await spool.add(event('ev-b'), SETTLED)).toBe('spooled');
    expect(spool.counts()).toMatchObject({ spooled: 1, evicted: 1 });
  });

  it('says so when there is no room to make, and takes the event when there is', async () => {
    await (await open()).add(event('ev-a'), SETTLED);
    const spool = await open({}, failing('ENOSPC', 1));
    await expect(spool.add(event('ev-b', { priority: 'bulk' }), SETTLED)).rejects.toMatchObject({
      code: 'RECORD_WRITE',
    });
    expect(spool.diskState().state).toBe('refusing');
    nowMs += 60_000;
    expect(await spool.add(event('ev-b', { priority: 'bulk' }), SETTLED)).toBe('spooled');
  });

  it('gives up nothing for a disk that is broken and not full', async () => {
    await (await open()).add(event('ev-a'), SETTLED);
    const spool = await open({}, failing('EIO', 1));
    await expect(spool.add(event('ev-b', { priority: 'safety' }), SETTLED)).rejects.toMatchObject({
      code: 'RECORD_WRITE',
    });
    expect(spool.counts()).toMatchObject({ spooled: 1, evicted: 0 });
  });
});

describe('the start of the spool', () => {
  it('discards what was half written, adopts what its index does not know, and sets the unknown aside', async () => {
    const spool = await open();
    await spool.add(event('ev-a', { priority: 'safety' }), SETTLED);
    await spool.add(event('ev-b', { priority: 'bulk' }), SETTLED);
    await rm(join(root, 'index.journal'));
    await writeFile(join(root, 'queue', 'ev-x.mcap.active'), 'half');
    await writeFile(join(root, 'queue', 'notes.txt'), 'whose?');
    await writeFile(join(root, 'queue', 'ev-broken.mcap'), 'no recording');
    const again = await open();
    const facts = again
      .entries()
      .map(({ eventId, digest, priority, session }) => ({ eventId, digest, priority, session }));
    expect(facts).toEqual(
      spool.entries().map(({ eventId, digest, priority, session }) => ({ eventId, digest, priority, session })),
    );
    expect(again.entry('ev-a')).toMatchObject({ campaignIds: ['c'], isSettled: false, endNs: 3n * SECOND });
    expect(await inFolder('queue')).toEqual(['ev-a.mcap', 'ev-b.mcap']);
    expect(await inFolder('quarantine')).toEqual([
      'ev-broken.mcap',
      'ev-broken.mcap.reason.txt',
      'notes.txt',
      'notes.txt.reason.txt',
    ]);
  });

  it('takes a recording that is still to be adopted as known', async () => {
    await (await open()).add(event('ev-a'), SETTLED);
    await rm(join(root, 'index.journal'));
    const again = await Spool.open({ disk: disk(), root, clock, logger: QUIET, limits: LIMITS });
    expect(again.explain('ev-a')).toEqual({ kind: 'adopting' });
    expect(await again.add(event('ev-a'), SETTLED)).toBe('known');
    expect(again.entry('ev-a')).toMatchObject({ isSettled: true });
    await again.recovered;
    expect(await inFolder('queue')).toEqual(['ev-a.mcap']);
  });

  it('adopts a longer recording whose line was not written any more', async () => {
    const spool = await open();
    await spool.add(event('ev-a'), OPEN);
    const index = await readFile(join(root, 'index.journal'));
    await spool.add(event('ev-a', { seconds: 5 }), OPEN);
    await writeFile(join(root, 'index.journal'), index);
    const again = await open();
    expect(again.entry('ev-a')).toMatchObject({
      endNs: 5n * SECOND,
      generation: 1,
      digest: spool.entry('ev-a')?.digest,
    });
    expect(await inFolder('queue')).toEqual(['ev-a.1.mcap']);
  });

  it('tells the cloud of a recording that was cut short or is gone', async () => {
    const spool = await open();
    for (const id of ['ev-a', 'ev-b', 'ev-c']) await spool.add(event(id), SETTLED);
    await truncate(join(root, 'queue', 'ev-a.mcap'), 500);
    await rename(join(root, 'queue', 'ev-b.mcap'), join(root, 'elsewhere.mcap'));
    const again = await open();
    expect(again.entries().map((entry) => entry.eventId)).toEqual(['ev-c']);
    const told = again.tombstones().map(({ eventId, code, digest }) => ({ eventId, code, digest }));
    expect(told.toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1))).toEqual(
      ['ev-a', 'ev-b'].map((eventId) => ({ eventId, code: 'SPOOL_CORRUPT', digest: spool.entry(eventId)?.digest })),
    );
    expect(await readFile(join(root, 'quarantine', 'ev-a.mcap.reason.txt'), 'utf8')).toContain('truncated');
  });

  it('finishes what a crash left between an outcome and its file', async () => {
    const spool = await open();
    const [one, two] = [event('ev-a'), event('ev-b')];
    for (const each of [one, two]) await spool.add(each, SETTLED);
    const copies = await Promise.all(['ev-a', 'ev-b'].map(async (id) => readFile(join(root, 'queue', `${id}.mcap`))));
    await spool.verified('ev-a', 1n);
    await spool.refused('ev-b', 'INGEST_LIMIT', 'no');
    await rm(join(root, 'refused'), { recursive: true });
    for (const [index, id] of ['ev-a', 'ev-b'].entries())
      await writeFile(join(root, 'queue', `${id}.mcap`), copies[index] ?? '');
    expect((await open()).entries()).toEqual([]);
    expect(await inFolder('queue')).toEqual([]);
    expect(await inFolder('refused')).toEqual(['ev-b.mcap', 'ev-b.mcap.reason.txt']);
  });

  it('starts on a disk that takes nothing', async () => {
    await (await open()).add(event('ev-a'), SETTLED);
    await writeFile(join(root, 'queue', 'notes.txt'), 'whose?');
    await writeFile(join(root, 'index.journal'), 'torn', { flag: 'a' });
    const real = new NodeDisk();
    const full = disk({
      open: async (path, mode) => {
        if (mode !== 'read') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        return real.open(path, mode);
      },
    });
    const spool = await open({}, full);
    expect(spool.entries().map((entry) => entry.eventId)).toEqual(['ev-a']);
  });
});
