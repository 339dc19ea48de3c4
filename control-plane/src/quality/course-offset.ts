/**
 * Why: a vehicle drives where it points, so heading and course over ground differ by nothing, whatever road it takes. A constant difference
 * is another zero or a sensor that is turned; one that only radians would explain is a unit.
 */

const DEGREES_PER_RADIAN = 180 / Math.PI;
/** Both are turning too fast to be compared. */
const TURN_MAX = 20;

/** Mean of angles as a vector: `share` is 1 when all are alike, 0 when they point everywhere. */
export type MeanAngle = { readonly degrees: number; readonly share: number };

export class CourseOffset {
  count = 0;
  headingMin = Number.POSITIVE_INFINITY;
  headingMax = Number.NEGATIVE_INFINITY;
  readonly #asDegrees: [cos: number, sin: number] = [0, 0];
  readonly #asRadians: [cos: number, sin: number] = [0, 0];

  /** @param heading at both ends of a leg, in what is taken for degrees; @param course of the leg, degrees */
  push(heading: readonly [number, number], course: number): void {
    const [from, to] = heading;
    if (!Number.isFinite(from + to) || Math.abs(turn(to - from)) > TURN_MAX) return;
    this.count += 1;
    this.headingMin = Math.min(this.headingMin, from, to);
    this.headingMax = Math.max(this.headingMax, from, to);
    addAngle(this.#asDegrees, from + turn(to - from) / 2 - course);
    addAngle(this.#asRadians, ((from + to) / 2) * DEGREES_PER_RADIAN - course);
  }

  /** Heading minus course. */
  get offset(): MeanAngle {
    return this.#mean(this.#asDegrees);
  }

  /** The same, were the headings radians. */
  get offsetOfRadians(): MeanAngle {
    return this.#mean(this.#asRadians);
  }

  #mean([cos, sin]: readonly [number, number]): MeanAngle {
    return {
      degrees: Math.atan2(sin, cos) * DEGREES_PER_RADIAN,
      share: Math.hypot(cos, sin) / Math.max(1, this.count),
    };
  }
}

function addAngle(sum: [number, number], degrees: number): void {
  sum[0] += Math.cos(degrees / DEGREES_PER_RADIAN);
  sum[1] += Math.sin(degrees / DEGREES_PER_RADIAN);
}

function turn(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360);
}
