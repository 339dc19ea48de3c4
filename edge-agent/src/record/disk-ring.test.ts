import type { PullRequest } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import {
  at,
  canMessage,
  openBed,
  ROOT,
  SPEED,
  speedMessage,
  startLive,
  testCampaign,
  TestSpool,
} from './live-testbed.ts';
import { readRecorded, recordingsOf } from './read-recorded.ts';
import type { ClosedRecording } from './recorder-effects.ts';

const CAMPAIGN = testCampaign('a', { topics: [SPEED.topic], postWindowMs: 2_000 });
const SMALL = { blockBytes: 600, blockAgeMs: 300 };
const noSpace = (): NodeJS.ErrnoException => Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
const segments = (disk: MemoryDisk): string[] => [...disk.files.keys()].filter((path) => path.endsWith('.ring'));

/** A trigger at 2 s, and power that is cut at 3 s, in the middle of its post-window. */
async function cutInPostWindow(segmentBytes = 1_000, stepMs = 50): Promise<MemoryDisk> {
  const disk = memoryDisk();
  const { recorder, ring } = await openBed(disk, SMALL, { segmentBytes });
  recorder.setCampaigns([CAMPAIGN]);
  startLive(recorder);
  for (let ms = 0; ms <= 3_000; ms += stepMs) {
    recorder.push(ms % 100 === 0 ? speedMessage(ms, ms / 100) : canMessage(ms, ms / 50));
    if (ms === 2_000) recorder.trigger(CAMPAIGN, at(ms));
    await ring.flush();
  }
  return disk.copy();
}

async function foundIn(disk: MemoryDisk): Promise<readonly ClosedRecording[]> {
  const { recorder } = await openBed(disk);
  return recordingsOf(await recorder.recover());
}

async function recovered(disk: MemoryDisk): Promise<readonly ClosedRecording[]> {
  const { recorder, ring } = await openBed(disk);
  const recordings = recordingsOf(await recorder.recover());
  for (const recording of recordings) {
    const sequences = (await readRecorded(recording)).map((message) => message.sequence);
    expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
    expect(sequences.every((sequence) => sequence >= 10 && sequence <= 30)).toBe(true);
    expect(recording.messages).toBe(sequences.length);
    recording.release();
  }
  await ring.flush();
  const again = await openBed(disk);
  expect(await again.recorder.recover()).toEqual([]);
  return recordings;
}

describe('after a power cut', () => {
  it('an open event becomes a recording of what was on disk, with the gap to its intended end', async () => {
    const [recording] = await recovered(await cutInPostWindow());
    expect(recording).toMatchObject({ session: 'boot-1', startNs: at(1_000), endNs: at(4_000), priority: 'normal' });
    expect(recording?.metadata.event).toMatchObject({ cut: 'power-loss', triggers: [{ campaign: 'a' }] });
    expect(recording?.metadata.session.attributes).toEqual({ place: 'Omaha' });
    // The blocks that were sealed by then: all but the last of them.
    expect(recording?.messages).toBeGreaterThanOrEqual(18);
    expect(recording?.gaps.at(-1)?.toNs).toBe(at(4_000));
  });

  it('has the same id as it would have had without', async () => {
    const { recorder } = await openBed(memoryDisk());
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    for (let ms = 0; ms <= 3_000; ms += 100) {
      recorder.push(speedMessage(ms, ms / 100));
      if (ms === 2_000) recorder.trigger(CAMPAIGN, at(ms));
    }
    const [whole] = recordingsOf(recorder.endSession());
    const [cut] = await recovered(await cutInPostWindow());
    expect(cut?.id).toBe(whole?.id);
  });

  it('a trigger that was acknowledged has its pre-window on disk', async () => {
    const disk = memoryDisk();
    const { recorder, ring } = await openBed(disk, { blockAgeMs: 60_000 });
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    for (let ms = 0; ms <= 2_000; ms += 100) recorder.push(speedMessage(ms, ms / 100));
    recorder.trigger(CAMPAIGN, at(2_000));
    await ring.flush();
    const [recording] = await recovered(disk.copy());
    expect(recording?.messages).toBe(11);
  });

  it('what was recorded before is not recorded again', async () => {
    const disk = memoryDisk();
    const { recorder, ring } = await openBed(disk, SMALL);
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    const spool = new TestSpool();
    for (let ms = 0; ms <= 9_000; ms += 100) {
      await spool.take(recorder.push(speedMessage(ms, ms / 100)));
      if (ms === 2_000) recorder.trigger(CAMPAIGN, at(ms));
    }
    expect(spool.settled).toHaveLength(1);
    await ring.flush();
    const after = await openBed(disk.copy());
    expect(await after.recorder.recover()).toEqual([]);
  });

  it('a segment cut off anywhere gives what is whole in front of the cut', async () => {
    const disk = await cutInPostWindow(100_000, 200);
    const [path = ''] = segments(disk);
    const whole = disk.files.get(path) ?? new Uint8Array();
    expect(whole.length).toBeGreaterThan(1_000);
    let before = 0;
    for (let size = 0; size <= whole.length; size += 1) {
      const cut = disk.copy();
      cut.files.set(path, whole.slice(0, size));
      // Reading every one of them back takes long; what is read differs only from block to block.
      const [recording] = size % 50 === 0 ? await recovered(cut) : await foundIn(cut);
      expect(recording).toBeDefined();
      expect(recording?.messages).toBeGreaterThanOrEqual(before);
      before = recording?.messages ?? 0;
    }
    expect(before).toBeGreaterThan(6);
  }, 60_000);

  it('a journal cut off anywhere gives the claims in front of the cut', async () => {
    const disk = await cutInPostWindow();
    const path = `${ROOT}/claims.jsonl`;
    const whole = disk.files.get(path) ?? new Uint8Array();
    for (let size = 0; size <= whole.length; size += 1) {
      const cut = disk.copy();
      cut.files.set(path, whole.slice(0, size));
      expect(await recovered(cut)).toHaveLength(size >= whole.length - 1 ? 1 : 0);
    }
  }, 60_000);

  it('bits that flipped cost what they hit and nothing else', async () => {
    const disk = await cutInPostWindow();
    const paths = [...disk.files.keys()];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 }), async (flips) => {
        const bent = disk.copy();
        for (const [which, bit] of flips) {
          const bytes = bent.files.get(paths[which % paths.length] ?? '') ?? new Uint8Array(1);
          const index = (bit >> 3) % bytes.length;
          bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit % 8));
        }
        expect((await recovered(bent)).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('files that nobody knows are set aside', async () => {
    const disk = await cutInPostWindow();
    disk.files.set(`${ROOT}/holiday.jpg`, Uint8Array.of(1));
    disk.files.set(`${ROOT}/segment-00000099.ring`, Uint8Array.of(1, 2, 3));
    const { ring } = await openBed(disk);
    expect(ring.damages()).toMatchObject([{ file: 'segment-00000099.ring', atByte: 0, lostBytes: 3 }]);
    expect([...disk.files.keys()].filter((path) => path.includes('quarantine'))).toEqual([
      `${ROOT}/quarantine/holiday.jpg`,
      `${ROOT}/quarantine/segment-00000099.ring`,
    ]);
  });
});

describe('a disk that refuses', () => {
  it('is a state: the ring lives in memory, and goes to disk again by itself', async () => {
    const disk = memoryDisk();
    const { recorder, ring, clock } = await openBed(disk, SMALL, { retryMs: 100 });
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    disk.failWrites = noSpace();
    for (let ms = 0; ms <= 2_000; ms += 100) recorder.push(speedMessage(ms, ms / 100));
    recorder.trigger(CAMPAIGN, at(2_000));
    await expect(ring.flush()).rejects.toMatchObject({ code: 'RECORD_WRITE' });
    expect(recorder.explain().ring.disk).toMatchObject({ state: 'memory-only', waitingClaims: 1 });
    disk.failWrites = undefined;
    clock.passMs(200);
    await ring.flush();
    expect(recorder.explain().ring.disk).toMatchObject({ state: 'disk', waitingBlocks: 0, waitingClaims: 0 });
    expect((await recovered(disk.copy()))[0]?.messages).toBe(11);
    const [recording] = recordingsOf(recorder.endSession());
    expect(recording?.messages).toBe(11);
  });

  it('cuts an open event when memory is all there is and it is full', async () => {
    const disk = memoryDisk();
    const { recorder, ring } = await openBed(disk, { blockBytes: 600, ringBytesMax: 8_000 });
    const long = testCampaign('long', { postWindowMs: 60_000 });
    recorder.setCampaigns([long]);
    startLive(recorder);
    disk.failWrites = noSpace();
    const spool = new TestSpool();
    for (let ms = 0; ms <= 20_000; ms += 50) {
      await spool.take(recorder.push(speedMessage(ms, ms / 50)));
      if (ms === 50) recorder.trigger(long, at(ms));
      if (ms === 1_000) await expect(ring.flush()).rejects.toMatchObject({ code: 'RECORD_WRITE' });
    }
    await spool.take(recorder.endSession());
    expect(spool.settled.length).toBeGreaterThan(1);
    expect(spool.settled[0]?.recording.metadata.event?.cut).toBe('memory');
    const sequences = spool.settled.flatMap(({ messages }) => messages.map((message) => message.sequence));
    expect(sequences).toEqual(Array.from({ length: 401 }, (_, index) => index));
  });
});

describe('the quota', () => {
  it('frees the oldest that nobody needs, and keeps what a recording still has to read', async () => {
    const disk = memoryDisk();
    const { recorder, ring } = await openBed(
      disk,
      { ...SMALL, ringBytesMax: 6_000 },
      { segmentBytes: 600, quotaBytes: 9_000 },
    );
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    const effects = [];
    for (let ms = 0; ms <= 60_000; ms += 50) {
      effects.push(...recorder.push(speedMessage(ms, ms / 50)));
      if (ms === 2_000) recorder.trigger(CAMPAIGN, at(ms));
      if (ms % 500 === 0) await ring.flush();
    }
    expect(ring.state().sizeBytes).toBeLessThanOrEqual(10_000);
    const [recording] = recordingsOf(effects);
    if (recording === undefined) throw new Error('no recording');
    expect((await readRecorded(recording)).map((message) => message.sequence)).toEqual(
      Array.from({ length: 61 }, (_, index) => 20 + index),
    );
    recording.release();
    const fromNs = recorder.explain().held[0]?.fromNs ?? 0n;
    expect(fromNs).toBeLessThan(at(1_100));
    for (let ms = 60_050; ms <= 70_000; ms += 50) {
      recorder.push(speedMessage(ms, ms / 50));
      if (ms % 500 === 0) await ring.flush();
    }
    expect(recorder.explain().held[0]?.fromNs).toBeGreaterThan(at(5_000));
  });

  it('that is held by an open event cuts it, and what follows continues it', async () => {
    const { recorder, ring } = await openBed(
      memoryDisk(),
      { ...SMALL, ringBytesMax: 6_000 },
      { segmentBytes: 600, quotaBytes: 5_000, retryMs: 0 },
    );
    const long = testCampaign('long', { postWindowMs: 60_000 });
    recorder.setCampaigns([long]);
    startLive(recorder);
    const spool = new TestSpool();
    for (let ms = 0; ms <= 30_000; ms += 50) {
      await spool.take(recorder.push(speedMessage(ms, ms / 50)));
      if (ms === 50) recorder.trigger(long, at(ms));
      if (ms % 500 === 0) await ring.flush().catch(() => undefined);
    }
    await spool.take(recorder.endSession());
    expect(spool.settled.length).toBeGreaterThan(1);
    const [first, second] = spool.settled.map(({ recording }) => recording);
    expect(first?.metadata.event?.cut).toBe('disk');
    expect(second?.metadata.event?.continues).toBe(first?.id);
    const sequences = spool.settled.flatMap(({ messages }) => messages.map((message) => message.sequence));
    expect(sequences).toEqual(Array.from({ length: 601 }, (_, index) => index));
  });
});

describe('a pull', () => {
  const pull = (fromMs: number, toMs: number): PullRequest => ({
    id: 'p1',
    fromNs: String(at(fromMs)),
    toNs: String(at(toMs)),
    priority: 'bulk',
    requestedBy: 'x',
    reason: '',
  });

  it('records a stored range of this session and of former ones', async () => {
    const disk = await cutInPostWindow();
    const { recorder } = await openBed(disk, SMALL);
    startLive(recorder, 'boot-2');
    for (let ms = 10_000; ms <= 12_000; ms += 100) recorder.push(speedMessage(ms, ms / 100));
    const recordings = recordingsOf(await recorder.claimRange(pull(500, 11_000)));
    expect(recordings.map(({ session, metadata }) => [session, metadata.pull])).toEqual([
      ['boot-1', 'p1'],
      ['boot-2', 'p1'],
    ]);
    const [former, current] = await Promise.all(recordings.map(readRecorded));
    expect(former?.[0]?.logTimeNs).toBe(at(500));
    expect(current?.map((message) => message.sequence)).toEqual([
      100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110,
    ]);
  });

  it('of what is not held names what is', async () => {
    const { recorder } = await openBed(await cutInPostWindow());
    await expect(recorder.claimRange(pull(50_000, 60_000))).rejects.toMatchObject({
      code: 'PULL_UNAVAILABLE',
      message: expect.stringContaining(`boot-1 from ${at(0)}`) as string,
    });
    await expect(recorder.claimRange(pull(2, 1))).rejects.toMatchObject({ code: 'PULL_INVALID' });
  });
});
