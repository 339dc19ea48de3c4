/** A file, or the inside of a chunk, that can be read anywhere: what looks for damage has to go back and forth. */

/** Bytes that can be read anywhere. */
export interface McapBytes {
  readonly sizeBytes: number;
  /** Fewer bytes only at the end. The caller may keep what it gets. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes that are in memory. */
export function memoryBytes(bytes: Uint8Array): McapBytes {
  return { sizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Bytes read ahead, so that neighbours of a record come without a further call. */
const WINDOW_BYTES = 1024 * 1024;

/** Reads ahead in one window, and keeps the one before: who compares two places does not read them in turns. */
export class McapWindow {
  readonly #bytes: McapBytes;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;
  #before: { readonly window: Uint8Array; readonly start: number } = { window: this.#window, start: 0 };
  #readBytes = 0;

  constructor(bytes: McapBytes) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.sizeBytes;
  }

  /** All bytes that were read so far. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** The bytes if they are in memory already: saves a promise for each of many small records. */
  peek(offset: number, length: number): Uint8Array | undefined {
    const from = offset - this.#start;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    const fromBefore = offset - this.#before.start;
    if (fromBefore < 0 || fromBefore + length > this.#before.window.length) return undefined;
    // The one that is used is the one that stays.
    const { window, start } = this.#before;
    this.#keep();
    this.#window = window;
    this.#start = start;
    return window.subarray(fromBefore, fromBefore + length);
  }

  /** Fewer bytes only at the end of the file. */
  async view(offset: number, length: number): Promise<Uint8Array> {
    const known = this.peek(offset, length);
    if (known !== undefined) return known;
    this.#keep();
    this.#window = await this.#bytes.read(offset, Math.max(length, WINDOW_BYTES));
    this.#readBytes += this.#window.length;
    this.#start = offset;
    return this.#window.subarray(0, length);
  }

  /** A chunk that was read whole is not kept: memory stays that of one. */
  #keep(): void {
    if (this.#window.length <= WINDOW_BYTES) this.#before = { window: this.#window, start: this.#start };
  }
}
