/**
 * What a scripted link does and when. The model, since TCP shows no lost byte to those who use it:
 * - a segment that is lost comes late: with probability `lossShare` a segment of `SEGMENT_BYTES` waits one retransmission time-out,
 *   and everything behind it in its direction waits too, as behind a hole in the sequence;
 * - a link that is lost for good shows as a cut: both sockets are reset, and what was on the way is gone;
 * - an outage is a cut, after which no connection comes through until it is over;
 * - a silence keeps the connections and moves nothing, as a radio shadow does.
 * The rate holds for each direction by itself; the delay is one way.
 */

export const SEGMENT_BYTES = 16 * 1_024;

export type LinkConditions = {
  /** Each way; null is as fast as the machine. */
  readonly bytesPerS: number | null;
  readonly delayMs: number;
  /** Part of all segments that are lost once, in [0, 1). */
  readonly lossShare: number;
  /** How much later a lost segment comes, ms. */
  readonly retransmitMs: number;
};

export const PERFECT_LINK: LinkConditions = { bytesPerS: null, delayMs: 0, lossShare: 0, retransmitMs: 200 };

/** What happens at a time, ms after the start of the link. */
export type LinkEvent =
  | { readonly kind: 'cut'; readonly atMs: number }
  | { readonly kind: 'outage'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'silence'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'conditions'; readonly atMs: number; readonly conditions: Partial<LinkConditions> };

export type LinkScript = {
  readonly seed: number;
  readonly conditions: LinkConditions;
  /** By time. */
  readonly events: readonly LinkEvent[];
  /** Cuts after so many bytes went up, ascending: they hit the same place however fast the machine is. */
  readonly cutsAtBytes: readonly number[];
};

/** A link that is as it is. */
export function steadyLink(conditions: Partial<LinkConditions> = {}, seed = 1): LinkScript {
  return { seed, conditions: { ...PERFECT_LINK, ...conditions }, events: [], cutsAtBytes: [] };
}
