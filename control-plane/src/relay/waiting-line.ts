/** What waits to be worked on, first come first served; whoever works waits for the next. */
export class WaitingLine<Item> {
  readonly #items: Item[] = [];
  #arrival = Promise.withResolvers<void>();

  get size(): number {
    return this.#items.length;
  }

  push(item: Item): void {
    this.#items.push(item);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  /** Undefined when `signal` aborts. */
  async next(signal: AbortSignal): Promise<Item | undefined> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        if (this.#items.length > 0) return this.#items.shift();
        await Promise.race([this.#arrival.promise, aborted.promise]);
      }
      return undefined;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
