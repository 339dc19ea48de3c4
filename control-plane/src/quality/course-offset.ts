/**
 * Why: a vehicle drives where it points, so heading and course over ground differ by nothing, whatever road it takes. A constant difference
 * is another zero or a sensor that is turned; one that only radians would explain is a unit; where their sum is constant instead, one of
 * the two runs the other way round: a heading anticlockwise, or a coordinate with another sign or in the place of the other.
 */

const DEGREES_PER_RADIAN = 180 / Math.PI;
/** Both are turning too fast to be compared. */
const TURN_MAX = 20;
/** Legs that are kept together, and how many of such windows. */
const WINDOW_LEGS = 10;
const WINDOWS_MAX = 256;

/** Mean of angles as a vector: `share` is 1 when all are alike, 0 when they point everywhere. */
export type MeanAngle = { readonly degrees: number; readonly share: number };
type Leg = {
  /** At both ends, in what is taken for degrees. */
  readonly heading: readonly [number, number];
  /** Degrees. */
  readonly course: number;
  readonly fromNs: number;
  readonly toNs: number;
};

/** What some legs in a row said. */
export class OffsetWindow {
  count = 0;
  fromNs = Number.NaN;
  toNs = Number.NaN;
  headingMin = Number.POSITIVE_INFINITY;
  headingMax = Number.NEGATIVE_INFINITY;
  readonly #difference: [cos: number, sin: number] = [0, 0];
  readonly #differenceOfRadians: [cos: number, sin: number] = [0, 0];
  readonly #sum: [cos: number, sin: number] = [0, 0];

  add({ heading: [from, to], course, fromNs, toNs }: Leg): void {
    if (this.count === 0) this.fromNs = fromNs;
    this.toNs = toNs;
    this.count += 1;
    this.headingMin = Math.min(this.headingMin, from, to);
    this.headingMax = Math.max(this.headingMax, from, to);
    const middle = from + turn(to - from) / 2;
    addAngle(this.#difference, middle - course);
    addAngle(this.#differenceOfRadians, ((from + to) / 2) * DEGREES_PER_RADIAN - course);
    addAngle(this.#sum, middle + course);
  }

  /** Takes in one that comes later. */
  merge(later: OffsetWindow): void {
    if (this.count === 0) this.fromNs = later.fromNs;
    this.toNs = later.toNs;
    this.count += later.count;
    this.headingMin = Math.min(this.headingMin, later.headingMin);
    this.headingMax = Math.max(this.headingMax, later.headingMax);
    addVector(this.#difference, later.#difference);
    addVector(this.#differenceOfRadians, later.#differenceOfRadians);
    addVector(this.#sum, later.#sum);
  }

  /** Heading minus course. */
  get offset(): MeanAngle {
    return this.#mean(this.#difference);
  }

  /** The same, were the headings radians. */
  get offsetOfRadians(): MeanAngle {
    return this.#mean(this.#differenceOfRadians);
  }

  /** Heading plus course. */
  get mirrored(): MeanAngle {
    return this.#mean(this.#sum);
  }

  #mean([cos, sin]: readonly [number, number]): MeanAngle {
    return {
      degrees: Math.atan2(sin, cos) * DEGREES_PER_RADIAN,
      share: Math.hypot(cos, sin) / Math.max(1, this.count),
    };
  }
}

export class CourseOffset {
  readonly windows: OffsetWindow[] = [];
  #legs = WINDOW_LEGS;

  push(leg: Leg): void {
    const [from, to] = leg.heading;
    if (!Number.isFinite(from + to) || Math.abs(turn(to - from)) > TURN_MAX) return;
    let open = this.windows.at(-1);
    if (open === undefined || open.count >= this.#legs) {
      if (this.windows.length === WINDOWS_MAX) this.#halve();
      open = new OffsetWindow();
      this.windows.push(open);
    }
    open.add(leg);
  }

  #halve(): void {
    for (let index = 0; index + 1 < this.windows.length; index += 1)
      (this.windows[index] as OffsetWindow).merge(this.windows.splice(index + 1, 1)[0] as OffsetWindow);
    this.#legs *= 2;
  }
}

export function mergedWindow(windows: readonly OffsetWindow[]): OffsetWindow {
  const all = new OffsetWindow();
  for (const window of windows) all.merge(window);
  return all;
}

function addAngle(sum: [number, number], degrees: number): void {
  sum[0] += Math.cos(degrees / DEGREES_PER_RADIAN);
  sum[1] += Math.sin(degrees / DEGREES_PER_RADIAN);
}

function addVector(sum: [number, number], [cos, sin]: readonly [number, number]): void {
  sum[0] += cos;
  sum[1] += sin;
}

function turn(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360);
}
