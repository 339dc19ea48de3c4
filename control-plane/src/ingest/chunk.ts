/** Decides whether the bytes of a chunk are the ones that it claims to be. */
import { CHUNK_SIZE_BYTES_MAX, type Digest, FleetError, isDigest } from '@fleetloop/schemas';

export type ChunkVerdict =
  | { readonly kind: 'good'; readonly digest: Digest }
  | { readonly kind: 'bad'; readonly actual: Digest; readonly error: FleetError };

/** Compares the digest that a chunk claims in its header with the one that its bytes have. */
export function judgeChunk(
  vehicleId: string,
  claimed: string | undefined,
  actual: Digest,
  sizeBytes: number,
): ChunkVerdict {
  const bad = (message: string): ChunkVerdict => ({
    kind: 'bad',
    actual,
    error: new FleetError('INGEST_CHUNK_DIGEST', `a chunk of ${vehicleId} ${message}`),
  });
  if (sizeBytes === 0 || sizeBytes > CHUNK_SIZE_BYTES_MAX)
    return bad(`has ${sizeBytes} bytes: 1 to ${CHUNK_SIZE_BYTES_MAX} are allowed`);
  if (!isDigest(claimed)) return bad('does not claim a digest in its header');
  if (claimed !== actual) return bad(`claims ${claimed} but its bytes have ${actual}: send it again`);
  return { kind: 'good', digest: actual };
}

/** Bit i (least significant bit of byte 0 first) is set when chunk i is missing or has another size than its place asks for. */
export function missingBitmap(
  sizes: readonly (number | undefined)[],
  sizeBytes: number,
  chunkSizeBytes: number,
): Uint8Array | undefined {
  const bitmap = new Uint8Array(Math.ceil(sizes.length / 8));
  let missing = 0;
  for (const [index, size] of sizes.entries()) {
    const isLast = index === sizes.length - 1;
    const expected = isLast ? sizeBytes - chunkSizeBytes * index : chunkSizeBytes;
    if (size === expected) continue;
    bitmap[index >>> 3] = (bitmap[index >>> 3] ?? 0) | (1 << (index & 7));
    missing += 1;
  }
  return missing === 0 ? undefined : bitmap;
}
