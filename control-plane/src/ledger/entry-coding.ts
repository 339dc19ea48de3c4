/** Why: an entry's bytes are its identity in the tree, so there is exactly one way to write a fact and one way to read it back. */
import {
  canonicalJson,
  entityOfKind,
  exactKind,
  factVersion,
  FleetError,
  type JsonValue,
  LEDGER_ENTRY_BYTES_MAX,
  type LedgerEntry,
  type NewFact,
  parseLedgerEntry,
} from '@fleetloop/schemas/ledger';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** A key is one token of a NATS subject. */
const KEY = /^[A-Za-z0-9_-]{1,128}$/;
const BODY_KEY = '"body":';
const EVIDENCE_KEY = ',"evidence":[';

export type EncodedEntry = { readonly subject: string; readonly bytes: Uint8Array };

/**
 * The canonical JSON (RFC 8785) of a fact at a time, and the ledger subject `<entity>.<key>` it belongs to.
 * @throws FleetError LEDGER_ENTRY_INVALID when the fact breaks its schema, its key is not a token, or it is too large
 */
export function encodeEntry(fact: NewFact, at: Date): EncodedEntry {
  if (!KEY.test(fact.key))
    throw invalid(
      `the key ${JSON.stringify(fact.key)} of ${fact.kind} is not one subject token: use A-Z, a-z, 0-9, - and _`,
    );
  const subject = `${entityOfKind(fact.kind)}.${fact.key}`;
  const written = {
    v: factVersion(fact.kind),
    kind: fact.kind,
    at: at.toISOString(),
    actor: fact.actor,
    subject,
    ...(fact.reason === undefined ? {} : { reason: fact.reason }),
    evidence: fact.evidence ?? [],
    body: fact.body,
  };
  const bytes = exactBytes(written);
  if (bytes.length > LEDGER_ENTRY_BYTES_MAX) {
    throw invalid(
      `the fact ${fact.kind} of ${fact.key} has ${bytes.length} bytes, over ${LEDGER_ENTRY_BYTES_MAX}: store bulk as a blob and name its digest`,
    );
  }
  return { subject, bytes };
}

/**
 * Reads an entry and insists that its bytes are the canonical ones.
 * @throws FleetError LEDGER_ENTRY_INVALID
 */
export function decodeEntry(bytes: Uint8Array): LedgerEntry {
  return readEntry(bytes).entry;
}

/**
 * As `decodeEntry`; `bodyText` is the JSON text of the body as it lies in the entry, undefined where the body may read
 * otherwise, as one of an older version does.
 */
export function readEntry(bytes: Uint8Array): { readonly entry: LedgerEntry; readonly bodyText: string | undefined } {
  if (exactKind(bytes) === undefined) return { entry: readOther(bytes), bodyText: undefined };
  const text = utf8.decode(bytes);
  return { entry: JSON.parse(text) as LedgerEntry, bodyText: bodyTextIn(text) };
}

/** Reads an entry whose bytes alone do not tell that they are as they should be. */
function readOther(bytes: Uint8Array): LedgerEntry {
  let text: string;
  let document: unknown;
  try {
    text = utf8.decode(bytes);
    document = JSON.parse(text);
  } catch (cause) {
    throw new FleetError('LEDGER_ENTRY_INVALID', 'the entry is not JSON', { cause });
  }
  const entry = parseLedgerEntry(document);
  if (canonicalJson(document as JsonValue) !== text) throw invalid('the entry is not in canonical form');
  return entry;
}

/** Keys are in order and each text escapes its quotes: what precedes the body and follows the evidence cannot look like either key. */
function bodyTextIn(text: string): string {
  return text.slice(text.indexOf(BODY_KEY) + BODY_KEY.length, text.lastIndexOf(EVIDENCE_KEY));
}

/** What is written as it would be read needs no parser. */
function exactBytes(written: unknown): Uint8Array {
  const bytes = canonicalBytes(written);
  return exactKind(bytes) === undefined ? canonicalBytes(parseLedgerEntry(written)) : bytes;
}

function canonicalBytes(entry: unknown): Uint8Array {
  try {
    return Buffer.from(canonicalJson(entry as JsonValue), 'utf8');
  } catch (cause) {
    throw new FleetError('LEDGER_ENTRY_INVALID', `the entry has no canonical form: ${FleetError.from(cause).message}`, {
      cause,
    });
  }
}

function invalid(message: string): FleetError {
  return new FleetError('LEDGER_ENTRY_INVALID', message);
}
