/** Why: a replay makes text of its entries batch by batch, on a thread of its own where there are many: a batch goes there in one piece, and its text comes back in one. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { checkedEntry } from '../ledger/checked-entry.ts';
import type { UncheckedEntry } from '../ports.ts';
import { RowTexts } from './row-text.ts';
import type { TableName } from './tables.ts';

/** Most bytes of a batch; one entry may be larger, and is a batch alone. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Entries before others on the same thread get their turn. */
const ENTRIES_PER_TURN = 200;

/** Consecutive entries one after another in one buffer, which may be given to another thread. */
export type RawBatch = {
  /** Sequence of the first one. */
  readonly fromSequence: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each entry ends in it. */
  readonly ends: readonly number[];
  readonly subjects: readonly string[];
};

export type TextBatch = {
  /** Of the last entry. */
  readonly sequence: number;
  /** What the entries have named. */
  readonly names: ReadonlyMap<string, string>;
  readonly tables: readonly { readonly table: TableName; readonly text: Uint8Array<ArrayBuffer> }[];
};

/** Mutates as entries are added. */
export class RawBatchBuilder {
  readonly #fromSequence: number;
  readonly #entriesMax: number;
  readonly #ends: number[] = [];
  readonly #subjects: string[] = [];
  #bytes = new Uint8Array(BATCH_BYTES);
  #length = 0;

  constructor(fromSequence: number, entriesMax: number) {
    this.#fromSequence = fromSequence;
    this.#entriesMax = entriesMax;
  }

  get entries(): number {
    return this.#ends.length;
  }

  /** False when there is no room for it; an empty batch takes any entry. */
  add({ subject, bytes }: UncheckedEntry): boolean {
    const length = this.#length + bytes.length;
    if (this.entries === 0 && length > BATCH_BYTES) this.#bytes = new Uint8Array(length);
    if (this.entries >= this.#entriesMax || length > this.#bytes.length) return false;
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
    this.#ends.push(length);
    this.#subjects.push(subject);
    return true;
  }

  finish(): RawBatch {
    return { fromSequence: this.#fromSequence, bytes: this.#bytes, ends: this.#ends, subjects: this.#subjects };
  }
}

/** Makes text of one batch after another; knows what the entries before have named. */
export class BatchTexts {
  readonly #before: ReadonlyMap<string, string>;
  readonly #names = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  /** `before` is what all entries before the first batch have named. */
  constructor(before: ReadonlyMap<string, string>) {
    this.#before = before;
  }

  /** What all entries so far have named. */
  get names(): ReadonlyMap<string, string> {
    return new Map([...this.#before, ...this.#names]);
  }

  /** Batches come in order; nothing is made of those after one that failed. @throws FleetError LEDGER_TAMPERED */
  async make(batch: RawBatch): Promise<TextBatch> {
    const made = this.#last.then(async () => this.#make(batch));
    this.#last = made;
    return made;
  }

  async #make({ fromSequence, bytes, ends, subjects }: RawBatch): Promise<TextBatch> {
    const texts = new RowTexts((name) => this.#names.get(name) ?? this.#before.get(name));
    let start = 0;
    for (const [index, end] of ends.entries()) {
      if (index % ENTRIES_PER_TURN === ENTRIES_PER_TURN - 1) await nextTurn();
      const subject = subjects[index] ?? '';
      texts.add(checkedEntry({ sequence: fromSequence + index, subject, bytes: bytes.subarray(start, end) }));
      start = end;
    }
    for (const [name, node] of texts.names) this.#names.set(name, node);
    return { sequence: fromSequence + ends.length - 1, names: texts.names, tables: [...texts.tables()] };
  }
}
