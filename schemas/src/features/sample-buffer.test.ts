import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleBuffer } from './sample-buffer.ts';

const sample = fc.record({
  timeNs: fc.integer({ min: 0, max: 50 }),
  evictNs: fc.option(fc.integer({ min: 0, max: 60 })),
});

describe('the sample buffer', () => {
  it('keeps samples by time, equal ones in order of arrival, through late ones, evictions and growth', () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 3_000, size: 'max' }), (samples) => {
        const buffer = new SampleBuffer();
        let expected: { timeNs: number; arrival: number }[] = [];
        samples.forEach(({ timeNs, evictNs }, arrival) => {
          buffer.push(timeNs, arrival * 2, arrival);
          expected.push({ timeNs, arrival });
          if (evictNs === null || arrival % 97 !== 0) return;
          buffer.evictBefore(evictNs);
          expected = expected.filter((entry) => entry.timeNs >= evictNs);
        });
        expected.sort((left, right) => left.timeNs - right.timeNs || left.arrival - right.arrival);
        const { head, tail } = buffer;
        expect(Array.from(buffer.arrivals.subarray(head, tail))).toEqual(expected.map((entry) => entry.arrival));
        expect(Array.from(buffer.times.subarray(head, tail))).toEqual(expected.map((entry) => entry.timeNs));
        expect(Array.from(buffer.values.subarray(head, tail))).toEqual(expected.map((entry) => entry.arrival * 2));
        const first = expected.findIndex((entry) => entry.timeNs >= 25);
        expect(buffer.firstAt(25) - head).toBe(first < 0 ? expected.length : first);
      }),
      { numRuns: 40 },
    );
  });
});
