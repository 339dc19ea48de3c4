/** Identity of a recording on disk: its own digest and those of its chunks, in one pass. */
import { createHash } from 'node:crypto';
import { CHUNK_SIZE_BYTES_MAX, type Digest, parseDigest } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { SpoolFiles } from '../ports.ts';

export type RecordingDigests = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly chunkDigests: Digest[];
};

/** Reads a file of the spool once. */
export async function digestRecording(files: SpoolFiles, name: string, sizeBytes: number): Promise<RecordingDigests> {
  const whole = createHash('sha256');
  const chunkDigests: Digest[] = [];
  for (let offset = 0; offset < sizeBytes; offset += CHUNK_SIZE_BYTES_MAX) {
    const chunk = await files.readBytes(name, offset, Math.min(CHUNK_SIZE_BYTES_MAX, sizeBytes - offset));
    whole.update(chunk);
    chunkDigests.push(digestOfBytes(chunk));
  }
  const digest = parseDigest(`sha256:${whole.digest('hex')}`);
  return { digest, sizeBytes, chunkSizeBytes: CHUNK_SIZE_BYTES_MAX, chunkDigests };
}
