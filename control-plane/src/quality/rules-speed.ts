/** Why: speed is measured by several things (counter, wheels, receiver, positions, distance), and their ratios are one whatever happens. */
import type { Judged } from './judged.ts';
import type { Pair } from './motion-monitor.ts';
import { agreementOf, type Sums } from './pair-statistics.ts';
import { addPair, longestPart, SPEED_FACTORS, sumOf } from './pair-verdict.ts';
import { changesUnit } from './rules-levels.ts';

/** Share of the blocks that are wrong when the recording is wrong as a whole. */
const WHOLE_SHARE = 0.8;
/** Two wheels differ in a bend, and slip: only what agrees this well, and a unit's factor apart, is one. */
const WHEEL_CORRELATION_MIN = 0.97;
const WHEEL_FACTOR_SHARE = 0.04;

/** Mean below which a speed stands still, m/s. */
const STANDING_MPS_MAX = 0.3;
/** Spread of a speed, per mean, that a ferry or a train stays below and a drive on a road does not. */
const STEADY_SHARE_MAX = 0.15;

/** The ratio of two measures of one quantity: noise averages out, so the limit is narrow. */
export function judgeRatio(judged: Judged, pair: Pair): void {
  const { speedFactorMax, movingMpsMin } = judged.standard.motion;
  const isUnknown = pair.first.conversion === undefined || pair.second.conversion === undefined;
  // Positions and counters are noisy at a walking pace.
  if (isOfWheels(pair)) return judgeWheelRatio(judged, pair);
  const least = movingMpsMin;
  const factorMax = speedFactorMax;
  const isMoving = ({ n, x, y }: Sums): boolean => n >= 10 && Math.max(Math.abs(x), Math.abs(y)) / n > least;
  const isOff = (sums: Sums): boolean => {
    const ratio = Math.abs(sums.y / sums.x);
    if (!isMoving(sums) || Number.isNaN(ratio)) return false;
    if (ratio <= factorMax && ratio >= 1 / factorMax) return false;
    return !(
      isUnknown &&
      SPEED_FACTORS.some(([factor]) => Math.abs(ratio / factor - 1) < 0.05 || Math.abs(ratio * factor - 1) < 0.05)
    );
  };
  const all = pair.statistics.blocks();
  const total = sumOf(all);
  const blocks = all.filter(isMoving);
  const off = blocks.filter(isOff);
  if (off.length === 0) return;
  if (judgeStanding(judged, pair, total, off)) return;
  const isWhole = isOff(total) && off.length >= WHOLE_SHARE * blocks.length;
  const part = isWhole ? undefined : longestPart(all, off);
  const sums = part === undefined ? total : sumOf(part);
  const ratio = sums.y / sums.x;
  const known = SPEED_FACTORS.find(
    ([factor]) => Math.abs(Math.abs(ratio) / factor - 1) < 0.1 || Math.abs(Math.abs(ratio) * factor - 1) < 0.1,
  );
  // What is left of a mixture as a whole looks like the factor of some other unit.
  const changing = isWhole ? [pair.first, pair.second].find((signal) => changesUnit(judged, signal)) : undefined;
  const meaning = changing === undefined ? known?.[1] : `the unit of ${changing.name} changes in between`;
  const agreement = agreementOf(sums);
  const isUnit = agreement.correlation > 0.9 || meaning !== undefined;
  addPair(judged, isUnit ? 'motion.speed-unit' : 'motion.speed-disagrees', pair, {
    agreement,
    part: part === undefined ? undefined : { agreement, fromNs: part[0]?.fromNs ?? 0, toNs: part.at(-1)?.toNs ?? 0 },
    message: `${labelOf(pair)} differ by a factor of ${ratio.toPrecision(4)}${meaning === undefined ? '' : `: ${meaning}`}`,
  });
}

/** One of the two stands still all along. Whether it is dead, or the vehicle is carried, shows in how the other one moves. */
function judgeStanding(judged: Judged, pair: Pair, total: Sums, moving: readonly Sums[]): boolean {
  if (pair.kind === 'distance') return false;
  const [first, second] = [Math.abs(total.x) / total.n, Math.abs(total.y) / total.n];
  if (
    Math.min(first, second) > STANDING_MPS_MAX ||
    Math.sqrt(Math.min(total.xx, total.yy) / total.n) > STANDING_MPS_MAX
  )
    return false;
  const isFirst = first < second;
  const shares = moving.map(({ n, x, y, xx, yy }) => Math.sqrt((isFirst ? yy : xx) * n) / Math.abs(isFirst ? y : x));
  const isSteady = shares.filter((share) => share < STEADY_SHARE_MAX).length * 2 > shares.length;
  const isCarried = isFirst && isSteady;
  const names = isFirst ? [nameOf(pair.first), otherOf(pair)] : [otherOf(pair), nameOf(pair.first)];
  addPair(judged, isCarried ? 'motion.carried' : 'motion.speed-disagrees', pair, {
    agreement: agreementOf(total),
    message: `${names[0]} stands still while ${names[1]} moves${isCarried ? ' at a steady speed: a ferry or a train, or a sensor that is dead' : ': its sensor is dead, or the other is wrong'}`,
  });
  return true;
}

function nameOf({ name, topic }: Pair['first']): string {
  return `${name} (${topic})`;
}

function otherOf({ kind, second }: Pair): string {
  return kind === 'position-speed' ? `the position of ${second.topic}` : nameOf(second);
}

function isOfWheels({ kind, first, second }: Pair): boolean {
  return kind === 'speed' && [first, second].every(({ path }) => path?.includes('.Wheel.') === true);
}

function judgeWheelRatio(judged: Judged, pair: Pair): void {
  const sums = sumOf(pair.statistics.blocks());
  const agreement = agreementOf(sums);
  const ratio = sums.y / sums.x;
  const known = SPEED_FACTORS.find(
    ([factor]) =>
      Math.abs(ratio / factor - 1) < WHEEL_FACTOR_SHARE || Math.abs(ratio * factor - 1) < WHEEL_FACTOR_SHARE,
  );
  if (agreement.correlation < WHEEL_CORRELATION_MIN || known === undefined) return;
  addPair(judged, 'motion.speed-unit', pair, {
    agreement,
    message: `${labelOf(pair)} differ by a factor of ${ratio.toPrecision(4)}: ${known[1]}`,
  });
}

function labelOf({ kind, first, second }: Pair): string {
  if (kind === 'position-speed') return `${first.name} and the speed of the positions`;
  if (kind === 'distance') return `${first.name} and the rate of ${second.name}`;
  return `${first.name} (${first.topic}) and ${second.name} (${second.topic})`;
}
