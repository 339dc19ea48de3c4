import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRIORITIES } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { decodeIndex, encodeRecord, type IndexRecord } from './index-record.ts';

const DIGEST = digestOfBytes(new Uint8Array(0));
const ids = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
const ns = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const whole = fc.nat();
const origin = {
  sizeBytes: whole,
  priority: fc.constantFrom(...PRIORITIES),
  session: fc.string({ unit: 'grapheme' }),
  campaignIds: fc.array(fc.string(), { maxLength: 3 }),
  startNs: ns,
  endNs: ns,
};
const records: fc.Arbitrary<IndexRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('entry' as const),
    eventId: ids,
    digest: fc.constant(DIGEST),
    chunkSizeBytes: fc.integer({ min: 1, max: 1_000 }),
    chunkDigests: fc.array(fc.constant(DIGEST), { minLength: 1, maxLength: 3 }),
    ...origin,
    capturedAtMs: whole,
    order: whole,
    generation: whole,
    isSettled: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('settled' as const), ids: fc.array(ids, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('stored' as const), id: ids, relay: fc.string() }),
  fc.record({ kind: fc.constant('told' as const), id: ids }),
  fc.record({
    kind: fc.constant('outcome' as const),
    id: ids,
    outcome: fc.constantFrom('verified' as const, 'evicted' as const),
    digest: fc.constantFrom(DIGEST, null),
    ...origin,
    reason: fc.string({ unit: 'binary' }),
    atMs: whole,
  }),
);
const lists = fc.array(records, { minLength: 1, maxLength: 6 });
const encoded = (list: readonly IndexRecord[]): Uint8Array =>
  new TextEncoder().encode(list.map((record) => `${encodeRecord(record)}\n`).join(''));
function read(bytes: Uint8Array): { readonly records: readonly IndexRecord[]; readonly damagedLines: number } {
  const lines = [...decodeIndex(bytes)];
  const records = lines.filter((line) => line !== undefined);
  return { records, damagedLines: lines.length - records.length };
}
/** As it looks after JSON: a lone surrogate becomes the replacement character. */
const plain = (list: readonly IndexRecord[]): unknown => read(encoded(list)).records;

describe('the index on disk', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const { records: kept, damagedLines } = read(encoded(list));
        expect(damagedLines).toBe(0);
        expect(kept).toHaveLength(list.length);
        expect(plain(kept)).toEqual(kept);
      }),
    );
  });

  it('keeps each whole line of a file that is cut short anywhere', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 3 }), (list) => {
        const bytes = encoded(list);
        const all = read(bytes).records;
        for (let length = 0; length < bytes.length; length += 1) {
          const cut = bytes.subarray(0, length);
          const lines = cut.filter((byte) => byte === 0x0a).length;
          const { records: kept, damagedLines } = read(cut);
          expect(kept).toEqual(all.slice(0, lines));
          expect(damagedLines).toBe(length === 0 || cut.at(-1) === 0x0a ? 0 : 1);
        }
      }),
      { numRuns: 10 },
    );
  });

  it('never takes a line in which a bit has turned', () => {
    fc.assert(
      fc.property(lists, fc.nat(), fc.integer({ min: 0, max: 7 }), (list, at, bit) => {
        const bytes = encoded(list);
        const position = at % bytes.length;
        bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
        const all = read(encoded(list)).records;
        const { records: kept, damagedLines } = read(bytes);
        expect(damagedLines).toBeGreaterThan(0);
        // What is left is what was written, in its order; the end of a line that turned takes the next line with it.
        expect(kept.length).toBeGreaterThanOrEqual(list.length - 2);
        let from = 0;
        for (const record of kept) {
          from =
            all.findIndex(
              (each, index) => index >= from && JSON.stringify(each, asText) === JSON.stringify(record, asText),
            ) + 1;
          expect(from).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('says so when another version wrote it', () => {
    const forgotten = { verified: 0, refused: 0, evicted: 0 };
    const bytes = encoded([{ kind: 'spool', version: 2, nextOrder: 0, forgotten }]);
    expect(() => [...decodeIndex(bytes)]).toThrow(/version 2/);
  });

  it('reads any bytes to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(read(bytes).records).toEqual([]);
      }),
    );
  });
});

const asText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
