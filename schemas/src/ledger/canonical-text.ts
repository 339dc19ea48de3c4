/**
 * Why: an entry must lie in the ledger in the one form that RFC 8785 gives it, and writing each entry anew to compare
 * costs more than all the rest of reading it. This looks at the text alone: keys in order, numbers as ECMAScript writes
 * them, nothing between the tokens. What this does not recognise, such as text with escapes, is still compared.
 */
import { canonicalJson, JSON_DEPTH_MAX, type JsonValue } from '../digest/canonical-json.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** Characters of `true` and `null`, and of `false`. */
const WORD_LENGTH: Readonly<Record<number, number>> = { 0x74: 4, 0x6e: 4, 0x66: 5 };
/** Whole numbers of so many digits are exact and are written as they stand. */
const EXACT_DIGITS_MAX = 15;

/**
 * Whether a text is the canonical JSON (RFC 8785) of the document that JSON.parse made of it. The text must be well-formed
 * Unicode and must have been parsed.
 * @throws FleetError REQUEST_INVALID when the document has no canonical form
 */
export function isCanonicalJson(text: string, document: unknown): boolean {
  const isScanned = !text.includes('\\') && new CanonicalScan(text).run();
  return isScanned || canonicalJson(document as JsonValue) === text;
}

/** Where a key may come in an object, and the key before it; lists have none. Mutates as it goes: it is on the path of each entry. */
class CanonicalScan {
  readonly #text: string;
  /** Of each open container the last key; null in a list, undefined before the first key. */
  readonly #keys: (string | null | undefined)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): boolean {
    const text = this.#text;
    let isKey = false;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) {
        if (!this.#string(isKey)) return false;
        isKey = false;
      } else if (code === COLON || code === COMMA) {
        this.#at += 1;
        isKey = code === COMMA && this.#keys.at(-1) !== null;
      } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        this.#at += 1;
        isKey = code === OPEN_BRACE;
        if (this.#keys.push(isKey ? undefined : null) > JSON_DEPTH_MAX) return false;
      } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        this.#at += 1;
        this.#keys.pop();
      } else if (!this.#word(code)) return false;
    }
    return true;
  }

  /** Without escapes the next quote is the end. Comparing strings compares UTF-16 code units (RFC 8785 §3.2.3). */
  #string(isKey: boolean): boolean {
    const end = this.#text.indexOf('"', this.#at + 1);
    if (isKey) {
      const key = this.#text.slice(this.#at + 1, end);
      const former = this.#keys.at(-1);
      if (typeof former === 'string' && key <= former) return false;
      this.#keys[this.#keys.length - 1] = key;
    }
    this.#at = end + 1;
    return true;
  }

  /** A number, true, false or null; anything else here is white space. */
  #word(code: number): boolean {
    const length = WORD_LENGTH[code];
    if (length !== undefined) {
      this.#at += length;
      return true;
    }
    return (code === MINUS || isDigit(code)) && this.#number();
  }

  #number(): boolean {
    const from = this.#at;
    let end = from;
    while (end < this.#text.length && isDigit(this.#text.charCodeAt(end))) end += 1;
    const next = this.#text.charCodeAt(end);
    if (
      end > from &&
      end - from <= EXACT_DIGITS_MAX &&
      (next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET)
    ) {
      this.#at = end;
      return true;
    }
    while (end < this.#text.length && isNumberPart(this.#text.charCodeAt(end))) end += 1;
    const number = this.#text.slice(from, end);
    this.#at = end;
    return String(Number(number)) === number;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** Digits, `+`, `-`, `.`, `e` and `E`. */
function isNumberPart(code: number): boolean {
  return isDigit(code) || code === MINUS || code === 0x2b || code === 0x2e || code === 0x65 || code === 0x45;
}
