/** Takes the pieces of a file apart into runs of exactly the wanted length, holding no more than one run and one piece. */

/** Reads a stream of bytes from its start; what it gives is a copy that the caller may keep. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isAtEnd = false;
  #offset = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Bytes taken or skipped so far. */
  get offset(): number {
    return this.#offset;
  }

  /** The next `length` bytes, or undefined when the stream ends before; then nothing is taken. Memory grows with what arrives, never with what is asked. */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#waitingBytes < length && (await this.#pull()));
    if (this.#waitingBytes < length) return undefined;
    const [first] = this.#waiting;
    if (first !== undefined && first.length >= length) {
      this.#drop(length);
      return first.subarray(0, length);
    }
    const taken = new Uint8Array(length);
    let filled = 0;
    for (const piece of this.#waiting) {
      const part = piece.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (filled === length) break;
    }
    this.#drop(length);
    return taken;
  }

  /** Passes over `length` bytes; false when the stream ends before. */
  async skip(length: number): Promise<boolean> {
    let rest = length;
    while (rest > 0) {
      if (this.#waitingBytes === 0 && !(await this.#pull())) return false;
      const part = Math.min(rest, this.#waitingBytes);
      this.#drop(part);
      rest -= part;
    }
    return true;
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#waitingBytes === 0 && (await this.#pull()));
    return this.#waitingBytes === 0;
  }

  /** How many bytes wait; after a `take` that gave undefined, all that is left. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #pull(): Promise<boolean> {
    if (this.#isAtEnd) return false;
    const next = await this.#pieces.next();
    if (next.done === true) {
      this.#isAtEnd = true;
      return false;
    }
    // Copied, because whoever gives the pieces may use the buffer again (and `slice` of a Buffer would not copy).
    if (next.value.length > 0) this.#waiting.push(new Uint8Array(next.value));
    this.#waitingBytes += next.value.length;
    return true;
  }

  #drop(length: number): void {
    this.#offset += length;
    this.#waitingBytes -= length;
    let rest = length;
    let used = 0;
    for (const piece of this.#waiting) {
      if (piece.length > rest) break;
      rest -= piece.length;
      used += 1;
    }
    if (used > 0) this.#waiting = this.#waiting.slice(used);
    const [first] = this.#waiting;
    if (rest > 0 && first !== undefined) this.#waiting[0] = first.subarray(rest);
  }
}
