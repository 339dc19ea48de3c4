/** Bytes that another thread feeds: one side asks for the next piece, the other says where it stands. */
import { bytesOfPiece, type Piece } from './piece-window.ts';

/** One piece, the end, or the failure of whoever fed it. */
export type Fed =
  | { readonly kind: 'piece'; readonly piece: Piece }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly error: Error };

export class FedPieces implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #memory: SharedArrayBuffer;
  readonly #used: (slot: number) => void;
  readonly #waiting: Fed[] = [];
  #wanted: PromiseWithResolvers<void> | undefined;
  #last: Piece | undefined;

  /** `used` is told of each piece when it is not looked at any more. */
  constructor(memory: SharedArrayBuffer, used: (slot: number) => void) {
    this.#memory = memory;
    this.#used = used;
  }

  push(fed: Fed): void {
    this.#waiting.push(fed);
    this.#wanted?.resolve();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#last !== undefined) this.#used(this.#last.slot);
    this.#last = undefined;
    for (;;) {
      const fed = this.#waiting.shift();
      if (fed?.kind === 'end') return { done: true, value: undefined };
      if (fed?.kind === 'failed') throw fed.error;
      if (fed !== undefined) {
        this.#last = fed.piece;
        return { done: false, value: bytesOfPiece(this.#memory, fed.piece) };
      }
      this.#wanted = Promise.withResolvers();
      await this.#wanted.promise;
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
