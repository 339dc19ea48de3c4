import { CHUNK_SIZE_BYTES_MAX } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeChunk, missingBitmap } from './chunk.ts';

const ONE = digestOfBytes(Uint8Array.of(1));
const TWO = digestOfBytes(Uint8Array.of(2));

describe('a chunk', () => {
  it('is good when its bytes have the digest that it claims', () => {
    expect(judgeChunk('v1', ONE, ONE, 1)).toEqual({ kind: 'good', digest: ONE });
  });

  it.each([
    ['another digest', TWO, 1],
    ['no digest', undefined, 1],
    ['a digest that is none', 'sha256:xyz', 1],
    ['no bytes', ONE, 0],
    ['too many bytes', ONE, CHUNK_SIZE_BYTES_MAX + 1],
  ])('is bad with %s', (_what, claimed, size) => {
    const verdict = judgeChunk('v1', claimed, ONE, size);
    expect(verdict.kind === 'bad' && verdict.error.code).toBe('INGEST_CHUNK_DIGEST');
  });
});

describe('the bitmap of missing chunks', () => {
  it('has exactly the bits of the chunks that are absent or of a wrong size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('there', 'absent', 'short'), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 10 }),
        (states, last) => {
          const chunkSize = 10;
          const total = (states.length - 1) * chunkSize + last;
          const expected = (index: number): number => (index === states.length - 1 ? last : chunkSize);
          const sizes = states.map((state, index) =>
            state === 'there' ? expected(index) : state === 'absent' ? undefined : expected(index) - 1,
          );
          const bitmap = missingBitmap(sizes, total, chunkSize);
          const isMissing = (index: number): boolean => (((bitmap?.[index >>> 3] ?? 0) >>> (index & 7)) & 1) === 1;
          expect(states.map((_, index) => isMissing(index))).toEqual(states.map((state) => state !== 'there'));
          expect(bitmap === undefined).toBe(states.every((state) => state === 'there'));
        },
      ),
    );
  });
});
