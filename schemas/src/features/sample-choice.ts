/**
 * Which windows are sampled: a question to the window alone, so that a restart, a replay and another vehicle choose the same ones, and
 * so that nothing periodic on the road falls in step with a counter.
 */
import type { InputChoice } from './streaming-evaluator.ts';

/** 2^64 divided by the golden ratio: multiples of it spread evenly over their high bits. */
const SPREAD = 0x9e3779b97f4a7c15n;
const HIGH_BITS = 32n;

/** One window in `every`; none for 0. */
export function chooseWindows(every: number): InputChoice {
  if (every === 0) return () => false;
  const share = BigInt(every);
  return (windowStartNs) => (BigInt.asUintN(64, windowStartNs * SPREAD) >> HIGH_BITS) % share === 0n;
}
