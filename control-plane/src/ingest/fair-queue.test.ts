import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

describe('FairQueue', () => {
  it('serves a vehicle that has just come before the rest of one that has sent much', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3']) queue.push('a', item);
    expect(queue.shift()).toBe('a1');
    queue.push('b', 'b1');
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual(['a2', 'b1', 'a3', undefined]);
  });

  it('gives back each item once, in the order of its vehicle, and lets nobody wait longer than one round', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 60 }), (vehicles) => {
        const queue = new FairQueue<{ readonly vehicle: string; readonly index: number }>();
        vehicles.forEach((vehicle, index) => queue.push(vehicle, { vehicle, index }));
        const served = vehicles.map(() => queue.shift());
        for (const vehicle of new Set(vehicles)) {
          const indexes = served.filter((item) => item?.vehicle === vehicle).map((item) => item?.index ?? -1);
          expect(indexes).toEqual(vehicles.flatMap((each, index) => (each === vehicle ? [index] : [])));
          const first = served.findIndex((item) => item?.vehicle === vehicle);
          expect(first).toBeLessThan(new Set(vehicles).size);
        }
        expect([queue.size, queue.shift()]).toEqual([0, undefined]);
      }),
    );
  });
});
