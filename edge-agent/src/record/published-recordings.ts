/** What became of the recordings of one session that were handed on: whether they are written, and whether they may still change. */
import type { EventId } from '@fleetloop/schemas';
import type { EventWindow } from './event-windows.ts';

type Published = {
  readonly eventId: EventId;
  readonly window: EventWindow;
  readonly kept: ReadonlyMap<string, number>;
  isReleased: boolean;
  isSettled: boolean;
};

/** What is told when a recording is on disk for good. */
export type RecordedListener = (window: EventWindow) => void;

export class PublishedRecordings {
  readonly #onRecorded: RecordedListener;
  /** Latest recording of each event that is not settled. */
  readonly #open = new Map<EventId, Published>();

  constructor(onRecorded: RecordedListener) {
    this.#onRecorded = onRecorded;
  }

  has(eventId: EventId): boolean {
    return this.#open.has(eventId);
  }

  /** Remembers a recording; the returned function says that it is written. */
  add(eventId: EventId, window: EventWindow, kept: ReadonlyMap<string, number>): () => void {
    const published: Published = { eventId, window, kept, isReleased: false, isSettled: false };
    this.#open.set(eventId, published);
    return () => {
      published.isReleased = true;
      if (published.isSettled) this.#onRecorded(window);
    };
  }

  /** The recording stays as it is; returns the messages that it keeps per topic. */
  settle(eventId: EventId): ReadonlyMap<string, number> {
    const published = this.#open.get(eventId);
    if (published === undefined) return new Map();
    this.#open.delete(eventId);
    published.isSettled = true;
    if (published.isReleased) this.#onRecorded(published.window);
    return published.kept;
  }

  withdraw(eventId: EventId): void {
    this.#open.delete(eventId);
  }
}
