/** What a salvage keeps of files of which blocks are missing, zero, in the wrong place, or in between: what stands behind them has moved. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPCODE, RECORD_HEADER_BYTES, viewOf } from './mcap-bytes.ts';
import { memoryBytes } from './mcap-memory.ts';
import { MemorySink } from './mcap-test-sinks.ts';
import { salvageRecording } from './salvage.ts';
import type { SalvageReport } from './salvage-tally.ts';
import {
  type PlacedFile,
  type PlacedMessage,
  placeMessages,
  realBag,
  realDrive,
  rewrite,
  rewriteBare,
} from './salvage-test-files.ts';
import { foreignOf, intactMessages, missingOf, type Survives } from './salvage-test-witness.ts';

const drive = await placeMessages(realDrive());
const plain = await rewrite(drive, { compression: 'none', chunkBytes: 8_192, messages: 300 });
const BAG = 'a ROS 2 bag';
const files: readonly (readonly [string, PlacedFile])[] = [
  ['a drive in lz4 chunks', drive],
  [
    'a drive in zstd chunks',
    await placeMessages(await rewrite(drive, { compression: 'zstd', chunkBytes: 8_192, messages: 300 })),
  ],
  ['a drive in plain chunks', await placeMessages(plain)],
  ['a drive in plain chunks without checksums', await placeMessages(withoutCrc(plain))],
  ['a drive without chunks', await placeMessages(await rewriteBare(drive, 300))],
  [BAG, await placeMessages(realBag())],
];

/** Sets the CRC of each chunk to 0, which stands for none. */
function withoutCrc(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = viewOf(copy);
  for (let offset = 8; copy[offset] !== OPCODE.dataEnd; ) {
    if (copy[offset] === OPCODE.chunk) view.setUint32(offset + RECORD_HEADER_BYTES + 24, 0);
    offset += RECORD_HEADER_BYTES + Number(view.getBigUint64(offset + 1, true));
  }
  return copy;
}

/** A part of the intact file, or bytes that were never in it. */
type Piece = { readonly from: number; readonly to: number } | Uint8Array;
type Damage = { readonly kind: 'cut' | 'insert' | 'zero' | 'swap'; readonly at: number; readonly share: number };

/** From 0 to 1; the reals of the library are mostly next to 0. */
const evenly = fc.noBias(fc.nat(2 ** 20 - 1)).map((part) => part / 2 ** 20);

const SECTOR_BYTES = 512;
const sector = (at: number): number => Math.floor(at / SECTOR_BYTES) * SECTOR_BYTES;

function piecesOf({ kind, at: place, share }: Damage, sizeBytes: number): readonly Piece[] {
  const at = 40 + Math.floor(place * (sizeBytes - 40));
  const lengthBytes = 1 + Math.floor((sizeBytes - at) * share ** 3);
  const kept = (from: number, to: number): Piece => ({ from, to: Math.max(from, Math.min(to, sizeBytes)) });
  if (kind === 'cut') return [kept(0, at), kept(at + lengthBytes, sizeBytes)];
  if (kind === 'insert') return [kept(0, at), new Uint8Array(lengthBytes).fill(0xab), kept(at, sizeBytes)];
  const from = Math.max(SECTOR_BYTES, sector(at));
  if (kind === 'zero') {
    const to = Math.min(sizeBytes, from + sector(lengthBytes) + SECTOR_BYTES);
    return [kept(0, from), new Uint8Array(Math.max(0, to - from)), kept(to, sizeBytes)];
  }
  const second = from + SECTOR_BYTES + sector(lengthBytes);
  if (second + SECTOR_BYTES > sizeBytes) return [kept(0, sizeBytes)];
  const [endOfFirst, endOfSecond] = [from + SECTOR_BYTES, second + SECTOR_BYTES];
  return [
    kept(0, from),
    kept(second, endOfSecond),
    kept(endOfFirst, second),
    kept(from, endOfFirst),
    kept(endOfSecond, sizeBytes),
  ];
}

/** Pieces that follow one another in the intact file as well are one. */
function joined(pieces: readonly Piece[]): readonly Piece[] {
  const list: Piece[] = [];
  for (const piece of pieces) {
    const last = list.at(-1);
    if (last === undefined || last instanceof Uint8Array || piece instanceof Uint8Array || last.to !== piece.from)
      list.push(piece);
    else list[list.length - 1] = { from: last.from, to: piece.to };
  }
  return list;
}

async function salvage(bytes: Uint8Array): Promise<{ readonly report: SalvageReport; readonly output: PlacedFile }> {
  const sink = new MemorySink();
  const report = await salvageRecording(memoryBytes(bytes), sink);
  return { report, output: await placeMessages(sink.bytes()) };
}

describe.each(files)('salvage of %s', (name, file) => {
  // Nothing tells then that the data of a message are others.
  const isWithoutCrc = name === BAG;

  it('keeps every intact message, and invents none, wherever blocks are missing, zero, swapped or in between', async () => {
    const damage = fc.record({
      kind: fc.constantFrom('cut' as const, 'insert' as const, 'zero' as const, 'swap' as const),
      at: evenly,
      share: evenly,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (drawn) => {
        const pieces = joined(piecesOf(drawn, file.bytes.length));
        const damaged = Buffer.concat(
          pieces.map((piece) => (piece instanceof Uint8Array ? piece : file.bytes.subarray(piece.from, piece.to))),
        );
        // Blocks that changed places are inside other records now: what stands in them is kept where it is found, and not asked for.
        const staying = drawn.kind === 'swap' ? pieces.filter((piece, index) => index % 2 === 0) : pieces;
        const survives: Survives = (from, to) =>
          staying.some((piece) => !(piece instanceof Uint8Array) && piece.from <= from && piece.to >= to);
        const { report, output } = await salvage(damaged);
        // Damage that begins exactly behind a message cannot be told from damage that begins in it.
        const intact = intactMessages(file, survives).filter(({ fromByte, toByte }) => survives(fromByte, toByte + 1));
        expect(missingOf(intact, output), 'intact messages that are not in the output').toEqual([]);
        const foreign = foreignOf(output, file).length;
        expect(foreign, 'messages that were never written and are not said to be unproven').toBeLessThanOrEqual(
          report.unproven,
        );
        expect(foreign, 'messages that were never written').toBeLessThanOrEqual(
          file.isPacked ? file.messages.length : 2,
        );
        if (intact.length < file.messages.length && !isWithoutCrc) expect(report.isWhole).toBe(false);
        if (report.lost.messages !== null && foreign === 0)
          expect(report.lost.messages).toBe(file.messages.length - output.messages.length);
      }),
      { numRuns: file.messages.length > 1_000 ? 10 : 40 },
    );
  });
});

const without = (bytes: Uint8Array, from: number, to: number): Uint8Array =>
  Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);

describe('salvage', () => {
  it('keeps the first of two recordings in one file and says where the second begins', async () => {
    const bag = realBag();
    const { report, output } = await salvage(Buffer.concat([plain, bag]));
    const wanted = await placeMessages(plain);
    expect(missingOf(wanted.messages, output)).toEqual([]);
    expect(foreignOf(output, wanted)).toEqual([]);
    const loss = { fromByte: plain.length, toByte: plain.length + bag.length };
    expect(report.losses).toEqual([
      expect.objectContaining({ ...loss, what: expect.stringContaining('another recording') }),
    ]);
  });

  it.each([
    ['message index', 'a drive in plain chunks', 9_129, 12_223],
    ['schema', BAG, 2_064, 1_891],
    ['message', 'a drive in plain chunks', 7_098, 979],
  ])('finds the messages that a %s reaches over from which bytes are missing', async (_what, name, from, length) => {
    const file = new Map(files).get(name) ?? drive;
    const { report, output } = await salvage(without(file.bytes, from, from + length));
    const intact = intactMessages(file, (first, end) => end < from || first >= from + length);
    expect(missingOf(intact, output)).toEqual([]);
    expect(report.isWhole).toBe(false);
  });

  it('keeps the messages behind a data end record that stands in front of them', async () => {
    const bare = await placeMessages(await rewriteBare(drive, 300));
    const { fromByte } = bare.messages[100] as PlacedMessage;
    const dataEnd = bare.bytes.subarray(bare.summaryByte - 13, bare.summaryByte);
    const { report, output } = await salvage(
      Buffer.concat([bare.bytes.subarray(0, fromByte), dataEnd, bare.bytes.subarray(fromByte)]),
    );
    expect(output.messages.length).toBe(300);
    expect(report.isWhole).toBe(false);
  });

  it('does not call a file whole that goes on with its footer right behind a message', async () => {
    const bare = await placeMessages(await rewriteBare(drive, 300));
    const { toByte } = bare.messages[200] as PlacedMessage;
    const { report, output } = await salvage(without(bare.bytes, toByte, bare.bytes.length - 8 - 29));
    expect(output.messages.length).toBe(201);
    expect(report).toMatchObject({ isWhole: false, lost: { messages: null } });
  });

  it('does not swear on messages of a chunk in which one bit was put right', async () => {
    const bit = Uint8Array.from(plain);
    const { fromByte } = (await placeMessages(plain)).messages[3] as PlacedMessage;
    bit[fromByte + 40] = (bit[fromByte + 40] as number) ^ 1;
    const { report, output } = await salvage(bit);
    expect(missingOf((await placeMessages(plain)).messages, output)).toEqual([]);
    expect(report).toMatchObject({ isWhole: false, repaired: [{ bit: 0 }] });
    expect(report.unproven).toBeGreaterThan(50);
  });

  it('takes a chunk for one whose opcode is that of a footer', async () => {
    const bag = Uint8Array.from(realBag());
    const [magic, opcode] = [0, 42];
    bag[magic] = 0;
    bag[opcode] = OPCODE.footer;
    const { report, output } = await salvage(bag);
    expect(missingOf((await placeMessages(realBag())).messages, output)).toEqual([]);
    expect(report.losses.map(({ what }) => what)).toContain('a chunk has the opcode 2');
  });

  it('counts what is lost by a summary that stands elsewhere than its footer says', async () => {
    const [first] = (await placeMessages(plain)).messages;
    if (first === undefined) throw new Error('the file has no message');
    const { fromByte, toByte } = first;
    const { report } = await salvage(Buffer.concat([plain.subarray(0, fromByte), plain.subarray(toByte)]));
    expect(report).toMatchObject({
      isWhole: false,
      expected: 300,
      lost: { messages: 1, topics: { [first.topic]: 1 } },
    });
  });

  it('goes on behind a message index that ends within an entry', async () => {
    const damaged = Uint8Array.from(plain);
    const view = viewOf(damaged);
    let offset = 8;
    while (damaged[offset] !== OPCODE.messageIndex)
      offset += RECORD_HEADER_BYTES + Number(view.getBigUint64(offset + 1, true));
    const listAt = offset + RECORD_HEADER_BYTES + 2;
    view.setUint32(listAt, view.getUint32(listAt, true) - 5, true);
    const { output } = await salvage(damaged);
    expect(output.messages.length).toBe(300);
  });

  it('does not take a message index with the opcode of a message for one', async () => {
    const damaged = Uint8Array.from(plain);
    const view = viewOf(damaged);
    let offset = 8;
    while (damaged[offset] !== OPCODE.messageIndex)
      offset += RECORD_HEADER_BYTES + Number(view.getBigUint64(offset + 1, true));
    damaged[offset] = OPCODE.message;
    const { report, output } = await salvage(damaged);
    expect(foreignOf(output, await placeMessages(plain))).toEqual([]);
    expect(report).toMatchObject({ isWhole: false, lossCount: 1, kept: { messages: 300 } });
  });

  it('reads a file in which every chunk claims to reach far into the next ones a bounded number of times', async () => {
    const chunks = 6_000;
    const chunk = (index: number): Uint8Array => {
      const record = new Uint8Array(RECORD_HEADER_BYTES + 40);
      const claimed = 300_000n + BigInt(index);
      record[0] = OPCODE.chunk;
      const view = viewOf(record);
      view.setBigUint64(1, claimed + 40n, true);
      for (const at of [RECORD_HEADER_BYTES + 16, RECORD_HEADER_BYTES + 32]) view.setBigUint64(at, claimed, true);
      view.setUint32(RECORD_HEADER_BYTES + 24, 1, true);
      return record;
    };
    const heads = Array.from({ length: chunks }, (_, index) => chunk(index));
    const bytes = memoryBytes(Buffer.concat([plain.subarray(0, 8), ...heads, new Uint8Array(300_000)]));
    let readBytes = 0;
    const counted = {
      sizeBytes: bytes.sizeBytes,
      read: async (offset: number, length: number): Promise<Uint8Array> => {
        const part = await bytes.read(offset, length);
        readBytes += part.length;
        return part;
      },
    };
    const report = await salvageRecording(counted, new MemorySink());
    expect(report).toMatchObject({ isWhole: false, kept: { messages: 0 } });
    // Two passes; each may read as many bytes twice as the file has, and some MiB more.
    expect(readBytes).toBeLessThan(8 * bytes.sizeBytes + 32 * 1024 * 1024);
  });
});
