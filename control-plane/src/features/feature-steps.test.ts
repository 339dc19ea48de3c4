import { entityOfKind, type NewFact } from '@fleetloop/schemas';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ledger, Projection } from '../ports.ts';
import { proposeFeatureSet } from './feature-steps.ts';

/** A ledger in memory with its projection, as far as registering needs them. */
class MemoryTruth {
  readonly facts: NewFact[] = [];
  readonly #subjects: string[] = [];

  readonly ledger = {
    append: async (facts: readonly NewFact[]) => {
      const sequences = facts.map((fact) => {
        this.#subjects.push(`${entityOfKind(fact.kind)}.${fact.key}`);
        return this.facts.push(fact);
      });
      return { sequences };
    },
    lastSequenceOf: async (subject: string) => this.#subjects.lastIndexOf(subject) + 1,
  } as unknown as Ledger;

  readonly projection = {
    waitFor: async () => {},
    facts: async (kind: string, { key }: { key: string }) =>
      this.facts.filter((fact) => fact.kind === kind && fact.key === key),
  } as unknown as Projection;
}

const document = {
  kind: 'feature-set',
  name: 'registered',
  version: 1,
  owner: 'o',
  validator: 'v',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 500 },
  signals: [{ name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 }],
  derived: [],
  features: [{ name: 'speed_mean', input: 'speed', transform: 'mean' }],
  tolerance: { absolute: 0, relative: 0 },
  latencyBudgetMs: 20,
};

let truth: MemoryTruth;
beforeEach(() => {
  truth = new MemoryTruth();
});
const register = (changed: object = {}) =>
  proposeFeatureSet({ document: { ...document, ...changed }, actor: 'ada' }, truth);

describe('proposing a feature set', () => {
  it('records it under its name and version with its digest', async () => {
    const { digest, isNew } = await register();
    expect(isNew).toBe(true);
    expect(truth.facts).toMatchObject([
      { kind: 'feature_set.registered', key: 'registered-1', actor: 'ada', body: { digest } },
    ]);
  });

  it('changes nothing when the same document comes again, whatever the order of its keys', async () => {
    const first = await register();
    const again = await proposeFeatureSet(
      { document: Object.fromEntries(Object.entries(document).toReversed()), actor: 'bob' },
      truth,
    );
    expect(again).toMatchObject({ digest: first.digest, isNew: false });
    expect(truth.facts).toHaveLength(1);
  });

  it('refuses other content under a registered version, and takes it under the next', async () => {
    await register();
    await expect(register({ owner: 'somebody else' })).rejects.toMatchObject({ code: 'FEATURE_SET_INVALID' });
    expect((await register({ owner: 'somebody else', version: 2 })).isNew).toBe(true);
  });

  it('refuses a document that is no feature set', async () => {
    await expect(register({ features: [{ name: 'a', input: 'none', transform: 'mean' }] })).rejects.toMatchObject({
      code: 'FEATURE_SET_INVALID',
      message: expect.stringContaining('unknown series none'),
    });
    expect(truth.facts).toEqual([]);
  });
});
