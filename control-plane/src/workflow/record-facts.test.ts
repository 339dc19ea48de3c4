import { entityOfKind, FleetError, type NewFact } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { type FactStores, ledgerKey, recordFacts } from './record-facts.ts';

type Entry = NewFact & { readonly sequence: number };

/** A ledger in memory that another writer gets in front of, and whose answers get lost, as often as it is told to. */
function hostileStores(options: { readonly conflicts?: number; readonly lostReplies?: number } = {}): {
  readonly stores: FactStores;
  readonly entries: Entry[];
} {
  const entries: Entry[] = [];
  let { conflicts = 0, lostReplies = 0 } = options;
  let applied = 0;
  const subjectOf = (fact: NewFact): string => `${entityOfKind(fact.kind)}.${fact.key}`;
  const last = (subject: string): number => entries.findLast((entry) => subjectOf(entry) === subject)?.sequence ?? 0;
  const ledger = {
    lastSequenceOf: async (subject: string) => last(subject),
    append: async (facts: readonly NewFact[], { expect: expected = {} }: { expect?: Record<string, number> } = {}) => {
      if (conflicts-- > 0) throw new FleetError('LEDGER_CONFLICT', 'somebody was first');
      for (const [subject, sequence] of Object.entries(expected))
        if (last(subject) !== sequence) throw new FleetError('LEDGER_CONFLICT', 'stale');
      const sequences = facts.map((fact) => entries.push({ ...fact, sequence: entries.length + 1 }));
      if (lostReplies-- > 0) throw new FleetError('LEDGER_UNAVAILABLE', 'no reply');
      return { sequences };
    },
  };
  const projection = {
    waitFor: async (sequence: number) => {
      applied = Math.max(applied, sequence);
    },
    // Answers from what was waited for, as a projection that lags behind does.
    facts: async (kind: string, { key }: { key?: string } = {}) =>
      entries.filter((entry) => entry.kind === kind && entry.key === key && entry.sequence <= applied),
  };
  return { stores: { ledger, projection } as unknown as FactStores, entries };
}

const fact = (wave: number): NewFact => ({
  kind: 'rollout.wave',
  key: 'ro-1',
  actor: 'olga',
  body: { rolloutId: 'ro-1', wave, vehicles: ['v1'] },
});

describe('recordFacts', () => {
  it('writes what is missing, once, however often it is asked', async () => {
    const { stores, entries } = hostileStores();
    expect(await recordFacts(stores, [fact(0)])).toBe(true);
    expect(await recordFacts(stores, [fact(0), fact(1)])).toBe(true);
    expect(await recordFacts(stores, [fact(0), fact(1)])).toBe(false);
    expect(entries.map((entry) => entry.body)).toEqual([fact(0).body, fact(1).body]);
  });

  it('tries again after a conflict, and gives up after several', async () => {
    const { stores, entries } = hostileStores({ conflicts: 2 });
    await recordFacts(stores, [fact(0)]);
    expect(entries).toHaveLength(1);
    await expect(recordFacts(hostileStores({ conflicts: 50 }).stores, [fact(0)])).rejects.toMatchObject({
      code: 'LEDGER_CONFLICT',
    });
  });

  it('does not write a second fact when the reply to the first was lost', async () => {
    const { stores, entries } = hostileStores({ lostReplies: 1 });
    await expect(recordFacts(stores, [fact(0)])).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
    expect(await recordFacts(stores, [fact(0)])).toBe(false);
    expect(entries).toHaveLength(1);
  });
});

describe('ledgerKey', () => {
  it('is one subject token', () => {
    expect(ledgerKey('terrain-v1.2 *>')).toBe('terrain-v1-2---');
  });
});
