/** Opens the ring of a session: how large its blocks are, how long they may stay open, and whether they are packed as they are sealed. */
import type { BlockPacker } from './packed-block.ts';
import { SessionRing } from './session-ring.ts';

const NS_PER_MS = 1e6;
const BLOCK_BYTES = 256 * 1024;
const BLOCK_BYTES_MIN = 16 * 1024;
/** Blocks that fit into the ring, so that it can be trimmed in steps. */
const BLOCKS_PER_RING_MIN = 16;
const BLOCK_AGE_MS = 1_000;

export type RingLimits = {
  /** Most memory of the ring, bytes; over it a live session leaves the oldest to the disk, and otherwise an open event is cut. */
  readonly ringBytesMax: number;
  /** Bytes of a block, and the time after which a live session seals one that is not full, ms. */
  readonly blockBytes?: number;
  readonly blockAgeMs?: number;
};

export function openRing(
  firstNs: bigint,
  { ringBytesMax, blockBytes, blockAgeMs = BLOCK_AGE_MS }: RingLimits,
  { isReplayable, packer }: { readonly isReplayable: boolean; readonly packer: BlockPacker },
): SessionRing {
  const fitting = Math.max(BLOCK_BYTES_MIN, Math.floor(ringBytesMax / BLOCKS_PER_RING_MIN));
  return new SessionRing(firstNs, {
    blockBytes: blockBytes ?? Math.min(BLOCK_BYTES, fitting),
    blockAgeNs: isReplayable ? Number.POSITIVE_INFINITY : blockAgeMs * NS_PER_MS,
    isPacking: !isReplayable,
    packer,
  });
}
