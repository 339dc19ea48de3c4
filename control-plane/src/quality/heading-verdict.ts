/** Why: what is wrong between heading and course of one receiver, all along or for a part; other rules must not blame a third signal for it. */
import { type CourseOffset, mergedWindow, type OffsetWindow } from './course-offset.ts';

/** Pieces of road of a second or more on which heading and course are compared. */
const LEGS_MIN = 30;
/** A compass, a magnetic declination and a sensor that was mounted by hand stay below this. */
const OFFSET_DEGREES_MAX = 30;
const SHARE_MIN = 0.9;
/** Agreement, the right way round, above which nothing is mirrored: a straight road agrees with its mirror image. */
const UNMIRRORED_SHARE_MAX = 0.8;
const RADIANS_MAX = 2 * Math.PI + 0.01;

export type HeadingFault = 'offset' | 'radians' | 'mirrored';
export type HeadingVerdict = {
  readonly fault: HeadingFault;
  readonly window: OffsetWindow;
  /** Whether it is a part of the recording only. */
  readonly isPart: boolean;
};

/** Undefined where the two agree, or too little was driven to say. */
export function headingVerdict({ windows }: CourseOffset): HeadingVerdict | undefined {
  const all = mergedWindow(windows);
  const whole = all.count < LEGS_MIN ? undefined : faultOf(all);
  if (whole !== undefined) return { fault: whole, window: all, isPart: false };
  let best: HeadingVerdict | undefined;
  for (const fault of ['offset', 'radians', 'mirrored'] as const)
    for (const run of runsOf(windows, (window) => isPossible(window, fault))) {
      const window = mergedWindow(run);
      if (window.count < Math.max(LEGS_MIN, best?.window.count ?? 0) || faultOf(window) !== fault) continue;
      best = { fault, window, isPart: true };
    }
  return best;
}

function faultOf(window: OffsetWindow): HeadingFault | undefined {
  const { offset, offsetOfRadians, mirrored, headingMin, headingMax } = window;
  const isOff = offset.share > SHARE_MIN && Math.abs(offset.degrees) > OFFSET_DEGREES_MAX;
  const isRadians =
    headingMin >= -RADIANS_MAX &&
    headingMax <= RADIANS_MAX &&
    offsetOfRadians.share > SHARE_MIN &&
    Math.abs(offsetOfRadians.degrees) < OFFSET_DEGREES_MAX &&
    (isOff || offset.share < offsetOfRadians.share - 0.1);
  if (isRadians) return 'radians';
  if (isOff) return 'offset';
  return mirrored.share > SHARE_MIN && offset.share < UNMIRRORED_SHARE_MAX ? 'mirrored' : undefined;
}

/** Whether a few legs may be part of such a fault: one road among them may look right either way. */
function isPossible(
  { offset, offsetOfRadians, mirrored, headingMin, headingMax }: OffsetWindow,
  fault: HeadingFault,
): boolean {
  if (fault === 'offset') return offset.share > SHARE_MIN && Math.abs(offset.degrees) > OFFSET_DEGREES_MAX;
  if (fault === 'mirrored') return mirrored.share > SHARE_MIN;
  const isSmall = headingMin >= -RADIANS_MAX && headingMax <= RADIANS_MAX;
  return isSmall && offsetOfRadians.share > SHARE_MIN && Math.abs(offsetOfRadians.degrees) < OFFSET_DEGREES_MAX;
}

function runsOf(
  windows: readonly OffsetWindow[],
  isMarked: (window: OffsetWindow) => boolean,
): readonly OffsetWindow[][] {
  const runs: OffsetWindow[][] = [];
  let run: OffsetWindow[] | undefined;
  for (const window of windows) {
    if (!isMarked(window)) run = undefined;
    else if (run === undefined) runs.push((run = [window]));
    else run.push(window);
  }
  return runs;
}
