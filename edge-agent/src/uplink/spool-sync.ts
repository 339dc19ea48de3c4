/** Follows the spool: what is new there becomes an upload, what is gone stops being one. */
import type { AgentClock } from '../ports.ts';
import type { UploadBook } from './upload-book.ts';
import { isSameItem, keyOf, type UploadItem, type UploadSpool } from './upload-item.ts';
import { deadlineOf } from './urgency.ts';

/** With more items than this a look through them all is worth a pause before the next. */
const ITEMS_AT_ONCE_MAX = 1_000;
const LARGE_SYNC_PAUSE_MS = 200;

export type SpoolSyncParts = {
  readonly spool: UploadSpool;
  readonly book: UploadBook;
  readonly clock: AgentClock;
};

export class SpoolSync {
  readonly #parts: SpoolSyncParts;
  #isChanged = true;
  #notBeforeMs = 0;

  constructor(parts: SpoolSyncParts) {
    this.#parts = parts;
  }

  changed(): void {
    this.#isChanged = true;
  }

  /** Looks at the spool if it has changed; returns after how many ms to call again. */
  run(nowMs: number): number {
    if (!this.#isChanged) return Number.POSITIVE_INFINITY;
    if (nowMs < this.#notBeforeMs) return this.#notBeforeMs - nowMs;
    this.#isChanged = false;
    const count = this.#compare(nowMs);
    if (count > ITEMS_AT_ONCE_MAX) this.#notBeforeMs = nowMs + LARGE_SYNC_PAUSE_MS;
    return Number.POSITIVE_INFINITY;
  }

  #compare(nowMs: number): number {
    const { spool, book, clock } = this.#parts;
    const wallMs = clock.nowMs();
    const keys = new Set<string>();
    const keep = (item: UploadItem, order: number): void => {
      const key = keyOf(item);
      keys.add(key);
      const known = book.find(key);
      if (known !== undefined && isSameItem(known.item, item)) return;
      book.put(item, order, item.kind === 'recording' ? deadlineOf(item.entry, nowMs, wallMs) : undefined, nowMs);
    };
    for (const entry of spool.entries()) if (entry.isSettled) keep({ kind: 'recording', entry }, entry.order);
    for (const [index, entry] of spool.tombstones().entries()) keep({ kind: 'tombstone', entry }, index);
    // What is being settled stays until its end is on disk.
    for (const { key, isSettling } of book.all()) if (!keys.has(key) && !isSettling) book.remove(key);
    return keys.size;
  }
}
