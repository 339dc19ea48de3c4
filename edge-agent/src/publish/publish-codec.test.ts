/** The hand-written coding is held against the generated one, in both directions. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PublishBatchSchema, ToAgentSchema } from '@fleetloop/schemas/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchStart, decodeBatch, encodeEntry, entryBytesMax, type PublishEntry, varintSize } from './publish-codec.ts';

const entry = fc.record({
  channel: fc.nat(0xffff_ffff),
  sequence: fc.option(fc.maxSafeNat(), { nil: undefined }),
  stampNs: fc.option(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), { nil: undefined }),
  values: fc.option(fc.float64Array({ minLength: 1, maxLength: 40 }), { nil: undefined }),
  data: fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }), { nil: undefined }),
});
type Entry = Omit<PublishEntry, 'sizeBytes'>;

function encode(entries: readonly Entry[]): Uint8Array {
  const parts = entries.map((each) => {
    const target = new Uint8Array(entryBytesMax(each.values?.length ?? 0, each.data?.length ?? 0));
    return target.subarray(0, encodeEntry(target, 0, each).end);
  });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function decode(bytes: Uint8Array, start = 0): PublishEntry[] {
  const found: PublishEntry[] = [];
  decodeBatch(bytes, start, (each) => found.push(each));
  return found;
}

describe('the coding of batches', () => {
  it('writes what the generated code reads', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        const read = fromBinary(PublishBatchSchema, encode(entries)).entries;
        expect(read.map(({ channel }) => channel)).toEqual(entries.map(({ channel }) => channel));
        for (const [index, { sequence, stampNs, values, data }] of entries.entries()) {
          expect(read[index]?.sequence).toBe(sequence === undefined ? undefined : BigInt(sequence));
          expect(read[index]?.stampNs).toBe(stampNs);
          expect(read[index]?.values).toEqual([...(values ?? [])]);
          expect(read[index]?.data).toEqual(data ?? new Uint8Array(0));
        }
      }),
    );
  });

  it('reads what the generated code writes, with the size of each entry', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        const bytes = toBinary(
          PublishBatchSchema,
          create(PublishBatchSchema, {
            entries: entries.map(({ channel, sequence, stampNs, values, data }) => ({
              channel,
              ...(sequence === undefined ? {} : { sequence: BigInt(sequence) }),
              ...(stampNs === undefined ? {} : { stampNs }),
              ...(values === undefined ? {} : { values: [...values] }),
              ...(data === undefined ? {} : { data }),
            })),
          }),
        );
        const read = decode(bytes);
        expect(read).toEqual(entries.map((each, index) => ({ ...each, sizeBytes: read[index]?.sizeBytes })));
        const sizes = read.map(({ sizeBytes }) => 1 + varintSize(sizeBytes) + sizeBytes);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes.length);
      }),
    );
  });

  it('is found at once in a frame, and not in another kind of message', () => {
    const batch = create(PublishBatchSchema, { entries: [{ channel: 3, values: [1] }] });
    const frame = toBinary(ToAgentSchema, create(ToAgentSchema, { kind: { case: 'publish', value: batch } }));
    expect(decode(frame, batchStart(frame))).toMatchObject([{ channel: 3 }]);
    const ping = toBinary(ToAgentSchema, create(ToAgentSchema, { kind: { case: 'ping', value: { id: 1n } } }));
    expect(batchStart(ping)).toBe(0);
  });

  it('reads any bytes as entries or refuses them', () => {
    let refused = 0;
    const wild = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.array(entry, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(255)).map(([entries, at, byte]) => {
        const bytes = encode(entries);
        bytes[at % bytes.length] = byte;
        return bytes.subarray(0, 1 + (at % bytes.length) * 2);
      }),
    );
    fc.assert(
      fc.property(wild, (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          refused += 1;
          expect(error).toMatchObject({ code: 'PUBLISH_MALFORMED' });
        }
      }),
      { numRuns: 1_000 },
    );
    expect(refused).toBeGreaterThan(50);
  });
});
