/** Why: what lies in the ledger is believed only after its bytes, and the subject that they lie under, have been looked at. */
import { FleetError } from '@fleetloop/schemas/ledger';
import type { StoredEntry, UncheckedEntry } from '../ports.ts';
import { readEntry } from './entry-coding.ts';

/** @throws FleetError LEDGER_TAMPERED when it is not an entry that we wrote */
export function checkedEntry({ sequence, subject, bytes }: UncheckedEntry): StoredEntry {
  try {
    const { entry, bodyText } = readEntry(bytes);
    if (`ledger.${entry.subject}` !== subject)
      throw new FleetError('LEDGER_ENTRY_INVALID', `it says ${entry.subject} but lies under ${subject}`);
    return { sequence, bytes, entry, bodyText };
  } catch (cause) {
    throw new FleetError(
      'LEDGER_TAMPERED',
      `entry ${sequence} of the ledger is not one that we wrote: ${FleetError.from(cause).message}`,
      { cause, details: { sequence } },
    );
  }
}
