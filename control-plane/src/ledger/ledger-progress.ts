/** Why: reading a whole ledger may take minutes: whoever waits is told how far it is, and Ctrl-C ends it between two entries. */
import { FleetError } from '@fleetloop/schemas';
import type { CheckedEntries, EntryChecks } from './entry-checks.ts';

/** Between two lines, ms. */
const SAY_INTERVAL_MS = 2_000;
/** Looking at the clock costs more than most entries do. */
const LOOK_EVERY_ENTRIES = 1_024;

export type ProgressParts = {
  /** What is being done, and to how many entries, where that is known. */
  readonly work: string;
  readonly total: number | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly nowMs: () => number;
};

export class LedgerProgress {
  readonly #parts: ProgressParts;
  #saidMs: number;

  constructor(parts: ProgressParts) {
    this.#parts = parts;
    this.#saidMs = parts.nowMs();
  }

  /** @throws FleetError LEDGER_INTERRUPTED */
  seen(sequence: number): void {
    if (sequence % LOOK_EVERY_ENTRIES !== 0) return;
    const { work, total, say, signal, nowMs } = this.#parts;
    if (signal?.aborted === true)
      throw new FleetError('LEDGER_INTERRUPTED', `interrupted: ${sequence} entries were ${work}, nothing is answered`);
    if (nowMs() - this.#saidMs < SAY_INTERVAL_MS) return;
    this.#saidMs = nowMs();
    say(`${sequence}${total === undefined ? '' : ` of ${total}`} entries ${work}`);
  }

  /** The same entries, told of on the way. */
  async *over<Entry extends { readonly sequence: number }>(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
    for await (const entry of entries) {
      this.seen(entry.sequence);
      yield entry;
    }
  }
}

/** Tells of entries where each is checked: one more iterator around them would cost as much as hashing them. */
export class WatchedChecks implements EntryChecks {
  readonly #checks: EntryChecks;
  readonly #progress: LedgerProgress;

  constructor(checks: EntryChecks, progress: LedgerProgress) {
    this.#checks = checks;
    this.#progress = progress;
  }

  take(sequence: number, bytes: Uint8Array): Promise<void> | undefined {
    this.#progress.seen(sequence);
    return this.#checks.take(sequence, bytes);
  }

  async finish(): Promise<CheckedEntries> {
    return this.#checks.finish();
  }
}
