import type { Digest } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOOSE_CHUNK_MS, RelayRoom } from './relay-room.ts';

const chunk = (index: number, sizeBytes = 10) => ({
  vehicleId: 'v-1',
  digest: `sha256:${String(index).padStart(64, '0')}` as Digest,
  sizeBytes,
});
const digestsOf = (...indexes: number[]): Digest[] => indexes.map((index) => chunk(index).digest);

describe('RelayRoom', () => {
  it('tells a vehicle to wait rather than give up what it promised to another', () => {
    let nowMs = 0;
    const room = new RelayRoom(25, () => nowMs);
    room.take(chunk(1));
    room.take(chunk(2));
    room.promise('v-1', digestsOf(1, 2));
    nowMs = LOOSE_CHUNK_MS * 10;
    expect(() => room.take(chunk(3))).toThrowError(
      expect.objectContaining({ code: 'RELAY_UNAVAILABLE', retryable: true }),
    );
    expect(room.release('v-1', digestsOf(1, 2))).toEqual(digestsOf(1, 2));
    expect(room.take(chunk(3))).toEqual([]);
    expect(room.bytes).toBe(10);
  });

  it('lets chunks go again, each at its time, when a promise is taken back', () => {
    let nowMs = 0;
    const room = new RelayRoom(25, () => nowMs);
    room.take(chunk(1));
    room.take(chunk(2));
    room.promise('v-1', digestsOf(2));
    room.promise('v-1', digestsOf(1, 2));
    nowMs = LOOSE_CHUNK_MS * 2;
    room.takeBack('v-1', digestsOf(1, 2));
    expect(digestsOf(1, 2, 3).map((digest) => room.has('v-1', digest))).toEqual([true, true, false]);
    expect(() => room.take(chunk(3))).toThrowError(/holds 20 of 25 bytes/);
    nowMs += LOOSE_CHUNK_MS + 1;
    expect(room.take(chunk(3))).toMatchObject([{ digest: chunk(1).digest }]);
    expect(room.release('v-1', digestsOf(2))).toEqual(digestsOf(2));
  });

  it('takes the oldest chunks that nobody has claimed away, but not while they are young', () => {
    let nowMs = 0;
    const room = new RelayRoom(25, () => nowMs);
    room.take(chunk(1));
    nowMs = LOOSE_CHUNK_MS / 2;
    room.take(chunk(2));
    expect(() => room.take(chunk(3))).toThrowError(/holds 20 of 25 bytes/);
    nowMs = LOOSE_CHUNK_MS + 1;
    expect(room.take(chunk(3))).toMatchObject([{ digest: chunk(1).digest }]);
    expect(room.bytes).toBe(20);
  });

  it('keeps a chunk that two recordings share until both are released', () => {
    const room = new RelayRoom(100, () => 0);
    for (const index of [1, 2, 3]) room.take(chunk(index));
    room.promise('v-1', digestsOf(1, 2));
    room.promise('v-1', digestsOf(2, 3, 3));
    expect(room.discard('v-1', digestsOf(2))).toEqual([]);
    expect(room.release('v-1', digestsOf(1, 2))).toEqual(digestsOf(1));
    expect(room.release('v-1', digestsOf(2, 3, 3))).toEqual(digestsOf(2, 3));
    expect(room.bytes).toBe(0);
  });

  it('never counts more than its limit, never less than nothing, and is empty when all is gone', () => {
    const step = fc.record({
      action: fc.constantFrom('take', 'promise', 'discard', 'release'),
      index: fc.nat({ max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let nowMs = 0;
        const room = new RelayRoom(40, () => nowMs);
        const stored = new Set<number>();
        const promised: number[] = [];
        for (const { action, index } of steps) {
          nowMs += LOOSE_CHUNK_MS / 3;
          if (action === 'take') {
            try {
              for (const { digest } of room.take(chunk(index))) stored.delete(Number(digest.slice(7)));
              stored.add(index);
            } catch {
              // No room: the vehicle waits.
            }
          } else if (action === 'promise' && stored.has(index)) {
            room.promise('v-1', digestsOf(index));
            promised.push(index);
          } else if (action === 'discard' && room.discard('v-1', digestsOf(index)).length > 0) stored.delete(index);
          else if (action === 'release' && promised.includes(index)) {
            promised.splice(promised.indexOf(index), 1);
            if (room.release('v-1', digestsOf(index)).length > 0) stored.delete(index);
          }
          expect(room.bytes).toBe(stored.size * 10);
          expect(room.bytes).toBeLessThanOrEqual(40);
          for (const each of promised) expect(stored).toContain(each);
        }
        for (const index of promised.splice(0))
          if (room.release('v-1', digestsOf(index)).length > 0) stored.delete(index);
        for (const index of stored) room.discard('v-1', digestsOf(index));
        expect(room.bytes).toBe(0);
      }),
    );
  });
});
