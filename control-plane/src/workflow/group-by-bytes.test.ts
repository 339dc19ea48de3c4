import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupByBytes } from './group-by-bytes.ts';

const sized = (...sizes: readonly number[]): { sizeBytes: number }[] => sizes.map((sizeBytes) => ({ sizeBytes }));
const sizesOf = (groups: readonly (readonly { readonly sizeBytes: number }[])[]): number[][] =>
  groups.map((group) => group.map(({ sizeBytes }) => sizeBytes));

describe('groupByBytes', () => {
  it('puts small neighbours together and leaves a large one alone', () => {
    expect(sizesOf(groupByBytes(sized(3, 3, 5, 90, 1, 2), { bytesMax: 10, itemsMax: 9 }))).toEqual([
      [3, 3],
      [5],
      [90],
      [1, 2],
    ]);
  });

  it('has no more items in a group than are allowed, whatever they weigh', () => {
    expect(sizesOf(groupByBytes(sized(0, 0, 0, 0, 0), { bytesMax: 10, itemsMax: 2 }))).toEqual([[0, 0], [0, 0], [0]]);
  });

  it('keeps every item once and in order, within the limits, and no two groups that would have fitted into one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { maxLength: 60 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 8 }),
        (sizes, bytesMax, itemsMax) => {
          const groups = sizesOf(groupByBytes(sized(...sizes), { bytesMax, itemsMax }));
          expect(groups.flat()).toEqual(sizes);
          const weight = (group: readonly number[]): number => group.reduce((sum, size) => sum + size, 0);
          for (const [index, group] of groups.entries()) {
            expect(group.length).toBeGreaterThan(0);
            expect(group.length).toBeLessThanOrEqual(itemsMax);
            if (group.length > 1) expect(weight(group)).toBeLessThanOrEqual(bytesMax);
            const next = groups[index + 1];
            if (next !== undefined && group.length < itemsMax)
              expect(weight(group) + (next[0] as number)).toBeGreaterThan(bytesMax);
          }
        },
      ),
    );
  });
});
