/** Why: a vehicle cannot jump, is not in the Gulf of Guinea, and is where its session says. */
import { at, type Judged } from './judged.ts';
import type { CourseOffset } from './course-offset.ts';
import { headingVerdict, type HeadingVerdict } from './heading-verdict.ts';
import { turnOf } from './position-monitor.ts';
import type { StillDrive } from './still-drive.ts';

/** Metres that a vehicle may seem to drive while its position stands. */
const STILL_METRES_MAX = 120;
/** Metres of straight road on which a compass may show one value. */
const STRAIGHT_METRES_MAX = 1_000;
const JUMPS_NAMED_MAX = 4;
/** What a heading that goes the other way round may come from, by the angle that it and the course add up to. */
const MIRRORS: readonly (readonly [degrees: number, meaning: string])[] = [
  [0, 'it runs anticlockwise, or the sign of the longitude is flipped'],
  [180, 'the sign of the latitude is flipped'],
  [90, 'latitude and longitude are exchanged, or it runs anticlockwise from east'],
];

export function judgeLocation(judged: Judged): void {
  const { motion, list, facts, standard } = judged;
  for (const { signal, still } of motion.headings)
    addStill(
      judged,
      { what: `${signal.topic} ${signal.name}`, topic: signal.topic, metresMax: STRAIGHT_METRES_MAX },
      still,
    );
  const place = facts.metadata?.session.attributes['place'] ?? facts.attributes?.['place'];
  for (const { monitor, signal } of motion.positions) {
    const { topic } = signal;
    if (monitor.nullCount > 0)
      list.add('location.null', {
        topic,
        fromNs: at(judged, monitor.nullFirstNs),
        toNs: at(judged, monitor.nullLastNs),
        message: `${monitor.nullCount} positions of ${topic} lie at 0°, 0°`,
        evidence: { positions: monitor.nullCount, of: monitor.count },
      });
    for (const { fromNs, toNs, metres, mps } of monitor.jumps.slice(0, JUMPS_NAMED_MAX))
      list.add('location.jump', {
        topic,
        fromNs: at(judged, fromNs),
        toNs: at(judged, toNs),
        message: `the position of ${topic} jumps ${metres.toFixed(0)} m in ${((toNs - fromNs) / 1e9).toFixed(2)} s`,
        evidence: { metres, metresPerSecond: mps, jumps: monitor.jumpCount },
      });
    judgeHeadingOffset(judged, topic, monitor.headingOffset);
    addStill(judged, { what: `the position of ${topic}`, topic, metresMax: STILL_METRES_MAX }, monitor.still);
    const box = standard.location.places.find(({ word }) => place?.toLowerCase().includes(word.toLowerCase()) === true);
    if (box === undefined || !Number.isFinite(monitor.latitude[0]) || place === undefined) continue;
    const isInside = (range: readonly [number, number], limits: readonly [number, number]): boolean =>
      range[0] >= limits[0] && range[1] <= limits[1];
    if (isInside(monitor.latitude, box.latitude) && isInside(monitor.longitude, box.longitude)) continue;
    list.add('location.place', {
      topic,
      fromNs: judged.baseNs,
      message: `positions of ${topic} lie outside of ${place}`,
      evidence: {
        place,
        latitudeMin: monitor.latitude[0],
        latitudeMax: monitor.latitude[1],
        longitudeMin: monitor.longitude[0],
        longitudeMax: monitor.longitude[1],
      },
    });
  }
}

function judgeHeadingOffset(judged: Judged, topic: string, found: CourseOffset): void {
  const verdict = headingVerdict(found);
  if (verdict === undefined) return;
  const { window, isPart } = verdict;
  const message = `the heading of ${topic} ${describeHeading(verdict)}`;
  judged.list.add('motion.heading', {
    topic,
    fromNs: isPart ? at(judged, window.fromNs) : judged.baseNs,
    toNs: isPart
      ? at(judged, window.toNs)
      : at(judged, judged.topics.find((each) => each.topic === topic)?.timing.latestNs ?? Number.NaN),
    message: isPart ? `for a part of the recording, ${message}` : message,
    evidence: {
      offsetDegrees: window.offset.degrees,
      agreement: window.offset.share,
      mirroredAgreement: window.mirrored.share,
      legs: window.count,
    },
  });
}

function describeHeading({ fault, isPart, window: { offset, mirrored } }: HeadingVerdict): string {
  if (fault === 'radians') return 'agrees with the course of the positions only if it is in radians';
  if (fault === 'offset')
    return `is ${offset.degrees.toFixed(0)}° away from the course of the positions${isPart ? '' : ' all along'}`;
  const known = MIRRORS.find(([degrees]) => Math.abs(turnOf(mirrored.degrees - degrees)) < 20);
  return `turns against the course of the positions${known === undefined ? '' : `: ${known[1]}`}`;
}

function addStill(
  judged: Judged,
  { what, topic, metresMax }: { readonly what: string; readonly topic: string; readonly metresMax: number },
  { farthest }: StillDrive,
): void {
  if (farthest === undefined || farthest.metres <= metresMax) return;
  const seconds = (farthest.toNs - farthest.fromNs) / 1e9;
  judged.list.add('value.frozen', {
    topic,
    fromNs: at(judged, farthest.fromNs),
    toNs: at(judged, farthest.toNs),
    message: `${what} stands still for ${seconds.toFixed(1)} s while the vehicle drives ${farthest.metres.toFixed(0)} m`,
    evidence: { metres: farthest.metres, seconds },
  });
}
