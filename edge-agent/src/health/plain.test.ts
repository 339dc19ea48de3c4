import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toPlain } from './plain.ts';

describe('a plain copy', () => {
  it('gives times as decimal texts, and maps and sets as JSON has them', () => {
    const value = { at: 12n, by: new Map([['a', 1n]]), in: new Set([2n]), absent: undefined, none: null };
    expect(toPlain(value)).toEqual({ at: '12', by: { a: '1' }, in: ['2'], none: null });
  });

  it('gives null for what JSON has no word for', () => {
    expect(toPlain([Number.NaN, Infinity, -Infinity, () => 1, Symbol('x'), undefined])).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  it('survives JSON unchanged, whatever it was made of', () => {
    const leaf = fc.anything({ withBigInt: true, withSet: true, withNullPrototype: true });
    const map = fc.dictionary(fc.string(), leaf).map((entries) => new Map(Object.entries(entries)));
    const anything = fc.oneof(leaf, map);
    fc.assert(
      fc.property(anything, (value) => {
        const plain = toPlain(value);
        // JSON has one zero.
        expect(JSON.parse(JSON.stringify(plain))).toEqual(JSON.parse(JSON.stringify(toPlain(plain))));
      }),
    );
  });
});
