/** Random numbers from a seed: the same seed gives the same run on every machine. */

export type SeededRandom = {
  /** Uniform in [0, 1). */
  readonly next: () => number;
  /** Uniform integer in [low, high]. */
  readonly integer: (low: number, high: number) => number;
  /** True with probability `share`. */
  readonly chance: (share: number) => boolean;
};

/** SplitMix32; good enough to explore with, not for secrets. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  };
  return {
    next,
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (share) => next() < share,
  };
}
