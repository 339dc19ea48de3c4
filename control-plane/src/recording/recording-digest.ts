/** The digest of a file, read in pieces. */
import { createHash } from 'node:crypto';
import type { McapBytes } from '@fleetloop/schemas/recording';

const PIECE_BYTES = 1024 * 1024;

export async function digestOfFile(file: McapBytes, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (let offset = 0; offset < file.sizeBytes; offset += PIECE_BYTES) {
    signal.throwIfAborted();
    hash.update(await file.read(offset, PIECE_BYTES));
  }
  return `sha256:${hash.digest('hex')}`;
}
