import fc from 'fast-check';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { PRIORITIES, type Priority } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import type { SpoolEntry } from '../spool/spool-entry.ts';
import { MinHeap } from './min-heap.ts';
import { type Upload, UploadBook, UPLOADS_OPEN_MAX } from './upload-book.ts';
import { startUpload, stepUpload, type UploadInput } from './upload-state.ts';
import { deadlineOf, urgencyOf } from './urgency.ts';

const DIGEST = digestOfBytes(new Uint8Array());
const WAITING = 50_000;

function entryOf(eventId: string, priority: Priority, order: number): SpoolEntry {
  return {
    eventId,
    digest: DIGEST,
    sizeBytes: 1,
    chunkSizeBytes: 1,
    chunkDigests: [DIGEST],
    priority,
    session: 's',
    campaignIds: [],
    startNs: 0n,
    endNs: 0n,
    capturedAtMs: 0,
    order,
    generation: 1,
    isResumed: false,
    isSettled: true,
  };
}

function put(book: UploadBook, eventId: string, priority: Priority, order: number): void {
  book.put({ kind: 'recording', entry: entryOf(eventId, priority, order) }, order, undefined, 0);
}

function step(book: UploadBook, upload: Upload, inputs: readonly UploadInput[], nowMs = 0): void {
  upload.state ??= startUpload({ chunkCount: 1, isResumed: false });
  for (const input of inputs) upload.state = stepUpload(upload.state, input, { nowMs, jitter: 0 });
  book.update(upload.key, nowMs);
}

const SENT: readonly UploadInput[] = [
  { kind: 'chunk-sent' },
  { kind: 'chunk-stored' },
  { kind: 'manifest-sent' },
  { kind: 'manifest-stored' },
];

describe('the book of uploads', () => {
  it('gives each class in the order of capture', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PRIORITIES), { minLength: 1, maxLength: 60 }), (priorities) => {
        const book = new UploadBook();
        for (const [index, priority] of [...priorities.entries()].toReversed())
          put(book, `ev-${index}`, priority, index);
        for (const priority of PRIORITIES) {
          const seen: number[] = [];
          for (let next = book.next(priority, false); next !== undefined; next = book.next(priority, false)) {
            seen.push(next.order);
            book.remove(next.key);
          }
          expect(seen).toEqual(priorities.flatMap((each, index) => (each === priority ? [index] : [])));
        }
      }),
    );
  });

  it('begins no more than its maximum while receipts are awaited, and goes on past those that are late', () => {
    const book = new UploadBook();
    for (let index = 0; index < 2 * UPLOADS_OPEN_MAX; index += 1) put(book, `ev-${index}`, 'normal', index);
    for (let index = 0; index < UPLOADS_OPEN_MAX; index += 1) {
      const next = book.next('normal', false);
      if (next === undefined) throw new Error('none is left too early');
      step(book, next, SENT);
    }
    expect(book.next('normal', false)).toBeUndefined();
    const laterMs = 10_000;
    expect(book.wake(laterMs)).toBe(Number.POSITIVE_INFINITY);
    const late = book.next('normal', false);
    if (late === undefined) throw new Error('nobody asks again');
    step(book, late, [{ kind: 'manifest-sent' }, { kind: 'manifest-stored' }], laterMs);
    for (let next = book.next('normal', false); next?.state !== undefined; next = book.next('normal', false))
      step(book, next, [{ kind: 'manifest-sent' }, { kind: 'manifest-stored' }], laterMs);
    // All are late now: with somebody answering others the next may begin, in silence it may not.
    expect(book.next('normal', false)?.order).toBe(UPLOADS_OPEN_MAX);
    expect(book.next('normal', true)).toBeUndefined();
  });

  it('moves a recording one class up when its deadline is near, behind those of that class', () => {
    const book = new UploadBook();
    const deadline = deadlineOf({ capturedAtMs: 0, uploadWithinMs: 9_000 }, 0, 0);
    book.put({ kind: 'recording', entry: entryOf('ev-due', 'bulk', 0) }, 0, deadline, 0);
    put(book, 'ev-own', 'normal', 1);
    expect(book.next('bulk', false)?.key).toBe('ev-due');
    expect(book.wake(5_999)).toBe(6_000);
    book.wake(6_000);
    expect(book.next('bulk', false)).toBeUndefined();
    expect(book.next('normal', false)?.key).toBe('ev-own');
    book.remove('ev-own');
    expect(book.next('normal', false)?.key).toBe('ev-due');
  });

  it('names the next of fifty thousand at each chunk without looking at the others', () => {
    const book = new UploadBook();
    for (let index = 0; index < WAITING; index += 1) put(book, `ev-${index}`, 'bulk', index);
    let ended = 0;
    for (let next = book.next('bulk', false); next !== undefined; next = book.next('bulk', false)) {
      step(book, next, SENT);
      book.remove(next.key);
      ended += 1;
    }
    expect(ended).toBe(WAITING);
  });
});

describe('a deadline', () => {
  it('lies between now and the whole time from now, wherever the wall clock was stepped', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer(),
        fc.integer({ min: 1, max: 1e9 }),
        (capturedAtMs, wallMs, uploadWithinMs) => {
          const deadline = deadlineOf({ capturedAtMs, uploadWithinMs }, 100, wallMs);
          expect(deadline?.dueMs).toBeGreaterThanOrEqual(100);
          expect(deadline?.dueMs).toBeLessThanOrEqual(100 + uploadWithinMs);
        },
      ),
    );
  });

  it('never moves safety, nor a recording without one', () => {
    expect(urgencyOf('safety', { dueMs: 0, withinMs: 1 }, 10)).toMatchObject({ priority: 'safety', isBoosted: false });
    expect(urgencyOf('bulk', undefined, 10)).toMatchObject({ priority: 'bulk', isBoosted: false });
  });
});

describe('a heap', () => {
  it('gives what was put in by rank', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = new MinHeap<number>((left, right) => left < right);
        for (const number of numbers) heap.push(number);
        const out: number[] = [];
        while (heap.size > 0) out.push(heap.pop() as number);
        expect(out).toEqual(numbers.toSorted((left, right) => left - right));
        expect(heap.peek()).toBeUndefined();
      }),
    );
  });
});
