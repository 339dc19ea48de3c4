/** Arrays arrive in pieces of any size and may be cut off; rows must come out whole or the file is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNpyHeader, readNpy } from './npy-reader.ts';

function npy(header: string, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  const bytes = new Uint8Array(10 + text.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 0xff, text.length >> 8]);
  bytes.set(text, 10);
  bytes.set(data, 10 + text.length);
  return bytes;
}
const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`;
const doubles = (values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer);

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.slice(start, start + size);
}

async function read(bytes: Uint8Array, size = 7, batchRows = 2): Promise<number[][]> {
  const rows: number[][] = [];
  for await (const batch of readNpy(inPieces(bytes, size), 'x.npy', batchRows)) {
    for (let row = 0; row < batch.rows; row += 1)
      rows.push(Array.from({ length: batch.columns }, (_, column) => batch.numberAt(row, column)));
  }
  return rows;
}

describe('readNpy', () => {
  it('gives the rows of two dimensions however the file is cut', async () => {
    const values = [1.5, -2, 3, 4, 5, 6, 7, 8, 9, 10];
    const bytes = npy(header('<f8', '5, 2'), doubles(values));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 8 }), async (size, batchRows) => {
        expect((await read(bytes, size, batchRows)).flat()).toEqual(values);
      }),
    );
  });

  it.each([
    ['<i8', new Uint8Array(BigInt64Array.of(-5n, 7n).buffer), [[-5], [7]]],
    ['<u4', new Uint8Array(Uint32Array.of(5, 4294967295).buffer), [[5], [4294967295]]],
    ['<f4', new Uint8Array(Float32Array.of(0.5, -1).buffer), [[0.5], [-1]]],
    ['|u1', Uint8Array.of(1, 255), [[1], [255]]],
    ['|i1', Uint8Array.of(1, 255), [[1], [-1]]],
  ])('reads elements of type %s', async (descr, data, expected) => {
    expect(await read(npy(header(descr, '2,'), data))).toEqual(expected);
  });

  it('gives byte strings as they are stored', async () => {
    for await (const batch of readNpy(
      inPieces(npy(header('|S4', '2,'), Uint8Array.of(1, 2, 0, 0, 3, 0, 4, 0)), 5),
      'x.npy',
      8,
    )) {
      expect([...batch.bytes]).toEqual([1, 2, 0, 0, 3, 0, 4, 0]);
    }
  });

  it.each([
    ['another format', new TextEncoder().encode('PK\u0003\u0004 not an array')],
    ['a header that is cut off', npy(header('<f8', '2,'), new Uint8Array(0)).subarray(0, 30)],
    ['values that are cut off', npy(header('<f8', '2,'), doubles([1]))],
    ['bytes behind the values', npy(header('<f8', '1,'), doubles([1, 2]))],
    ['big endian', npy(header('>f8', '1,'), doubles([1]))],
    ['Python objects', npy(header('|O', '1,'), doubles([1]))],
    ['Fortran order', npy(header('<f8', '1, 1', 'True'), doubles([1]))],
    ['three dimensions', npy(header('<f8', '1, 1, 1'), doubles([1]))],
    ['integers beyond 2^53', npy(header('<i8', '1,'), new Uint8Array(BigInt64Array.of(2n ** 60n).buffer))],
  ])('refuses %s', async (_what, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
  });

  it('waits for the rest of the header', () => {
    const bytes = npy(header('<f8', '0,'), new Uint8Array(0));
    expect(parseNpyHeader(bytes.subarray(0, 20), 'x.npy')).toBeUndefined();
    expect(parseNpyHeader(bytes, 'x.npy')).toMatchObject({ rows: 0, columns: 1, dataOffset: bytes.length });
  });
});
