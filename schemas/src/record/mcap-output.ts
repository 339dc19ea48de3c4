/** Bytes on their way to the file: what is still being compressed waits in its place, so that the order is the order of the calls. */
import { crc32 } from 'node:zlib';
import { FleetError } from '../errors/fleet-error.ts';
import { joinCrc } from './mcap-crc.ts';

/** Where a file goes. Short writes are dealt with inside; the buffer is used again once the promise resolves. */
export interface McapSink {
  write(bytes: Uint8Array): Promise<unknown>;
}

export type OutputPiece = {
  readonly bytes: Uint8Array;
  /** CRC of the bytes, where it is known already. */
  readonly crc?: number;
  /** Called when the sink has the bytes, with where they began. */
  readonly written: (offset: number) => void;
};

/** Most pieces that may wait; only a caller that never drains gets there. */
const PIECES_WAITING_MAX = 256;

export class McapOutput {
  readonly #sink: McapSink;
  readonly #pieces: Promise<OutputPiece>[] = [];
  #isPumping = false;
  #sizeBytes = 0;
  #crc = 0;
  #failure: { readonly error: unknown } | undefined;
  #progress = Promise.withResolvers<void>();

  constructor(sink: McapSink) {
    this.#sink = sink;
  }

  /** Bytes that the sink has. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** CRC of all bytes that the sink has. */
  get crc(): number {
    return this.#crc;
  }

  /** Pieces that the sink does not have yet. */
  get waiting(): number {
    return this.#pieces.length;
  }

  /** @throws FleetError RECORD_WRITE when far too much waits, and whatever the sink threw */
  push(piece: Promise<OutputPiece>): void {
    // Whoever drains learns of a failed compression; a piece that waits behind a failure is never looked at again.
    piece.catch(() => undefined);
    this.throwIfFailed();
    if (this.#pieces.length >= PIECES_WAITING_MAX)
      throw new FleetError(
        'RECORD_WRITE',
        `${PIECES_WAITING_MAX} pieces of a recording wait for the disk: await drain() when the writer says so`,
      );
    this.#pieces.push(piece);
    if (!this.#isPumping) void this.#pump();
  }

  /** Resolves when at most `waitingMax` pieces wait. @throws whatever the sink threw */
  async drain(waitingMax: number): Promise<void> {
    while (this.#failure === undefined && this.#pieces.length > waitingMax) await this.#progress.promise;
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      for (let next = this.#pieces[0]; next !== undefined; next = this.#pieces[0]) {
        const piece = await next;
        await this.#sink.write(piece.bytes);
        this.#crc =
          piece.crc === undefined ? crc32(piece.bytes, this.#crc) : joinCrc(this.#crc, piece.crc, piece.bytes.length);
        const offset = this.#sizeBytes;
        this.#sizeBytes += piece.bytes.length;
        void this.#pieces.shift();
        piece.written(offset);
        this.#announce();
      }
    } catch (error) {
      this.#failure = { error };
      this.#pieces.length = 0;
      this.#announce();
    } finally {
      this.#isPumping = false;
    }
  }

  #announce(): void {
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers<void>();
    resolve();
  }
}
