/** How a feature set cuts time into windows, always by log time: both engines close and fill them by the same rules. */
import { z } from 'zod';

/** Longest window, ms. */
export const WINDOW_MS_MAX = 600_000;
/** Longest bound on how late a message may come, ms. */
export const LATENESS_MS_MAX = 60_000;
/** Most windows that one sample may be part of. */
export const WINDOW_OVERLAP_MAX = 1_024;

const lengthMs = z.int().min(10).max(WINDOW_MS_MAX);
/**
 * How far behind the newest stamp a message may come and still be taken, ms; 0 if absent. It delays each vector by as much: a window
 * is closed when a message that carries a signal of the set is stamped its end plus this, or later. A sample that comes after all its
 * windows have closed is counted and left out.
 */
const latenessMs = z.int().min(0).max(LATENESS_MS_MAX).optional();

/**
 * Windows [k * hopMs, k * hopMs + lengthMs) on the session's clock, k integer: aligned to the epoch, so any recording of the same
 * instants gives the same windows. Tumbling where the two are equal.
 */
const FixedWindow = z
  .strictObject({ lengthMs, hopMs: lengthMs, latenessMs })
  .refine((window) => window.lengthMs <= window.hopMs * WINDOW_OVERLAP_MAX, {
    error: `a sample would be part of more than ${WINDOW_OVERLAP_MAX} windows: raise hopMs`,
  });

/**
 * Windows from silence to silence: samples (of any signal of the set) that are at most gapMs apart belong together. A stretch longer
 * than lengthMsMax is cut at whole multiples of it from its first sample. Such a window starts with the stretch or at a cut and ends
 * 1 ns after its last sample.
 */
const SessionWindow = z.strictObject({ gapMs: lengthMs, lengthMsMax: lengthMs, latenessMs });

export const FeatureWindow = z.union([FixedWindow, SessionWindow], {
  error: `a window is {lengthMs, hopMs} or {gapMs, lengthMsMax}, each a whole number from 10 to ${WINDOW_MS_MAX}; latenessMs is at most ${LATENESS_MS_MAX}`,
});
export type FeatureWindow = z.infer<typeof FeatureWindow>;
export type FixedWindow = z.infer<typeof FixedWindow>;
export type SessionWindow = z.infer<typeof SessionWindow>;

export function isSessionWindow(window: FeatureWindow): window is SessionWindow {
  return 'gapMs' in window;
}
