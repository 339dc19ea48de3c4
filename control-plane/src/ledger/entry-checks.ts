/** Why: that an entry is well-formed can be checked apart from the tree it hangs in, on other threads, and may be answered late. */
import { exactKind, FleetError } from '@fleetloop/schemas/ledger';
import { decodeEntry } from './entry-coding.ts';
import { KEYS_MAX, type Rotation } from './key-chain.ts';

/** The one kind of which the contents are needed. */
const ROTATION = 'checkpoint.key_rotated';

export type CheckedEntries = {
  /** The first entry that this ledger would not have taken. */
  readonly firstMalformed: { readonly sequence: number; readonly message: string } | undefined;
  /** Rotations of the checkpoint key on the way, in order. */
  readonly rotations: readonly Rotation[];
};

/** Checks entries one after another, and says at the end what it has seen. */
export interface EntryChecks {
  /** Takes the next entry; a promise means that there is no room for another one before it is settled. */
  take(sequence: number, bytes: Uint8Array): Promise<void> | undefined;
  finish(): Promise<CheckedEntries>;
}

/** Entries one after another in one buffer, which may be given to another thread. */
export type EntryBatch = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each entry ends in it. */
  readonly ends: Uint32Array<ArrayBuffer>;
  /** Sequence of the first one. */
  readonly fromSequence: number;
};

/** Checks all entries of a batch. */
export function checkBatch({ bytes, ends, fromSequence }: EntryBatch): CheckedEntries {
  const checks = new LocalEntryChecks();
  let start = 0;
  for (const [index, end] of ends.entries()) {
    checks.take(fromSequence + index, bytes.subarray(start, end));
    start = end;
  }
  return checks.checked();
}

/** Checks on this thread. Mutates as entries are taken. */
export class LocalEntryChecks implements EntryChecks {
  #firstMalformed: CheckedEntries['firstMalformed'];
  readonly #rotations: Rotation[] = [];

  take(sequence: number, bytes: Uint8Array): undefined {
    if (this.#firstMalformed !== undefined) return;
    const kind = exactKind(bytes);
    if (kind !== undefined && kind !== ROTATION) return;
    try {
      const entry = decodeEntry(bytes);
      if (entry.kind === ROTATION && this.#rotations.length < KEYS_MAX)
        this.#rotations.push({ sequence, body: entry.body });
    } catch (error) {
      this.#firstMalformed = { sequence, message: FleetError.from(error).message };
    }
  }

  async finish(): Promise<CheckedEntries> {
    return this.checked();
  }

  /** What `finish` says, at once. */
  checked(): CheckedEntries {
    return { firstMalformed: this.#firstMalformed, rotations: this.#rotations };
  }
}
