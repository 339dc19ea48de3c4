/**
 * The CRC of bytes that stand one behind the other, from the CRCs of the parts: parts that were summed once are not read again when
 * they go into a file. After Mark Adler's method in zlib: a CRC is moved over `n` bytes by a product with x^(8n) modulo the polynomial.
 */

/** The polynomial of CRC-32 with its bits reflected: the highest bit stands for x^0. */
const POLYNOMIAL = 0xedb8_8320;
const ONE = 0x8000_0000;
const X = 0x4000_0000;
/** x^(2^n) for each n that a length in bytes of up to 2^29 needs. */
const POWERS = powers(32);
/** Bytes are 2^3 bits. */
const BITS_PER_BYTE_LOG2 = 3;

/** The CRC of `first` and `second` together; `secondBytes` is the length of the second. */
export function joinCrc(firstCrc: number, secondCrc: number, secondBytes: number): number {
  let shift = ONE;
  let rest = secondBytes;
  for (let power = BITS_PER_BYTE_LOG2; rest > 0; power += 1) {
    if (rest % 2 === 1) shift = product(POWERS[power % POWERS.length] as number, shift);
    rest = Math.floor(rest / 2);
  }
  return (product(shift, firstCrc) ^ secondCrc) >>> 0;
}

/** Product of two polynomials modulo that of the CRC. */
function product(left: number, right: number): number {
  let sum = 0;
  let shifted = right;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((left & bit) !== 0) sum ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return sum >>> 0;
}

function powers(count: number): Uint32Array {
  const found = new Uint32Array(count);
  found[0] = X;
  for (let index = 1; index < count; index += 1) {
    const root = found[index - 1] as number;
    found[index] = product(root, root);
  }
  return found;
}
