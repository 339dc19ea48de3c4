/**
 * Why: nearly every entry of a ledger is of the newest version of its kind, and its bytes are the ones that this release
 * would write. That is told from the bytes alone, at a fraction of what reading them costs.
 */
import { z } from 'zod';
import { type CanonicalForm, canonicalForm } from './canonical-form.ts';
import { FACTS, type FactKind } from './facts.ts';
import { Envelope } from './ledger-entry.ts';
import { factVersion } from './upcast.ts';

/** Keys are in order and each text escapes its quotes: what follows the kind cannot look like its key. */
const KIND_KEY = Buffer.from(',"kind":"');
const QUOTE = 0x22;

/**
 * The kind of an entry that `readEntry` takes as it stands; undefined where the bytes alone do not tell, which says
 * nothing against them.
 */
export function exactKind(bytes: Uint8Array): FactKind | undefined {
  const entry = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const from = entry.lastIndexOf(KIND_KEY) + KIND_KEY.length;
  const kind = entry.toString('latin1', from, entry.indexOf(QUOTE, from));
  return formOf(kind)?.(entry) === true ? (kind as FactKind) : undefined;
}

const forms = new Map<string, CanonicalForm>();

/** Compiled at the first entry of a kind, which most processes never see of most kinds. */
function formOf(kind: string): CanonicalForm | undefined {
  const known = forms.get(kind);
  if (known !== undefined || !isKind(kind)) return known;
  const version = z.literal(factVersion(kind));
  const form = canonicalForm(Envelope.extend({ kind: z.literal(kind), v: version, body: FACTS[kind] }));
  forms.set(kind, form);
  return form;
}

function isKind(kind: string): kind is FactKind {
  return Object.hasOwn(FACTS, kind);
}
