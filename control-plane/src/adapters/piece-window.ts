/**
 * Joins small parts of a stream into few larger pieces for another thread. Both threads see the same memory, so that a piece is
 * neither copied nor handed over; it is filled again when the other side is done with it.
 */

/** One piece, bytes: large enough that a message between threads costs nothing beside it. */
export const PIECE_BYTES = 512 * 1024;
/** Pieces filled or on their way; this bounds the memory of one stream. */
export const PIECES_MAX = 4;

/** A piece by its place in the shared memory. */
export type Piece = { readonly slot: number; readonly sizeBytes: number };

/** The bytes of a piece. */
export function bytesOfPiece(memory: SharedArrayBuffer, { slot, sizeBytes }: Piece): Uint8Array {
  return new Uint8Array(memory, slot * PIECE_BYTES, sizeBytes);
}

export function makePieceMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(PIECES_MAX * PIECE_BYTES);
}

type Send = (piece: Piece) => void;

export class PieceWindow {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #free = Array.from({ length: PIECES_MAX }, (_, slot) => slot);
  #slot: number | undefined;
  #filled = 0;
  #isClosed = false;
  #change = Promise.withResolvers<void>();

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#bytes = new Uint8Array(memory);
  }

  /** Takes all bytes of `part`, waiting for room where there is none; false when nobody wants them any more. */
  async add(part: Uint8Array, send: Send): Promise<boolean> {
    for (let taken = 0; taken < part.length; ) {
      if (this.#slot === undefined) this.#slot = this.#free.pop() ?? (await this.#nextSlot());
      if (this.#slot === undefined) return false;
      const bytes = part.subarray(taken, taken + PIECE_BYTES - this.#filled);
      this.#bytes.set(bytes, this.#slot * PIECE_BYTES + this.#filled);
      this.#filled += bytes.length;
      taken += bytes.length;
      if (this.#filled === PIECE_BYTES) this.flush(send);
    }
    return !this.#isClosed;
  }

  /** Sends what is there of the last piece. */
  flush(send: Send): void {
    if (this.#slot === undefined) return;
    if (this.#filled > 0) send({ slot: this.#slot, sizeBytes: this.#filled });
    else this.#free.push(this.#slot);
    this.#slot = undefined;
    this.#filled = 0;
  }

  giveBack(slot: number): void {
    this.#free.push(slot);
    this.#announce();
  }

  /** Whoever waits for room gives up. */
  close(): void {
    this.#isClosed = true;
    this.#announce();
  }

  async #nextSlot(): Promise<number | undefined> {
    for (;;) {
      if (this.#isClosed) return undefined;
      const free = this.#free.pop();
      if (free !== undefined) return free;
      await this.#change.promise;
    }
  }

  #announce(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
