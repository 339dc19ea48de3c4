/**
 * Why: whoever is told that an append failed may never repeat it, and a nats-server whose disk ran full may have kept its beginning,
 * which shows when it is started again. As long as the process lives that made the append, it looks, and adds what is lacking.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import type { EncodedEntry } from '../ledger/entry-coding.ts';

/** An atomic append of which nobody knows whether it stands. */
export type UnsettledBatch = {
  readonly entries: readonly EncodedEntry[];
  readonly expect: readonly (number | undefined)[];
};

export type UnsettledParts = {
  /** Adds what is lacking; undefined where the server has not kept just the beginning. */
  readonly complete: (batch: UnsettledBatch) => Promise<readonly number[] | undefined>;
  /** Entries of the ledger. */
  readonly size: () => Promise<number>;
  /** Whether nobody is to be asked any more. */
  readonly isOver: () => boolean;
};

/** The oldest give way. */
const BATCHES_MAX = 64;
const LOOK_INTERVAL_MS = 1_000;

export class UnsettledBatches {
  readonly #parts: UnsettledParts;
  /** With the size of the ledger when it was first looked at afterwards. */
  readonly #batches = new Map<UnsettledBatch, number | undefined>();
  #isLooking = false;

  constructor(parts: UnsettledParts) {
    this.#parts = parts;
  }

  add(batch: UnsettledBatch): void {
    this.#batches.set(batch, undefined);
    const [oldest] = this.#batches.keys();
    if (oldest !== undefined && this.#batches.size > BATCHES_MAX) this.#batches.delete(oldest);
    if (!this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#batches.size > 0) {
      await delay(LOOK_INTERVAL_MS, undefined, { ref: false });
      if (this.#parts.isOver()) break;
      for (const batch of this.#batches.keys()) if (await this.#isSettled(batch)) this.#batches.delete(batch);
    }
    this.#isLooking = false;
  }

  /** Once the ledger has grown behind it, what is not there will not show any more. */
  async #isSettled(batch: UnsettledBatch): Promise<boolean> {
    try {
      const size = await this.#parts.size();
      if ((await this.#parts.complete(batch)) !== undefined) return true;
      const sizeBefore = this.#batches.get(batch) ?? size;
      this.#batches.set(batch, sizeBefore);
      return size > sizeBefore;
    } catch (error) {
      // On a conflict somebody has gone on from another state: then it stays as it stands.
      return FleetError.from(error).code === 'LEDGER_CONFLICT';
    }
  }
}
