/** Why: positions say how fast and which way a vehicle went, independent of every other sensor, and where they cannot be. */
import { CourseOffset } from './course-offset.ts';
import { StillDrive } from './still-drive.ts';
import { Track } from './track.ts';

const METRES_PER_DEGREE = 111_195;
/** Positions nearer in time than this are too noisy to say a speed. */
const LEG_NS_MIN = 0.9e9;
const LEG_NS_MAX = 5e9;
const JUMPS_MAX = 64;
/** Some centimetres: what stands for no fix is nothing, while a boat or a simulation may well be near it. */
const NULL_DEGREES = 1e-6;

/** Below this, m/s, noise of the positions is most of a leg's course. */
const OFFSET_MPS_MIN = 5;

export type Jump = { readonly fromNs: number; readonly toNs: number; readonly metres: number; readonly mps: number };

export type MotionNow = { readonly speedMps: number; readonly heading: number };
type Fix = {
  readonly latitude: number;
  readonly longitude: number;
  readonly nowNs: number;
  readonly heading: number;
};

export class PositionMonitor {
  /** Speed (m/s) and course (degrees clockwise from north, unwrapped) over ground. */
  readonly speed = new Track();
  readonly course = new Track();
  readonly jumps: Jump[] = [];
  jumpCount = 0;
  count = 0;
  nullCount = 0;
  nullFirstNs = Number.NaN;
  nullLastNs = Number.NaN;
  readonly latitude: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  readonly longitude: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  readonly still = new StillDrive();
  readonly headingOffset = new CourseOffset();
  #anchor: Fix | undefined;
  #last: Fix | undefined;
  #course = Number.NaN;
  readonly #speedMpsMax: number;
  readonly #noiseM: number;

  constructor({ speedMpsMax, noiseM }: { readonly speedMpsMax: number; readonly noiseM: number }) {
    this.#speedMpsMax = speedMpsMax;
    this.#noiseM = noiseM;
  }

  /** @param motion the vehicle's own speed and heading now, NaN where it is not known */
  push(nowNs: number, latitude: number, longitude: number, { speedMps, heading }: MotionNow): void {
    if (!Number.isFinite(latitude + longitude)) return;
    this.count += 1;
    if (Math.abs(latitude) < NULL_DEGREES && Math.abs(longitude) < NULL_DEGREES) {
      this.nullCount += 1;
      if (this.nullCount === 1) this.nullFirstNs = nowNs;
      this.nullLastNs = nowNs;
      return;
    }
    widen(this.latitude, latitude);
    widen(this.longitude, longitude);
    const here = { latitude, longitude, nowNs, heading };
    this.#jump(here);
    // One number that is equal only when both are.
    this.still.push(nowNs, latitude * 1_000 + longitude, speedMps);
    this.#last = here;
    this.#leg(here);
  }

  clear(): void {
    this.speed.clear();
    this.course.clear();
  }

  #jump(here: Fix): void {
    const last = this.#last;
    if (last === undefined || here.nowNs <= last.nowNs) return;
    const metres = distanceOf(last, here).metres;
    const seconds = (here.nowNs - last.nowNs) / 1e9;
    if (metres <= this.#noiseM + this.#speedMpsMax * seconds) return;
    this.jumpCount += 1;
    this.#anchor = undefined;
    if (this.jumps.length < JUMPS_MAX)
      this.jumps.push({ fromNs: last.nowNs, toNs: here.nowNs, metres, mps: metres / seconds });
  }

  #leg(here: Fix): void {
    const anchor = this.#anchor;
    const lengthNs = here.nowNs - (anchor?.nowNs ?? Number.NaN);
    if (anchor !== undefined && lengthNs >= 0 && lengthNs < LEG_NS_MIN) return;
    this.#anchor = here;
    if (anchor === undefined || !(lengthNs > 0 && lengthNs <= LEG_NS_MAX)) return;
    const { metres, east, north } = distanceOf(anchor, here);
    const middleNs = (anchor.nowNs + here.nowNs) / 2;
    const mps = metres / (lengthNs / 1e9);
    this.speed.push(middleNs, mps);
    if (mps < 2) return;
    const degrees = (Math.atan2(east, north) * 180) / Math.PI;
    if (mps >= OFFSET_MPS_MIN)
      this.headingOffset.push({
        heading: [anchor.heading, here.heading],
        course: degrees,
        fromNs: anchor.nowNs,
        toNs: here.nowNs,
      });
    this.#course = Number.isNaN(this.#course) ? degrees : this.#course + turnOf(degrees - this.#course);
    this.course.push(middleNs, this.#course);
  }
}

/** An angle to -180 to 180. */
export function turnOf(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360);
}

function distanceOf(
  from: { readonly latitude: number; readonly longitude: number },
  to: { readonly latitude: number; readonly longitude: number },
): { readonly metres: number; readonly east: number; readonly north: number } {
  const north = (to.latitude - from.latitude) * METRES_PER_DEGREE;
  const middle = (((to.latitude + from.latitude) / 2) * Math.PI) / 180;
  const east = turnOf(to.longitude - from.longitude) * METRES_PER_DEGREE * Math.cos(middle);
  return { metres: Math.hypot(east, north), east, north };
}

function widen(range: [number, number], value: number): void {
  if (value < range[0]) range[0] = value;
  if (value > range[1]) range[1] = value;
}
