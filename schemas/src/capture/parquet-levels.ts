/** Parquet's run-length and bit-packed hybrid, bounded by what the page says it holds: no run can make more values than that. */

type Cursor = { readonly bytes: Uint8Array; offset: number };

/** Most bits of a level or dictionary index. */
const WIDTH_MAX = 32;
const VARINT_BYTES_MAX = 5;

/** Reads exactly `count` numbers of `width` bits from `bytes`. Throws a plain error where they are cut off. */
export function readHybrid(bytes: Uint8Array, width: number, count: number): Uint32Array {
  if (width > WIDTH_MAX) throw new Error(`values of ${width} bits are wider than ${WIDTH_MAX}`);
  const values = new Uint32Array(count);
  if (width === 0) return values;
  const cursor: Cursor = { bytes, offset: 0 };
  let filled = 0;
  while (filled < count) {
    const header = readVarint(cursor);
    const run = Math.floor(header / 2);
    if (run === 0) throw new Error('a run has no values');
    if (header % 2 === 0) {
      const end = Math.min(count, filled + run);
      values.fill(readFixed(cursor, Math.ceil(width / 8)), filled, end);
      filled = end;
    } else {
      const wanted = Math.min(count - filled, run * 8);
      readPacked(cursor, { width, values, filled, wanted });
      cursor.offset += run * width;
      filled += wanted;
    }
  }
  return values;
}

type Packed = {
  readonly width: number;
  readonly values: Uint32Array;
  readonly filled: number;
  readonly wanted: number;
};

/** Bits are packed from the least significant on. Leaves the cursor where the run starts. */
function readPacked({ bytes, offset }: Cursor, { width, values, filled, wanted }: Packed): void {
  if (offset + Math.ceil((wanted * width) / 8) > bytes.length) throw new Error('a run of packed values is cut off');
  for (let index = 0; index < wanted; index += 1) {
    let value = 0;
    for (let bit = 0; bit < width; bit += 1) {
      const at = index * width + bit;
      if (((bytes[offset + (at >>> 3)] ?? 0) >>> (at & 7)) & 1) value += 2 ** bit;
    }
    values[filled + index] = value;
  }
}

function readFixed(cursor: Cursor, length: number): number {
  if (cursor.offset + length > cursor.bytes.length) throw new Error('a run is cut off');
  let value = 0;
  for (let index = 0; index < length; index += 1)
    value += (cursor.bytes[cursor.offset + index] ?? 0) * 2 ** (8 * index);
  cursor.offset += length;
  return value;
}

function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = cursor.bytes[cursor.offset];
    if (byte === undefined) throw new Error('a run is cut off');
    cursor.offset += 1;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  throw new Error('the length of a run is too large');
}
