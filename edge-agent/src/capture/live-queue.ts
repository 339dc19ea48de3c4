/**
 * What has come and was not taken yet, in the order of arrival. Each publisher may hold as much of it as its window, so the
 * queue is bounded by the number of publishers, and one that floods is behind the others by its own window only.
 */
import type { SourceMessage } from '@fleetloop/schemas';

/** Whoever a message came from; is told when it was taken. */
export type QueueOwner = { readonly released: (messages: number, bytes: number) => void };

/** Begins another session when it is reached. */
export type SessionStart<S> = { readonly kind: 'session'; readonly session: S };
export type QueuedMessage = {
  readonly kind: 'message';
  readonly message: SourceMessage;
  readonly owner: QueueOwner;
  readonly sizeBytes: number;
};

/** Removed heads are cut off when they are this many. */
const CUT_LENGTH = 4_096;

export class LiveQueue<S> {
  #items: (QueuedMessage | SessionStart<S> | undefined)[] = [];
  #head = 0;
  #wake: (() => void) | undefined;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: QueuedMessage | SessionStart<S>): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The session that begins next, when nothing of the one before is left. */
  takeSession(): S | undefined {
    const item = this.#items[this.#head];
    if (item?.kind !== 'session') return undefined;
    this.#advance();
    return item.session;
  }

  /** Up to `countMax` messages of the session that runs; fewer before the next session. */
  takeMessages(countMax: number): readonly QueuedMessage[] {
    const taken: QueuedMessage[] = [];
    while (taken.length < countMax) {
      const item = this.#items[this.#head];
      if (item?.kind !== 'message') break;
      taken.push(item);
      this.#advance();
    }
    return taken;
  }

  /** Resolves when there is something, or at `wake`. One waiter at a time. */
  async filled(): Promise<void> {
    if (this.length > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }

  /** Lets whoever waits look around, though nothing has come. */
  wake(): void {
    this.#wake?.();
  }

  #advance(): void {
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head < CUT_LENGTH && this.#head < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
