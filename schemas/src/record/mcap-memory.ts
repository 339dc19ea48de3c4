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

/** Reads ahead in one window. */
export class McapWindow {
  readonly #bytes: McapBytes;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(bytes: McapBytes) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.sizeBytes;
  }

  /** The bytes if they are in memory already: saves a promise for each of many small records. */
  peek(offset: number, length: number): Uint8Array | undefined {
    const from = offset - this.#start;
    if (from < 0 || from + length > this.#window.length) return undefined;
    return this.#window.subarray(from, from + length);
  }

  /** Fewer bytes only at the end of the file. */
  async view(offset: number, length: number): Promise<Uint8Array> {
    const known = this.peek(offset, length);
    if (known !== undefined) return known;
    this.#window = await this.#bytes.read(offset, Math.max(length, WINDOW_BYTES));
    this.#start = offset;
    return this.#window.subarray(0, length);
  }
}
