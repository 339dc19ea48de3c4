/** A token bucket in bytes: over any time it lets no more through than rate times time plus one burst. */

export type BucketLimits = {
  /** null is no limit. */
  readonly rateBytesPerS: number | null;
  readonly burstBytes: number;
};

export type TokenBucket = { readonly tokens: number; readonly atMs: number };

const MS_PER_S = 1_000;

/** A full bucket. */
export function fillBucket(limits: BucketLimits, nowMs: number): TokenBucket {
  return { tokens: limits.burstBytes, atMs: nowMs };
}

/** What has flowed in since adds to what was there, up to the burst; it never replaces it. */
export function refill(bucket: TokenBucket, limits: BucketLimits, nowMs: number): TokenBucket {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  const inflow = limits.rateBytesPerS === null ? limits.burstBytes : (limits.rateBytesPerS * passedMs) / MS_PER_S;
  return { tokens: Math.min(limits.burstBytes, bucket.tokens + inflow), atMs: Math.max(bucket.atMs, nowMs) };
}

/** How long to wait until `bytes` may go, ms; 0 is now. More than one burst never may: the caller's pieces are smaller. */
export function waitForTokensMs(bucket: TokenBucket, limits: BucketLimits, bytes: number): number {
  if (limits.rateBytesPerS === null || bucket.tokens >= bytes) return 0;
  if (bytes > limits.burstBytes) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.ceil(((bytes - bucket.tokens) * MS_PER_S) / limits.rateBytesPerS));
}

/** The bucket after `bytes` went. */
export function take(bucket: TokenBucket, bytes: number): TokenBucket {
  return { ...bucket, tokens: bucket.tokens - bytes };
}
