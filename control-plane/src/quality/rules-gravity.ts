/** Why: gravity has one length and points down, so an accelerometer's unit, scale, bias and mounting show in every quiet minute. */
import { type GravityWindow, lengthOfVector } from './gravity-windows.ts';
import { at, type Judged } from './judged.ts';
import type { Triple } from './motion-monitor.ts';
import { changesUnit } from './rules-levels.ts';

/** Factors by which accelerations go wrong, with what they mean. Value found over value expected. */
const FACTORS: readonly (readonly [factor: number, meaning: string])[] = [
  [1 / 9.80665, 'the values are in g, but are taken for m/s²'],
  [9.80665, 'the values are in m/s², but were taken for g'],
  [1_000 / 9.80665, 'the values are in thousandths of g'],
  [1_000, 'the values are in mm/s²'],
  [100, 'the values are in cm/s²'],
  [1 / 100, 'the values were divided by 100'],
  [1 / 3.6, 'the values were divided by 3.6'],
  [3.6, 'the values were multiplied by 3.6'],
];
/** How near to a factor a length must be to name it. */
const FACTOR_SHARE = 0.08;
/** Share of windows that must be wrong before the whole recording is. */
const WHOLE_SHARE = 0.8;
const AXIS_NAMES = ['longitudinal', 'lateral', 'vertical'] as const;

export function judgeGravity(judged: Judged): void {
  for (const triple of judged.motion.triples) judgeTriple(judged, triple);
}

/**
 * How many of the sensor's own units gravity is long: 9.81 where the unit is known, 9.81 or 1 where it is not, and undefined when the
 * sensor takes gravity out.
 */
export function expectedLength(judged: Pick<Judged, 'standard'>, triple: Triple): number | undefined {
  const { gravity, withoutGravityMax, lengthShareMax } = judged.standard.imu;
  const lengths = triple.gravity.windows.map(lengthOfVector).toSorted((a, b) => a - b);
  const middle = lengths[Math.floor(lengths.length / 2)];
  if (middle === undefined) return undefined;
  if (triple.members[0]?.signal.conversion !== undefined) return middle < withoutGravityMax ? undefined : gravity;
  if (middle < withoutGravityMax / gravity) return undefined;
  return Math.abs(middle - 1) <= 3 * lengthShareMax ? 1 : gravity;
}

/** 1 when the third axis of the sensor points up, -1 when down, 0 when neither. */
export function upOf(triple: Triple): number {
  const mean = meanOf(triple.gravity.windows);
  const length = lengthOfVector(mean);
  if (length === 0 || Math.abs(mean.z) < 0.7 * length) return 0;
  return Math.sign(mean.z);
}

function judgeTriple(judged: Judged, triple: Triple): void {
  const { windows } = triple.gravity;
  const { imu } = judged.standard;
  const expected = expectedLength(judged, triple);
  if (windows.length < imu.windowsMin || expected === undefined) return;
  const limit = imu.lengthShareMax * expected;
  const wrong = windows.filter((window) => Math.abs(lengthOfVector(window) - expected) > limit);
  const isWhole = wrong.length >= WHOLE_SHARE * windows.length;
  // One window on a kerb or in a long bend is no fault of the sensor; two in a row are.
  const parts = isWhole
    ? []
    : runsOf(windows, wrong).filter((run) => run.length >= 2 && isFarOff(run, expected, limit));
  for (const part of parts) addLength(judged, triple, { windows: part, expected, isPart: true });
  const isOff = Math.abs(medianOf(windows.map(lengthOfVector)) - expected) > limit;
  if (isWhole || (isOff && parts.length === 0)) addLength(judged, triple, { windows, expected, isPart: false });
  judgeAxis(judged, triple, expected);
}

/** A part of a recording must be wrong by more than a hill or a bend can do. */
function isFarOff(windows: readonly GravityWindow[], expected: number, limit: number): boolean {
  return Math.abs(medianOf(windows.map(lengthOfVector)) - expected) > Math.max(2 * limit, 0.15 * expected);
}

function addLength(
  judged: Judged,
  triple: Triple,
  {
    windows,
    expected,
    isPart,
  }: { readonly windows: readonly GravityWindow[]; readonly expected: number; readonly isPart: boolean },
): void {
  // The first and the last window may hold values from outside of the part: alone, they name no factor.
  const isLong = windows.length > 2;
  const length = medianOf((isLong ? windows.slice(1, -1) : windows).map(lengthOfVector));
  const changing = triple.members.find((member) => member !== undefined && changesUnit(judged, member.signal));
  const known = FACTORS.find(([factor]) => Math.abs(length / expected / factor - 1) < FACTOR_SHARE);
  const isMixed = isPart ? !isLong : changing !== undefined;
  const mixture = changing === undefined ? '' : `: the unit of ${changing.signal.name} changes in between`;
  const meaning = isMixed ? mixture : known === undefined ? '' : `: ${known[1]}`;
  judged.list.add('imu.gravity-length', {
    topic: triple.members[0]?.signal.topic,
    fromNs: at(judged, windows[0]?.fromNs ?? 0),
    toNs: at(judged, windows.at(-1)?.toNs ?? 0),
    message: `the mean acceleration is ${length.toPrecision(4)} long where gravity is ${expected.toPrecision(4)}${meaning}`,
    evidence: { length, expected, factor: length / expected, windows: windows.length },
  });
}

function judgeAxis(judged: Judged, triple: Triple, expected: number): void {
  const { windows } = triple.gravity;
  const [first] = triple.members;
  if (first?.signal.isDeclared !== true) {
    judgeFlip(judged, triple);
    return;
  }
  const { verticalShareMin } = judged.standard.imu;
  const wrong = windows.filter((window) => window.z < verticalShareMin * lengthOfVector(window));
  if (wrong.length * 2 < windows.length) {
    judgeFlip(judged, triple);
    return;
  }
  const mean = meanOf(windows);
  const parts = [mean.x, mean.y, mean.z];
  const axis = parts.reduce(
    (best, part, index) => (Math.abs(part) > Math.abs(parts[best] as number) ? index : best),
    0,
  );
  const isDown = axis === 2;
  judged.list.add('imu.gravity-axis', {
    topic: first.signal.topic,
    fromNs: at(judged, windows[0]?.fromNs ?? 0),
    toNs: at(judged, windows.at(-1)?.toNs ?? 0),
    message: isDown
      ? 'gravity is negative on the vertical axis: its sign is flipped, or the sensor hangs upside down'
      : `gravity lies on the ${AXIS_NAMES[axis] ?? ''} axis instead of the vertical one: axes are swapped, or the sensor is turned`,
    evidence: { x: mean.x, y: mean.y, z: mean.z, expected },
  });
}

/** The direction of gravity may not change its axis or its sign within a recording. */
function judgeFlip(judged: Judged, triple: Triple): void {
  const { windows } = triple.gravity;
  const mean = meanOf(windows.slice(0, Math.max(2, Math.floor(windows.length / 4))));
  const turned = windows.filter(
    (window) => cosine(window, mean) < 0.5 && lengthOfVector(window) > 0.3 * lengthOfVector(mean),
  );
  const run = runsOf(windows, turned).toSorted((a, b) => b.length - a.length)[0];
  if (run === undefined || run.length < 2) return;
  const after = meanOf(run);
  judged.list.add('imu.gravity-axis', {
    topic: triple.members[0]?.signal.topic,
    fromNs: at(judged, run[0]?.fromNs ?? 0),
    toNs: at(judged, run.at(-1)?.toNs ?? 0),
    message:
      'gravity changes its direction in the sensor within the recording: an axis is flipped or swapped, or the sensor came loose',
    evidence: { x: after.x, y: after.y, z: after.z, beforeX: mean.x, beforeY: mean.y, beforeZ: mean.z },
  });
}

type Vector = Pick<GravityWindow, 'x' | 'y' | 'z'>;

function cosine(a: Vector, b: Vector): number {
  return (a.x * b.x + a.y * b.y + a.z * b.z) / (lengthOfVector(a) * lengthOfVector(b) || 1);
}

function meanOf(windows: readonly GravityWindow[]): Vector {
  const count = Math.max(1, windows.length);
  const sum = windows.reduce((total, { x, y, z }) => ({ x: total.x + x, y: total.y + y, z: total.z + z }), {
    x: 0,
    y: 0,
    z: 0,
  });
  return { x: sum.x / count, y: sum.y / count, z: sum.z / count };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Parts of `windows`, in order, that consist of `marked` ones only. */
function runsOf(windows: readonly GravityWindow[], marked: readonly GravityWindow[]): readonly GravityWindow[][] {
  const set = new Set(marked);
  const runs: GravityWindow[][] = [];
  let run: GravityWindow[] | undefined;
  for (const window of windows) {
    if (!set.has(window)) run = undefined;
    else if (run === undefined) runs.push((run = [window]));
    else run.push(window);
  }
  return runs;
}
