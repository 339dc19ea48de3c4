/** Sinks for tests, hostile on purpose: the buffer they are given is not theirs after the call, so they copy it, and some of them fail. */
import type { McapSink } from './mcap-output.ts';

export class MemorySink implements McapSink {
  readonly #parts: Uint8Array[] = [];
  writes = 0;

  async write(bytes: Uint8Array): Promise<void> {
    this.writes += 1;
    this.#parts.push(Uint8Array.from(bytes));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Resolves each write only after some turns of the event loop, and copies the bytes at the last moment. */
export class SlowSink extends MemorySink {
  readonly #turns: number;

  constructor(turns: number) {
    super();
    this.#turns = turns;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    for (let turn = 0; turn < this.#turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await super.write(bytes);
  }
}

/** Fails at one write, as a full disk does, and notes when it is called again after that. */
export class FailingSink extends MemorySink {
  readonly error = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  readonly #failAt: number;

  /** @param failAt counts from 1 */
  constructor(failAt: number) {
    super();
    this.#failAt = failAt;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    await super.write(bytes);
    if (this.writes === this.#failAt) throw this.error;
  }
}
