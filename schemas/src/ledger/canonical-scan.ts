/**
 * Why: the tokens of canonical JSON (RFC 8785) are told from their bytes, so that whoever verifies a ledger makes no
 * string and no object of what is as it should be. Each method takes one token, or says no, and then all of the text is to
 * be read the general way: a no is never wrong, only slow.
 */
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
/** Bytes that follow the first one of a character. */
const CONTINUATION_MIN = 0x80;
const CONTINUATION_MAX = 0xbf;
/** Whole numbers of so many digits are exact, and are written as they stand. */
const EXACT_DIGITS_MAX = 15;
/** What JSON.stringify writes for the characters that it escapes. */
const ESCAPE = /^\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))/;
const ESCAPE_LENGTH_MAX = 6;
const DIGEST_PREFIX = Buffer.from('"sha256:');
const DIGEST_DIGITS = 64;

/** Bytes of a string that stand for themselves, and of these the digits of a digest. */
const PLAIN = 1;
const HEX = 2;
const BYTE_KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte >= CONTINUATION_MIN || byte === QUOTE || byte === BACKSLASH) return 0;
  return (byte >= ZERO && byte <= NINE) || (byte >= 0x61 && byte <= 0x66) ? HEX : PLAIN;
});

/** Goes through bytes that were checked to be UTF-8. Mutates as it goes: it is on the path of each entry. */
export class CanonicalScan {
  readonly bytes: Buffer;
  /** The next byte. */
  at = 0;
  /** Of what was taken last: the value of a number, the characters of a string, which are code points, the items of a list. */
  measure = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  byte(expected: number): boolean {
    if (this.bytes[this.at] !== expected) return false;
    this.at += 1;
    return true;
  }

  literal(expected: Uint8Array): boolean {
    if (!startsAt(this.bytes, this.at, expected)) return false;
    this.at += expected.length;
    return true;
  }

  /** What separates two members or items: nothing before the first one. */
  separator(isFirst: boolean): boolean {
    return isFirst || this.byte(COMMA);
  }

  /** The name of a member with its colon, and the comma before it; takes nothing where another one follows. */
  member(name: Uint8Array, isFirst: boolean): boolean {
    const start = isFirst ? this.at : this.at + 1;
    if ((!isFirst && this.bytes[this.at] !== COMMA) || !startsAt(this.bytes, start, name)) return false;
    this.at = start + name.length;
    return true;
  }

  string(): boolean {
    const { bytes } = this;
    const from = this.at + 1;
    if (bytes[this.at] !== QUOTE) return false;
    // Bytes that are no character of their own.
    let beyond = 0;
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (BYTE_KINDS[byte] !== 0) continue;
      if (byte === QUOTE) {
        this.at = at + 1;
        this.measure = at - from - beyond;
        return true;
      }
      if (byte >= CONTINUATION_MIN) {
        beyond += byte <= CONTINUATION_MAX ? 1 : 0;
        continue;
      }
      const escape = ESCAPE.exec(bytes.toString('latin1', at, at + ESCAPE_LENGTH_MAX))?.[0].length ?? 0;
      if (escape === 0) return false;
      beyond += escape - 1;
      at += escape - 1;
    }
    return false;
  }

  /** Half of a ledger is digests. */
  digest(): boolean {
    const { bytes } = this;
    const from = this.at + DIGEST_PREFIX.length;
    const end = from + DIGEST_DIGITS;
    if (!startsAt(bytes, this.at, DIGEST_PREFIX) || bytes[end] !== QUOTE) return false;
    for (let at = from; at < end; at += 1) if (BYTE_KINDS[bytes[at] as number] !== HEX) return false;
    this.at = end + 1;
    return true;
  }

  /** As ECMAScript writes it (§3.2.2.3). */
  number(): boolean {
    const { bytes } = this;
    const from = this.at;
    let at = from;
    let value = 0;
    for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[at] as number) {
      value = value * 10 + byte - ZERO;
      at += 1;
    }
    const digits = at - from;
    const isWhole = digits > 0 && digits <= EXACT_DIGITS_MAX && (digits === 1 || bytes[from] !== ZERO);
    if (!isWhole || isNumberPart(bytes[at])) return this.#otherNumber();
    this.at = at;
    this.measure = value;
    return true;
  }

  /** Whether the string that was just taken, from a place on, is ASCII without escapes: only then is each byte a character. */
  isPlain(from: number): boolean {
    return this.measure === this.at - from - 2;
  }

  /** Whether what was just taken is this. */
  isText(expected: Uint8Array, from: number): boolean {
    return this.at - from === expected.length && startsAt(this.bytes, from, expected);
  }

  /** Whether of two plain strings the former comes before the latter. */
  ascends(former: number, latter: number): boolean {
    for (let index = 1; ; index += 1) {
      const left = this.bytes[former + index] as number;
      const right = this.bytes[latter + index] as number;
      if (left === right && left !== QUOTE) continue;
      return right !== QUOTE && (left === QUOTE || left < right);
    }
  }

  /** The string that was just taken. */
  text(from: number): string {
    return this.isPlain(from) ? this.bytes.toString('latin1', from + 1, this.at - 1) : (this.value(from) as string);
  }

  /** What was just taken. */
  value(from: number): unknown {
    return JSON.parse(this.bytes.toString('utf8', from, this.at));
  }

  #otherNumber(): boolean {
    const from = this.at;
    let at = from;
    while (isNumberPart(this.bytes[at])) at += 1;
    const text = this.bytes.toString('latin1', from, at);
    const value = Number(text);
    // An empty text is the number 0, which is written otherwise.
    if (!Number.isFinite(value) || String(value) !== text) return false;
    this.at = at;
    this.measure = value;
    return true;
  }
}

function startsAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  const { length } = expected;
  if (at + length > bytes.length) return false;
  for (let index = 0; index < length; index += 1) if (bytes[at + index] !== expected[index]) return false;
  return true;
}

/** Digits, `+`, `-`, `.`, `e` and `E`. */
function isNumberPart(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (
    (byte >= ZERO && byte <= NINE) || byte === MINUS || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45
  );
}
