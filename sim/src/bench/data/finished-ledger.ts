/** A ledger whose entries are made as they are read, so that figures about what is behind it do not hold it in memory. */
import { once } from 'node:events';
import { decodeEntry, encodeEntry, type UncheckedLedger } from '@fleetloop/control-plane';
import type { NewFact } from '@fleetloop/schemas';

const AT_MS = Date.parse('2026-11-20T10:00:00.000Z');

type Reading = ReturnType<UncheckedLedger['read']>;
type ReadRange = Parameters<UncheckedLedger['read']>[0];

/** When the entry was written, in milliseconds. */
export function timeOfEntry(sequence: number): number {
  return AT_MS + sequence;
}

/** Takes no entries. The facts must come in the same order each time. */
export class FinishedLedger implements UncheckedLedger {
  readonly #facts: () => Iterable<NewFact>;

  constructor(facts: () => Iterable<NewFact>) {
    this.#facts = facts;
  }

  async append(): Promise<never> {
    throw new Error('a finished ledger takes no entries');
  }

  async lastSequenceOf(): Promise<number> {
    return 0;
  }

  async size(): Promise<number> {
    let size = 0;
    for (const _ of this.#facts()) size += 1;
    return size;
  }

  async *read(options: ReadRange): Reading {
    for await (const { sequence, bytes } of this.readUnchecked(options))
      yield { sequence, bytes, entry: decodeEntry(bytes) };
  }

  async *readUnchecked(options: ReadRange): ReturnType<UncheckedLedger['readUnchecked']> {
    let sequence = 0;
    for (const fact of this.#facts()) {
      sequence += 1;
      if (sequence < options.fromSequence) continue;
      if (sequence > (options.toSequence ?? sequence)) return;
      options.signal?.throwIfAborted();
      const { subject, bytes } = encodeEntry(fact, new Date(timeOfEntry(sequence)));
      yield { sequence, subject: `ledger.${subject}`, bytes };
    }
  }

  async *follow({ fromSequence, signal }: Parameters<UncheckedLedger['follow']>[0]): Reading {
    for await (const entry of this.read({ fromSequence })) {
      if (signal.aborted) return;
      yield entry;
    }
    if (!signal.aborted) await once(signal, 'abort');
  }
}
