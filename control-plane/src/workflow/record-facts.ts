/**
 * Why: an activity may run twice. A fact that is there with the same content is a success, so that a retry never writes
 * it again, and the writer waits until it can read what it wrote.
 */
import { canonicalJson, entityOfKind, FleetError, type JsonValue, type NewFact } from '@fleetloop/schemas';
import type { Ledger, Projection } from '../ports.ts';

const ATTEMPTS_MAX = 5;

export type FactStores = { readonly ledger: Ledger; readonly projection: Projection };

/**
 * Appends, in order and all or none, the facts that are not in the ledger yet; returns whether any was new.
 * @throws FleetError LEDGER_CONFLICT after several attempts, LEDGER_UNAVAILABLE, LEDGER_ENTRY_INVALID
 */
export async function recordFacts(stores: FactStores, facts: readonly NewFact[]): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const expect = await lastSequences(stores, facts);
    const missing: NewFact[] = [];
    for (const fact of facts) if (!(await isRecorded(stores, fact))) missing.push(fact);
    if (missing.length === 0) return false;
    try {
      const { sequences } = await stores.ledger.append(missing, { expect: onlySubjectsOf(missing, expect) });
      await stores.projection.waitFor(sequences.at(-1) ?? 0);
      return true;
    } catch (error) {
      if (FleetError.from(error).code !== 'LEDGER_CONFLICT' || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** A text as one NATS subject token. */
export function ledgerKey(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9_-]/g, '-');
}

/** The ledger key of a digest: its hex digits. */
export function digestKey(digest: string): string {
  return digest.slice('sha256:'.length);
}

const subjectOf = (fact: NewFact): string => `${entityOfKind(fact.kind)}.${fact.key}`;

/** Last sequence of each subject, with the projection caught up to it, so that the check below sees all of them. */
async function lastSequences(stores: FactStores, facts: readonly NewFact[]): Promise<Readonly<Record<string, number>>> {
  const expect: Record<string, number> = {};
  for (const subject of new Set(facts.map(subjectOf))) expect[subject] = await stores.ledger.lastSequenceOf(subject);
  await stores.projection.waitFor(Math.max(0, ...Object.values(expect)));
  return expect;
}

async function isRecorded(stores: FactStores, fact: NewFact): Promise<boolean> {
  const known = await stores.projection.facts(fact.kind, { key: fact.key, every: true });
  const body = canonicalJson(fact.body as JsonValue);
  return known.some((entry) => canonicalJson(entry.body as JsonValue) === body);
}

function onlySubjectsOf(facts: readonly NewFact[], expect: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(facts.map((fact) => [subjectOf(fact), expect[subjectOf(fact)] ?? 0]));
}
