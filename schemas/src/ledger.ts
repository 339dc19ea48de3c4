/** Reading entries of the ledger and nothing else: a thread that checks them starts in half the time. */
export { canonicalJson, type JsonValue } from './digest/canonical-json.ts';
export { FleetError } from './errors/fleet-error.ts';
export { exactKind } from './ledger/exact-entry.ts';
export type { FactBody } from './ledger/facts.ts';
export {
  entityOfKind,
  LEDGER_ENTRY_BYTES_MAX,
  type LedgerEntry,
  type NewFact,
  parseLedgerEntry,
} from './ledger/ledger-entry.ts';
export { factVersion } from './ledger/upcast.ts';
