/** Why: a flush covers everything that was there when it began, so callers that wait at the same moment can share one. */

export class GroupedFlush {
  readonly #flush: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /** Resolves after a flush that began after this call; rejects when that flush failed. */
  async run(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    // The running flush may have begun before what this caller has done.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  async #begin(): Promise<void> {
    const running = this.#flush().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
