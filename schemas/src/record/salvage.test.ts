/** What a salvage keeps of real files that were cut and flipped: every intact message once, and nothing that was not there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPCODE } from './mcap-bytes.ts';
import type { McapFrame } from './mcap-frames.ts';
import { memoryBytes } from './mcap-memory.ts';
import { MemorySink } from './mcap-test-sinks.ts';
import { McapWalk } from './mcap-walk.ts';
import { salvageRecording } from './salvage.ts';
import type { SalvageReport } from './salvage-tally.ts';
import { type PlacedFile, placeMessages, realBag, realDrive, rewrite, rewriteBare } from './salvage-test-files.ts';
import { foreignOf, intactMessages, keyOf, missingOf } from './salvage-test-witness.ts';

const drive = await placeMessages(realDrive());
const files: readonly (readonly [string, PlacedFile])[] = [
  ['a drive in lz4 chunks', drive],
  [
    'a drive in zstd chunks',
    await placeMessages(await rewrite(drive, { compression: 'zstd', chunkBytes: 16_384, messages: 400 })),
  ],
  [
    'a drive in zstd chunks of many blocks',
    await placeMessages(await rewrite(drive, { compression: 'zstd', chunkBytes: 600_000, messages: 2_000 })),
  ],
  [
    'a drive in plain chunks',
    await placeMessages(await rewrite(drive, { compression: 'none', chunkBytes: 8_192, messages: 300 })),
  ],
  ['a drive without chunks', await placeMessages(await rewriteBare(drive, 300))],
  ['a ROS 2 bag', await placeMessages(realBag())],
];

type Flip = { readonly at: number; readonly mask: number };
type Salvaged = { readonly report: SalvageReport; readonly output: PlacedFile };

async function salvage(bytes: Uint8Array): Promise<Salvaged> {
  const sink = new MemorySink();
  const report = await salvageRecording(memoryBytes(bytes), sink);
  return { report, output: await placeMessages(sink.bytes()) };
}

/** Bytes in which two messages differ as far as both go, and one for the length that was changed when one goes further. */
function distance(a: Uint8Array, b: Uint8Array): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const isLonger = long.length > short.length ? 1 : 0;
  return short.reduce((sum, byte, index) => sum + (byte === long[index] ? 0 : 1), isLonger);
}

async function checkDamaged(file: PlacedFile, flips: readonly Flip[], length: number): Promise<void> {
  const damaged = Uint8Array.from(file.bytes.subarray(0, length));
  for (const { at, mask } of flips) if (at < length) damaged[at] = (damaged[at] as number) ^ mask;
  const survives = (from: number, to: number): boolean =>
    to <= length && flips.every(({ at }) => at < from || at >= to);
  const { report, output } = await salvage(damaged);
  const missing = missingOf(intactMessages(file, survives), output);
  expect(missing, 'intact messages that are not in the output').toEqual([]);
  const foreign = foreignOf(output, file);
  expect(foreign.length, 'messages that are not as they were, and not said to be unproven').toBeLessThanOrEqual(
    report.unproven,
  );
  expect(output.messages.length).toBeLessThanOrEqual(file.messages.length);
  // Behind damage, compressed bytes may be anything; plain ones differ where they were changed and nowhere else.
  for (const message of file.isPacked ? [] : foreign) {
    const distances = file.messages.map((original) => distance(original.content, message.content));
    expect(Math.min(...distances), 'a message that was never there').toBeLessThanOrEqual(flips.length);
  }
  expect(output.messages.length).toBe(report.kept.messages);
}

const flipOf = (file: PlacedFile, mask: fc.Arbitrary<number>): fc.Arbitrary<Flip> =>
  fc.record({ at: fc.nat(file.bytes.length - 1), mask });
const oneBit = fc.nat(7).map((bit) => 1 << bit);

describe.each(files)('salvage of %s', (_name, file) => {
  const size = file.bytes.length;

  it('gives an intact file with every message and nothing lost', async () => {
    const { report, output } = await salvage(file.bytes);
    expect(report).toMatchObject({ isWhole: true, lossCount: 0, lost: { messages: 0, topics: {} } });
    expect(output.messages.map(keyOf)).toEqual(file.messages.map(keyOf));
  });

  it('keeps every intact message of a file that is cut off anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 40, max: size - 1 }), async (length) => checkDamaged(file, [], length)),
      { numRuns: 12 },
    );
  });

  it('keeps every intact message, and invents none, whatever bits are flipped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(flipOf(file, oneBit), { minLength: 1, maxLength: 3 }), async (flips) =>
        checkDamaged(file, flips, size),
      ),
      { numRuns: 25 },
    );
  });

  it('keeps every intact message, and invents none, whatever bytes are changed and wherever the file ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(flipOf(file, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 40, max: size }),
        async (flips, length) => checkDamaged(file, flips, length),
      ),
      { numRuns: 25 },
    );
  });
});

describe('salvage of damage that leaves lengths alone', () => {
  const named = new Map(files);
  const packed = named.get('a drive in zstd chunks') ?? drive;
  const plain = named.get('a drive in plain chunks') ?? drive;

  async function chunksOf(file: PlacedFile): Promise<readonly McapFrame[]> {
    const chunks: McapFrame[] = [];
    for await (const item of new McapWalk(memoryBytes(file.bytes)).items())
      if (item.kind === 'record' && item.opcode === OPCODE.chunk) chunks.push(item);
    return chunks;
  }
  const changed = (file: PlacedFile, offset: number, bytes: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(file.bytes);
    copy.set(bytes, offset);
    return copy;
  };

  it('keeps the chunk behind one from which bytes are missing', async () => {
    const [, second] = await chunksOf(packed);
    if (second === undefined) throw new Error('the file has one chunk only');
    const from = second.offset + Math.floor(second.recordBytes / 3);
    const to = from + Math.floor(second.recordBytes / 2);
    const { report, output } = await salvage(
      Buffer.concat([packed.bytes.subarray(0, from), packed.bytes.subarray(to)]),
    );
    const intact = intactMessages(packed, (first, end) => first >= to || end <= from);
    expect(intact.length).toBeGreaterThan(packed.messages.length / 2);
    expect(missingOf(intact, output)).toEqual([]);
    expect(report.isWhole).toBe(false);
  });

  it('reads a chunk that lost its opcode, and does not call the file whole', async () => {
    for (const file of [packed, plain]) {
      const [, second] = await chunksOf(file);
      const { report, output } = await salvage(changed(file, second?.offset ?? 0, Uint8Array.of(0xc8)));
      expect(output.messages.map(keyOf)).toEqual(file.messages.map(keyOf));
      expect(report).toMatchObject({ isWhole: false, lossCount: 1, lost: { messages: 0 } });
    }
  });

  it('keeps the messages of a chunk whose head was never written', async () => {
    const [, second] = await chunksOf(plain);
    const { report, output } = await salvage(changed(plain, (second?.offset ?? 0) + 9, new Uint8Array(40)));
    expect(output.messages.map(keyOf).toSorted()).toEqual(plain.messages.map(keyOf).toSorted());
    expect(report.isWhole).toBe(false);
  });

  it('keeps messages whose schema is lost, without it', async () => {
    const bare = named.get('a drive without chunks') ?? drive;
    const isSchema = (key: string): boolean => key.startsWith('schema ');
    const damaged = Uint8Array.from(bare.bytes);
    for (const { key, fromByte, toByte } of bare.definitions) if (isSchema(key)) damaged.fill(0, fromByte, toByte);
    const { report, output } = await salvage(damaged);
    expect(output.messages.length).toBe(bare.messages.length);
    expect(report.losses.some(({ what }) => what.includes('is kept without it'))).toBe(true);
  });
});
