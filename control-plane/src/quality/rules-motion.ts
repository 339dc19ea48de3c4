/** Why: speed, acceleration, heading, yaw rate and position follow from each other; a wrong unit, sign or axis breaks that. */
import { headingVerdict, type HeadingVerdict } from './heading-verdict.ts';
import type { Judged } from './judged.ts';
import type { Pair } from './motion-monitor.ts';
import type { Agreement } from './pair-statistics.ts';
import {
  addPair,
  bestOf,
  isConvicted,
  isExcited,
  isNear,
  scaleRange,
  SPEED_FACTORS,
  worstPart,
} from './pair-verdict.ts';
import { expectedLength, upOf } from './rules-gravity.ts';
import { judgeRatio } from './rules-speed.ts';
import type { RuleName } from './rules.ts';

/** Value found over value expected, with what it means. */
const ANGLE_FACTORS: readonly (readonly [number, string])[] = [[57.29578, 'degrees against radians']];
const ACCELERATION_FACTORS: readonly (readonly [number, string])[] = [[9.80665, 'g against m/s²'], ...SPEED_FACTORS];
/** Speed that must be reached before bends are felt. */
const LATERAL_MPS_MIN = 5;
/** Correlation from which a slope is a scale, not noise. */
const SCALE_CORRELATION_MIN = 0.5;

export function judgeMotion(judged: Judged): void {
  for (const pair of judged.motion.pairs) {
    if (!isExcited(pair)) continue;
    if (pair.kind === 'acceleration' && pair.axis === 0) judgeAcceleration(judged, pair);
    else if (pair.kind === 'yaw' && pair.axis === 2) judgeYaw(judged, pair);
    else if (pair.kind === 'lateral') judgeLateral(judged, pair);
    else if (pair.kind === 'position-speed' || pair.kind === 'distance') judgeRatio(judged, pair);
    // What the positions say of it needs no second witness.
    else if (pair.kind === 'speed' && !isConvicted(judged, pair.first)) judgeRatio(judged, pair);
    else if (pair.kind === 'course') judgeCourse(judged, pair);
    else if (pair.kind === 'wheel-yaw') judgeWheels(judged, pair);
  }
}

function judgeAcceleration(judged: Judged, pair: Pair): void {
  const { motion } = judged.standard;
  const best = bestOf(pair);
  const others = judged.motion.pairs.filter(
    (other) =>
      other.kind === 'acceleration' &&
      other.first === pair.first &&
      other.second.topic === pair.second.topic &&
      other.axis > 0,
  );
  const stronger = others.find((other) => {
    const found = bestOf(other);
    return (
      Math.abs(found.deviations) > 1.3 * motion.deviationsMin &&
      Math.abs(found.correlation) > 0.4 &&
      Math.abs(found.correlation) > 2.5 * Math.abs(best.correlation)
    );
  });
  if (stronger !== undefined) {
    addPair(judged, 'motion.acceleration-axis', pair, {
      agreement: bestOf(stronger),
      message: `the derivative of ${pair.first.name} is seen on ${stronger.second.name}, not on ${pair.second.name}`,
    });
    return;
  }
  judgeSign(judged, pair, { rule: 'motion.acceleration-sign', sign: 1, what: 'the derivative of speed' });
  // A speed in another unit is one fault, not three.
  if (isConvicted(judged, pair.first)) return;
  // In units of the acceleration: 1 where both units are known.
  const triple = judged.motion.triples.find(({ members }) => members[0]?.signal === pair.second);
  const gravity = triple === undefined ? undefined : expectedLength(judged, triple);
  const isKnown = pair.second.conversion !== undefined && pair.first.conversion !== undefined;
  if (!isKnown && (gravity === undefined || pair.first.conversion === undefined)) return;
  const unit = pair.second.conversion === undefined ? judged.standard.imu.gravity / (gravity ?? 1) : 1;
  judgeScale(judged, pair, {
    rule: 'motion.acceleration-unit',
    unit,
    factorMax: motion.accelerationFactorMax,
    factors: ACCELERATION_FACTORS,
  });
}

function judgeYaw(judged: Judged, pair: Pair): void {
  const { motion } = judged.standard;
  // Else a heading in radians, or one that goes the wrong way round, would be the gyroscope's fault.
  const heading = headingVerdictOf(judged, pair.first.topic)?.fault;
  if (heading === 'mirrored' || heading === 'radians') return;
  const best = bestOf(pair);
  const others = judged.motion.pairs.filter(
    (other) =>
      other.kind === 'yaw' && other.first === pair.first && other.second.topic === pair.second.topic && other.axis < 2,
  );
  const stronger = others.find((other) => {
    const found = bestOf(other);
    return (
      Math.abs(found.deviations) > 2 * motion.deviationsMin &&
      Math.abs(found.correlation) > 0.6 &&
      Math.abs(best.correlation) < 0.3
    );
  });
  if (stronger !== undefined) {
    addPair(judged, 'motion.yaw-axis', pair, {
      agreement: bestOf(stronger),
      message: `the rate of ${courseOf(pair)} is seen on ${stronger.second.name}, not on ${pair.second.name}`,
    });
    return;
  }
  // Headings run clockwise; yaw runs anticlockwise about an axis that points up.
  const triple = judged.motion.triples.find(({ members }) => members[2]?.signal.topic === pair.second.topic);
  const up = pair.second.isDeclared ? 1 : triple === undefined ? 0 : upOf(triple);
  if (up !== 0) judgeSign(judged, pair, { rule: 'motion.yaw-sign', sign: -up, what: `the rate of ${courseOf(pair)}` });
  judgeScale(judged, pair, {
    rule: 'motion.yaw-unit',
    unit: 1,
    factorMax: motion.yawFactorMax,
    factors: ANGLE_FACTORS,
    isUnknown: pair.second.conversion === undefined,
  });
}

function courseOf({ first }: Pair): string {
  return first.path?.endsWith('Latitude') === true ? 'the course of the positions' : `the heading (${first.name})`;
}

function judgeLateral(judged: Judged, pair: Pair): void {
  // A slow robot on rough ground leans more than it is pushed outwards.
  if (judged.motion.speedMpsMax < LATERAL_MPS_MIN) return;
  if (![pair.first, pair.second].every((signal) => signal.isDeclared || isForward(judged, signal))) return;
  judgeSign(judged, pair, { rule: 'motion.lateral-sign', sign: 1, what: 'speed times yaw rate, or the yaw rate does' });
  if (judged.motion.pairs.some(({ kind, first }) => kind === 'position-speed' && isConvicted(judged, first))) return;
  judgeScale(judged, pair, {
    rule: 'motion.lateral-unit',
    unit: 1,
    factorMax: judged.standard.motion.lateralFactorMax,
    factors: [...ACCELERATION_FACTORS, ...ANGLE_FACTORS],
  });
}

/** Whether a right-handed sensor, whose mounting nobody declared, is seen to look forwards: what is left and up follows. */
function isForward({ motion, standard }: Judged, { isRightHanded, topic }: Pair['second']): boolean {
  return (
    isRightHanded &&
    motion.pairs.some(
      (pair) =>
        pair.kind === 'acceleration' &&
        pair.axis === 0 &&
        pair.second.topic === topic &&
        pair.statistics.total.deviations > standard.motion.deviationsMin,
    )
  );
}

function judgeSign(
  judged: Judged,
  pair: Pair,
  { rule, sign, what }: { readonly rule: RuleName; readonly sign: number; readonly what: string },
): void {
  const limit = judged.standard.motion.deviationsMin;
  const best = bestOf(pair);
  // The peak of a series that swings may lie half a swing away, with the other sign: without a lag it must be the same.
  const isSure = pair.statistics.total.deviations * sign < -limit / 2;
  const isWhole = isSure && best.deviations * sign < -limit && Math.abs(best.correlation) > 0.25;
  const part = isWhole
    ? undefined
    : worstPart(pair, (agreement) => agreement.deviations * sign < -limit && Math.abs(agreement.correlation) > 0.4);
  if (!isWhole && part === undefined) return;
  addPair(judged, rule, pair, {
    agreement: part?.agreement ?? best,
    part,
    message: `${pair.second.name} moves against ${what} (correlation ${(part?.agreement ?? best).correlation.toFixed(2)}): its sign is flipped`,
  });
}

type ScaleRule = {
  readonly rule: RuleName;
  /** Units of the first per unit of the second. */
  readonly unit: number;
  readonly factorMax: number;
  readonly factors: readonly (readonly [number, string])[];
  /** Any factor of the table is a unit that the second may have. */
  readonly isUnknown?: boolean;
};

function judgeScale(judged: Judged, pair: Pair, { rule, unit, factorMax, factors, isUnknown }: ScaleRule): void {
  const limit = judged.standard.motion.deviationsMin;
  const isOff = (agreement: Agreement): boolean => {
    if (Math.abs(agreement.deviations) < limit) return false;
    const [least, most] = scaleRange(agreement, unit);
    const isFar = least > factorMax || most < 1 / factorMax;
    return (
      isFar &&
      !(
        isUnknown === true && factors.some(([factor]) => isNear(least, most, factor) || isNear(least, most, 1 / factor))
      )
    );
  };
  const best = bestOf(pair);
  const part = isOff(best)
    ? undefined
    : worstPart(pair, (agreement) => agreement.correlation ** 2 > SCALE_CORRELATION_MIN ** 2 && isOff(agreement));
  if (!isOff(best) && part === undefined) return;
  const agreement = part?.agreement ?? best;
  const [least, most] = scaleRange(agreement, unit);
  const factor = least > 1 ? least : most;
  const known = factors.find(([each]) => isNear(least, most, each) || isNear(least, most, 1 / each));
  addPair(judged, rule, pair, {
    agreement,
    part,
    message: `${pair.second.name} is ${factor.toPrecision(3)} times what ${pair.kind === 'yaw' ? courseOf(pair) : pair.first.name} says${known === undefined ? '' : `: ${known[1]}`}`,
  });
}

/** What is wrong with the heading of a topic that has positions, too. */
function headingVerdictOf(judged: Judged, topic: string): HeadingVerdict | undefined {
  const position = judged.motion.positions.find(({ signal }) => signal.topic === topic);
  return position === undefined ? undefined : headingVerdict(position.monitor.headingOffset);
}

function judgeCourse(judged: Judged, pair: Pair): void {
  if (headingVerdictOf(judged, pair.second.topic) !== undefined) return;
  const limit = judged.standard.motion.deviationsMin;
  const best = bestOf(pair);
  if (Math.abs(best.correlation) < 0.8 || Math.abs(best.deviations) < limit) return;
  const isFlipped = best.correlation < 0;
  const isScaled = Math.abs(best.slope) > 1.6 || Math.abs(best.slope) < 0.6;
  if (!isFlipped && !isScaled) return;
  addPair(judged, 'motion.heading', pair, {
    agreement: best,
    message: isFlipped
      ? `${pair.second.name} turns against the course of the positions: its sign, or that of a coordinate, is flipped`
      : `${pair.second.name} turns ${best.slope.toPrecision(3)} times as far as the course of the positions`,
  });
}

function judgeWheels(judged: Judged, pair: Pair): void {
  judgeSign(judged, pair, { rule: 'motion.wheel-yaw', sign: 1, what: 'the difference of right and left wheel' });
  const best = bestOf(pair);
  const metres = 180 / Math.PI / (best.slope || 1);
  if (best.correlation < 0.7 || best.deviations < judged.standard.motion.deviationsMin) return;
  if (metres > 0.15 && metres < 6) return;
  addPair(judged, 'motion.wheel-yaw', pair, {
    agreement: best,
    message: `wheels and ${pair.second.name} fit a track of ${metres.toPrecision(3)} m only: one of them is in another unit`,
  });
}
