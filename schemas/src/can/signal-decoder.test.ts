/** Bit positions are the classic source of wrong values: each kind is checked against bytes worked out by hand and by property. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCanFrame } from './can-frame.ts';
import { parseDbc } from './dbc-parser.ts';
import { decodeFrame, makeSignalDecoder } from './signal-decoder.ts';

function decode(signal: string, bytes: readonly number[]): number {
  const [message] = parseDbc(`BO_ 1 M: ${Math.max(bytes.length, 8)} X\n SG_ S : ${signal} [0|0] "" X\n`).messages;
  if (message === undefined) throw new Error('no message');
  return makeSignalDecoder(message, 'S')(Uint8Array.from(bytes));
}

describe('makeSignalDecoder', () => {
  it.each([
    ['little endian within one byte', '4|4@1+ (1,0)', [0xa5, 0, 0, 0, 0, 0, 0, 0], 0xa],
    ['little endian over two bytes', '4|8@1+ (1,0)', [0xa5, 0x3c, 0, 0, 0, 0, 0, 0], 0xca],
    ['big endian over two bytes', '7|16@0+ (1,0)', [0x12, 0x34, 0, 0, 0, 0, 0, 0], 0x1234],
    ['big endian that starts inside a byte', '3|12@0+ (1,0)', [0xf1, 0x23, 0, 0, 0, 0, 0, 0], 0x123],
    [
      'big endian that ends inside a byte',
      '6|15@0+ (0.01,-67.67)',
      [0x1a, 0x6f, 0, 0, 0, 0, 0, 0],
      0x1a6f * 0.01 - 67.67,
    ],
    ['signed negative', '3|12@0- (1.5,0)', [0x0f, 0xff, 0, 0, 0, 0, 0, 0], -1.5],
    ['64 bits unsigned', '0|64@1+ (1,0)', [0, 0, 0, 0, 0, 0, 0, 0x80], 2 ** 63],
    ['64 bits signed', '7|64@0- (1,0)', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], -2],
  ])('decodes %s', (_what, signal, bytes, expected) => {
    expect(decode(signal, bytes)).toBe(expected);
  });

  it('gives NaN for a frame that is too short', () => {
    expect(decode('56|8@1+ (1,0)', [1, 2, 3])).toBeNaN();
  });

  it('decodes float32 and float64', () => {
    const [message] = parseDbc(
      'BO_ 1 M: 12 X\n SG_ A : 0|32@1- (1,0) [0|0] "" X\n SG_ B : 39|64@0- (1,0) [0|0] "" X\nSIG_VALTYPE_ 1 A : 1;\nSIG_VALTYPE_ 1 B : 2;\n',
    ).messages;
    const bytes = new Uint8Array(12);
    new DataView(bytes.buffer).setFloat32(0, 1.5, true);
    new DataView(bytes.buffer).setFloat64(4, -Math.PI);
    if (message === undefined) throw new Error('no message');
    expect([...decodeFrame(message, bytes).values()]).toEqual([1.5, -Math.PI]);
  });

  it('gives NaN for signals that the multiplexor leaves out', () => {
    const [message] = parseDbc(
      'BO_ 1 M: 2 X\n SG_ K M : 0|8@1+ (1,0) [0|0] "" X\n SG_ A m1 : 8|8@1+ (1,0) [0|0] "" X\n SG_ B m2 : 8|8@1+ (1,0) [0|0] "" X\n',
    ).messages;
    if (message === undefined) throw new Error('no message');
    expect([...decodeFrame(message, Uint8Array.of(2, 9)).values()]).toEqual([2, Number.NaN, 9]);
  });

  it('reads back what is written bit by bit, for any position, length and byte order', () => {
    const layout = fc.record({
      isBig: fc.boolean(),
      isSigned: fc.boolean(),
      first: fc.nat(63),
      length: fc.integer({ min: 1, max: 64 }),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    });
    fc.assert(
      fc.property(layout, ({ isBig, isSigned, first, length, seed }) => {
        fc.pre(first + length <= 64);
        const raw = BigInt.asUintN(length, seed);
        const bits = raw.toString(2).padStart(length, '0');
        const bytes = new Uint8Array(8);
        for (let index = 0; index < length; index += 1) {
          if (bits[isBig ? index : length - 1 - index] !== '1') continue;
          const position = first + index;
          const byte = Math.floor(position / 8);
          bytes[byte] = (bytes[byte] ?? 0) | (1 << (isBig ? 7 - (position % 8) : position % 8));
        }
        const start = isBig ? Math.floor(first / 8) * 8 + 7 - (first % 8) : first;
        const expected = Number(isSigned ? BigInt.asIntN(length, raw) : raw);
        expect(decode(`${start}|${length}@${isBig ? 0 : 1}${isSigned ? '-' : '+'} (1,0)`, [...bytes])).toBe(expected);
      }),
    );
  });
});

describe('encodeCanFrame', () => {
  it('writes the protobuf fields in order and leaves out zeros', () => {
    expect([...encodeCanFrame({ bus: 0, id: 37, data: Uint8Array.of(1, 2) })]).toEqual([0x10, 37, 0x1a, 2, 1, 2]);
    expect([...encodeCanFrame({ bus: 128, id: 0x18fef100, data: new Uint8Array(0) })]).toEqual([
      0x08, 0x80, 0x01, 0x10, 0x80, 0xe2, 0xfb, 0xc7, 0x01,
    ]);
  });
});
