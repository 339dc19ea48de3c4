import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowingColumn } from './growing-column.ts';
import { RowLists } from './row-lists.ts';

describe('the rows of an id', () => {
  it('come in the order of their sequences, cut off and limited, in whatever order they were added', () => {
    const row = fc.record({ id: fc.nat(5), sequence: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 80 }), fc.nat(25), fc.nat(10), (rows, asOf, limit) => {
        const sequences = new GrowingColumn();
        const lists = new RowLists(sequences);
        for (const { id, sequence } of rows) {
          sequences.push(sequence);
          lists.add(id);
        }
        for (let id = 0; id <= 6; id += 1) {
          const own = rows.flatMap((of, number) => (of.id === id ? [{ ...of, number }] : []));
          const sorted = own.toSorted((left, right) => left.sequence - right.sequence);
          const expected = sorted.filter(({ sequence }) => sequence <= asOf).map(({ number }) => number);
          const found: number[] = [];
          lists.collect(id, { asOf, limit }, found);
          expect(found).toEqual(expected.slice(0, limit));
          expect(lists.has(id, asOf)).toBe(expected.length > 0);
        }
      }),
    );
  });
});
