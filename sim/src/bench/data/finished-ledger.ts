/** A ledger whose entries are made as they are read, so that figures about what is behind it do not hold it in memory. */
import { once } from 'node:events';
import { decodeEntry, encodeEntry, type Ledger } from '@fleetloop/control-plane';
import type { NewFact } from '@fleetloop/schemas';

const AT_MS = Date.parse('2026-11-20T10:00:00.000Z');

type Reading = ReturnType<Ledger['read']>;

/** Takes no entries. The facts must come in the same order each time. */
export class FinishedLedger implements Ledger {
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

  async *read(options: Parameters<Ledger['read']>[0]): Reading {
    let sequence = 0;
    for (const fact of this.#facts()) {
      sequence += 1;
      if (sequence < options.fromSequence) continue;
      if (sequence > (options.toSequence ?? sequence)) return;
      options.signal?.throwIfAborted();
      const { bytes } = encodeEntry(fact, new Date(AT_MS + sequence));
      yield { sequence, bytes, entry: decodeEntry(bytes) };
    }
  }

  async *follow({ fromSequence, signal }: Parameters<Ledger['follow']>[0]): Reading {
    for await (const entry of this.read({ fromSequence })) {
      if (signal.aborted) return;
      yield entry;
    }
    if (!signal.aborted) await once(signal, 'abort');
  }
}
