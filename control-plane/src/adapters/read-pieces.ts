/** Why: a file that is read to be sent needs memory once, and not anew for each piece of it. */
import { open } from 'node:fs/promises';

const PIECE_BYTES = 512 * 1024;

/** Bytes of a file from `fromByte` on. Each piece is good until the next one is asked for. */
export async function* readPieces(path: string, fromByte = 0): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  await using file = await open(path, 'r');
  for (let position = fromByte; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
