import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillBucket, refill, take, waitForTokensMs } from './token-bucket.ts';

describe('a token bucket', () => {
  it('lets no more through than rate times time plus one burst, over any time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 100, max: 100_000 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 100 })), {
          minLength: 1,
          maxLength: 300,
        }),
        (rateBytesPerS, burstBytes, asks) => {
          const limits = { rateBytesPerS, burstBytes };
          let bucket = fillBucket(limits, 0);
          let nowMs = 0;
          const sends: { readonly atMs: number; readonly bytes: number }[] = [];
          for (const [pauseMs, bytes] of asks) {
            nowMs += pauseMs;
            bucket = refill(bucket, limits, nowMs);
            if (waitForTokensMs(bucket, limits, bytes) > 0) continue;
            bucket = take(bucket, bytes);
            sends.push({ atMs: nowMs, bytes });
          }
          for (const [index, first] of sends.entries()) {
            let sum = 0;
            for (const { atMs, bytes } of sends.slice(index)) {
              sum += bytes;
              expect(sum).toBeLessThanOrEqual(burstBytes + (rateBytesPerS * (atMs - first.atMs)) / 1_000 + 1e-6);
            }
          }
        },
      ),
    );
  });

  it('lets pass after the wait that it named', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 1_000 }), (rateBytesPerS, bytes) => {
        const limits = { rateBytesPerS, burstBytes: 1_000 };
        const empty = take(fillBucket(limits, 0), 1_000);
        const waitMs = waitForTokensMs(empty, limits, bytes);
        expect(waitForTokensMs(refill(empty, limits, waitMs), limits, bytes)).toBe(0);
      }),
    );
  });

  it('keeps what it has when it is looked at twice, or at an earlier time', () => {
    const limits = { rateBytesPerS: 1_000, burstBytes: 10_000 };
    const half = take(fillBucket(limits, 1_000), 5_000);
    const twice = refill(refill(half, limits, 2_000), limits, 2_000);
    expect(twice.tokens).toBe(6_000);
    expect(refill(twice, limits, 500)).toEqual(twice);
  });

  it('never keeps anything back without a rate', () => {
    const limits = { rateBytesPerS: null, burstBytes: 10 };
    expect(waitForTokensMs(take(fillBucket(limits, 0), 1_000_000), limits, 5_000)).toBe(0);
  });
});
