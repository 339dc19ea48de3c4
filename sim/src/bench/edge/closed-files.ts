/** Recordings that appear in the queue of an agent, with the moment at which they did; kept by a link of our own, as the agent removes them. */
import { type FSWatcher, linkSync, watch } from 'node:fs';
import { join } from 'node:path';

type ClosedFile = { readonly path: string; readonly atMs: number };

export class ClosedFiles implements Disposable {
  readonly files: ClosedFile[] = [];
  readonly #names = new Set<string>();
  readonly #watcher: FSWatcher;
  #given = 0;
  #wake = Promise.withResolvers<void>();

  /** @param keptIn folder on the same file system */
  constructor(queue: string, keptIn: string) {
    this.#watcher = watch(queue, (_, name) => {
      const atMs = performance.timeOrigin + performance.now();
      if (name?.endsWith('.mcap') !== true || this.#names.has(name)) return;
      this.#names.add(name);
      const path = join(keptIn, name);
      linkSync(join(queue, name), path);
      this.files.push({ path, atMs });
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  /** Resolves when there is one more than at the last call. */
  async next(signal: AbortSignal): Promise<void> {
    this.#given += 1;
    while (this.files.length < this.#given) {
      signal.throwIfAborted();
      const { promise, reject } = Promise.withResolvers<never>();
      const abort = (): void => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      await Promise.race([this.#wake.promise, promise]).finally(() => signal.removeEventListener('abort', abort));
    }
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}
