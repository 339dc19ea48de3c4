import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FACTS, type FactKind } from './facts.ts';
import { parseLedgerEntry } from './ledger-entry.ts';
import { bodyReader, FACT_VERSIONS_MAX, factVersion, type FormerVersion, FORMER_FACTS } from './upcast.ts';

/** Seconds became milliseconds, then two names became one, then a unit became required. */
const V1 = z.strictObject({ seconds: z.int().min(0), first: z.string(), last: z.string() });
const V2 = z.strictObject({ durationMs: z.int().min(0), first: z.string(), last: z.string() });
const V3 = z.strictObject({ durationMs: z.int().min(0), name: z.string() });
const V4 = z.strictObject({ durationMs: z.int().min(0), name: z.string(), unit: z.string() });
const FORMER: readonly FormerVersion[] = [
  { schema: V1, upcast: ({ seconds, ...rest }: z.infer<typeof V1>) => ({ ...rest, durationMs: seconds * 1_000 }) },
  {
    schema: V2,
    upcast: ({ durationMs, first, last }: z.infer<typeof V2>) => ({ durationMs, name: `${first} ${last}` }),
  },
  { schema: V3, upcast: (body: z.infer<typeof V3>) => ({ ...body, unit: 'm' }) },
];
const read = bodyReader('trip.ended', { former: FORMER, newest: V4 });
const body = fc.record({ seconds: fc.nat({ max: 1e6 }), first: fc.string(), last: fc.string() });

describe('an upcast body', () => {
  it('reads the same whichever version it was written in', () => {
    fc.assert(
      fc.property(body, (one) => {
        const two = { durationMs: one.seconds * 1_000, first: one.first, last: one.last };
        const three = { durationMs: two.durationMs, name: `${one.first} ${one.last}` };
        const four = { ...three, unit: 'm' };
        for (const [index, written] of [one, two, three, four].entries())
          expect(read(index + 1, written)).toEqual(four);
      }),
    );
  });

  it('is not changed where it lies', () => {
    fc.assert(
      fc.property(body, (one) => {
        const before = structuredClone(one);
        read(1, one);
        expect(one).toEqual(before);
      }),
    );
  });

  it('is refused when it does not have the form of the version it claims', () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 2, max: 4 }), (one, version) => {
        expect(() => read(version, one)).toThrowError(expect.objectContaining({ code: 'LEDGER_ENTRY_INVALID' }));
      }),
    );
  });

  it('is refused when what it becomes does not have the form of the next version', () => {
    const wrong = bodyReader('trip.ended', { former: [{ schema: V3, upcast: () => ({ durationMs: 1 }) }], newest: V4 });
    expect(() => wrong(1, { durationMs: 1, name: '' })).toThrow(/trip\.ended is not valid/);
  });

  it.each([0, 5, -1, 1.5])('is refused in version %s, which nobody here knows', (version) => {
    expect(() => read(version, {})).toThrow(/known here up to version 4.*upgrade/);
  });

  it('has a limit of versions', () => {
    const former = Array.from({ length: FACT_VERSIONS_MAX }, () => ({ schema: V4, upcast: (same: unknown) => same }));
    expect(() => bodyReader('trip.ended', { former, newest: V4 })).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

describe('the versions of facts', () => {
  it.each(Object.keys(FACTS) as FactKind[])('%s is written in the version after its former ones', (kind) => {
    expect(factVersion(kind)).toBe((FORMER_FACTS[kind]?.length ?? 0) + 1);
  });

  it('refuses an entry of a later release with what to do', () => {
    const entry = {
      v: 64,
      kind: 'vehicle.revoked',
      at: '2026-11-20T10:00:00.000Z',
      actor: 'a',
      subject: 'vehicle.v',
      evidence: [],
    };
    const document = { ...entry, body: { vehicleId: 'v', publicKey: 'k', reason: '' } };
    expect(() => parseLedgerEntry(document)).toThrow(/upgrade to the release that wrote it/);
    expect(parseLedgerEntry({ ...document, v: 1 }).kind).toBe('vehicle.revoked');
  });
});
