/**
 * LZ4 frames (lz4_Frame_format.md 1.6), as chunks of MCAP files hold them, decoded as far as they are sound. Of our own because the usual
 * decoders keep their state after a frame that was damaged, and give nothing of what stands in front of the damage.
 */
import { viewOf } from './mcap-bytes.ts';

export type Lz4Decoded = {
  /** All that was decoded in front of the damage, or the whole. */
  readonly bytes: Uint8Array;
  /** What is wrong with the frame; undefined when it is whole. */
  readonly damage: string | undefined;
};

const FRAME_MAGIC = 0x184d_2204;
/** Magic, two flag bytes and the header's checksum. */
const HEADER_BYTES_MIN = 7;
const FLAG = { dictionary: 0x01, contentChecksum: 0x04, contentSize: 0x08, blockChecksum: 0x10 } as const;
const BLOCK_IS_PLAIN = 0x8000_0000;
const MATCH_BYTES_MIN = 4;
const LENGTH_CONTINUES = 15;

const NO_END_MARK = 'it ends without its end mark';
const BLOCK_CUT = 'it ends in the middle of a block';

/** Whether a frame only ends too early. */
export function isLz4Cut(damage: string | undefined): boolean {
  return damage === NO_END_MARK || damage === BLOCK_CUT;
}

/** Decodes one frame to at most `sizeMax` bytes. Checksums are left to whoever holds the CRC of the chunk. */
export function decodeLz4Frame(frame: Uint8Array, sizeMax: number): Lz4Decoded {
  const out = new Uint8Array(sizeMax);
  const view = viewOf(frame);
  if (frame.length < HEADER_BYTES_MIN || view.getUint32(0, true) !== FRAME_MAGIC)
    return { bytes: out.subarray(0, 0), damage: 'it does not begin like an lz4 frame' };
  const flags = frame[4] ?? 0;
  if ((flags & FLAG.dictionary) !== 0) return { bytes: out.subarray(0, 0), damage: 'it needs a dictionary' };
  let at = HEADER_BYTES_MIN + ((flags & FLAG.contentSize) === 0 ? 0 : 8);
  const checksumBytes = (flags & FLAG.blockChecksum) === 0 ? 0 : 4;
  let filled = 0;
  while (true) {
    if (at + 4 > frame.length) return { bytes: out.subarray(0, filled), damage: NO_END_MARK };
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return { bytes: out.subarray(0, filled), damage: undefined };
    const isPlain = word >= BLOCK_IS_PLAIN;
    const blockBytes = isPlain ? word - BLOCK_IS_PLAIN : word;
    const block = frame.subarray(at, at + blockBytes);
    if (block.length < blockBytes && !isPlain) {
      const partial = decodeBlock(block, out, filled);
      return { bytes: out.subarray(0, partial.filled), damage: BLOCK_CUT };
    }
    const step = isPlain ? copyBlock(block, out, filled) : decodeBlock(block, out, filled);
    filled = step.filled;
    if (step.damage !== undefined) return { bytes: out.subarray(0, filled), damage: step.damage };
    if (block.length < blockBytes) return { bytes: out.subarray(0, filled), damage: BLOCK_CUT };
    at += blockBytes + checksumBytes;
  }
}

type Step = { readonly filled: number; readonly damage: string | undefined };

function copyBlock(block: Uint8Array, out: Uint8Array, filled: number): Step {
  const fitting = block.subarray(0, out.length - filled);
  out.set(fitting, filled);
  const damage = fitting.length < block.length ? OVERFLOW : undefined;
  return { filled: filled + fitting.length, damage };
}

const OVERFLOW = 'it unpacks to more than it claims';

/** One block: runs of literals, each followed by a copy of what was written before; the last run has no copy. Hot path. */
function decodeBlock(block: Uint8Array, out: Uint8Array, start: number): Step {
  let from = 0;
  let to = start;
  const end = block.length;
  const stop = (damage: string): Step => ({ filled: to, damage });
  while (from < end) {
    const token = block[from++] as number;
    let literals = token >>> 4;
    if (literals === LENGTH_CONTINUES) {
      for (let more = 255; more === 255; literals += more) {
        if (from >= end) return stop('a length goes on behind its block');
        more = block[from++] as number;
      }
    }
    if (literals > out.length - to) return stop(OVERFLOW);
    const taken = Math.min(literals, end - from);
    copyForward(block, from, out, { to, length: taken });
    to += taken;
    from += taken;
    if (taken < literals) return stop('its literals go on behind their block');
    if (from === end) return { filled: to, damage: undefined };
    if (from + 2 > end) return stop('a copy has no distance');
    const distance = (block[from] as number) | ((block[from + 1] as number) << 8);
    from += 2;
    let length = token & LENGTH_CONTINUES;
    if (length === LENGTH_CONTINUES) {
      for (let more = 255; more === 255; length += more) {
        if (from >= end) return stop('a length goes on behind its block');
        more = block[from++] as number;
      }
    }
    length += MATCH_BYTES_MIN;
    if (distance === 0 || distance > to) return stop('a copy reaches behind the start');
    if (length > out.length - to) return stop(OVERFLOW);
    if (distance >= length) out.copyWithin(to, to - distance, to - distance + length);
    else for (let index = 0; index < length; index += 1) out[to + index] = out[to + index - distance] as number;
    to += length;
  }
  return stop('it has no last literals');
}

/** Short runs are the rule, and a loop beats a call for those. */
const CALL_PAYS_BYTES = 32;

function copyForward(
  source: Uint8Array,
  from: number,
  out: Uint8Array,
  { to, length }: { readonly to: number; readonly length: number },
): void {
  if (length >= CALL_PAYS_BYTES) return out.set(source.subarray(from, from + length), to);
  for (let index = 0; index < length; index += 1) out[to + index] = source[from + index] as number;
}
