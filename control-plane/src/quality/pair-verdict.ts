/** Why: what can be said of two signals from their sums: whether enough happened, where it went wrong, by which factor; and how it is reported. */
import { headingVerdict } from './heading-verdict.ts';
import { at, type Judged } from './judged.ts';
import type { Pair, PairKind } from './motion-monitor.ts';
import { type Agreement, agreementOf, type Block, type Sums } from './pair-statistics.ts';
import { upOf } from './rules-gravity.ts';
import type { RuleName } from './rules.ts';

/** Units of speed by how far they are apart. */
export const SPEED_FACTORS: readonly (readonly [number, string])[] = [
  [3.6, 'km/h against m/s'],
  [1.609344, 'km/h against mph'],
  [2.236936, 'mph against m/s'],
  [1.852, 'km/h against knots'],
];
/** Spread of the first of a pair below which nothing follows from it: m/s², degrees/s, m/s. */
const EXCITATION_MIN: Partial<Record<PairKind, number>> = {
  acceleration: 0.15,
  lateral: 0.4,
  yaw: 1,
  'wheel-yaw': 0.04,
  course: 3,
};
const QUIET_CORRELATION_MIN = 0.6;
const QUIET_DEVIATIONS_MIN = 9;
/** Samples of a block that can speak for itself. */
const BLOCK_SAMPLES_MIN = 20;
const FACTOR_SHARE = 0.15;

/** Whether enough happened to say anything: much of it, or little that agrees too well for chance. */
export function isExcited(pair: Pair): boolean {
  if (spreadOf(sumOf(pair.statistics.blocks())) >= (EXCITATION_MIN[pair.kind] ?? 0)) return true;
  const { correlation, deviations } = pair.statistics.total;
  return Math.abs(correlation) >= QUIET_CORRELATION_MIN && Math.abs(deviations) >= QUIET_DEVIATIONS_MIN;
}

/** Where the two are judged from: at the lag where they agree best, which is not the zero of two late clocks. */
export function bestOf({ statistics }: Pair): Agreement {
  return statistics.lag()?.atPeak ?? statistics.total;
}

/** A slope is between the least squares of either on the other: noise makes one too small and the other too large. */
export function scaleRange(
  { slope, correlation, spreadRatio }: Agreement,
  unit: number,
): readonly [least: number, most: number] {
  const share = Math.max(0.05, Math.abs(correlation));
  return [Math.abs(slope) * unit, (spreadRatio * unit) / share];
}

export function isNear(least: number, most: number, factor: number): boolean {
  return least <= factor * (1 + FACTOR_SHARE) && most >= factor * (1 - FACTOR_SHARE);
}

export type Part = { readonly agreement: Agreement; readonly fromNs: number; readonly toNs: number };

/** The longest row of blocks that are wrong each by itself. */
export function worstPart(pair: Pair, isWrong: (agreement: Agreement) => boolean): Part | undefined {
  const blocks = pair.statistics.blocks();
  const least = EXCITATION_MIN[pair.kind] ?? 0;
  const wrong = blocks.filter(
    (block) => block.n >= BLOCK_SAMPLES_MIN && spreadOf(block) >= least && isWrong(agreementOf(block)),
  );
  const part = longestPart(blocks, wrong);
  if (part.length === 0) return undefined;
  return { agreement: agreementOf(sumOf(part)), fromNs: part[0]?.fromNs ?? 0, toNs: part.at(-1)?.toNs ?? 0 };
}

export function longestPart(blocks: readonly Block[], marked: readonly Block[]): readonly Block[] {
  const set = new Set(marked);
  let best: Block[] = [];
  let run: Block[] = [];
  for (const block of blocks) {
    run = set.has(block) ? [...run, block] : [];
    if (run.length > best.length) best = run;
  }
  return best;
}

export function sumOf(blocks: readonly Sums[]): Sums {
  const total = { n: 0, xx: 0, yy: 0, xy: 0, x: 0, y: 0 };
  for (const block of blocks) for (const key of ['n', 'xx', 'yy', 'xy', 'x', 'y'] as const) total[key] += block[key];
  return total;
}

function spreadOf({ n, xx }: Sums): number {
  return n === 0 ? 0 : Math.sqrt(xx / n);
}

export function spanOf(
  judged: Judged,
  pair: Pair,
): { readonly fromNs: bigint | undefined; readonly toNs: bigint | undefined } {
  const topics = judged.topics.filter(({ topic }) => topic === pair.first.topic || topic === pair.second.topic);
  return {
    fromNs: at(judged, Math.max(...topics.map(({ timing }) => timing.earliestNs))),
    toNs: at(judged, Math.min(...topics.map(({ timing }) => timing.latestNs))),
  };
}

/**
 * The one of a pair that is more likely wrong. Positions have no unit to be mistaken in, so they convict a speed; a speed that they convict
 * is the wrong one of each pair that it is in.
 */
function suspectOf(judged: Judged, rule: RuleName, { kind, first, second }: Pair): Pair['first'] {
  if (kind === 'position-speed') return arePositionsWrong(judged, second.topic) ? second : first;
  if (rule === 'motion.yaw-sign') return isCourse(first) && isFeltInBends(judged, second) ? first : second;
  const isOfSpeed = kind === 'speed' || kind === 'acceleration';
  return isOfSpeed && (isConvicted(judged, first) || isBackwards(judged, first)) ? first : second;
}

function isCourse({ path }: Pair['first']): boolean {
  return path?.endsWith('Latitude') === true;
}

/** Whether a sensor that stands upright feels bends as its yaw rate says: then neither of the two is what is wrong. */
function isFeltInBends({ motion, standard }: Judged, yaw: Pair['first']): boolean {
  const triple = motion.triples.find(({ members }) => members[2]?.signal.topic === yaw.topic);
  if (triple === undefined || upOf(triple) <= 0) return false;
  return motion.pairs.some(
    ({ kind, first, statistics }) =>
      kind === 'lateral' && first === yaw && statistics.total.deviations > standard.motion.deviationsMin,
  );
}

/** No vehicle drives a whole recording backwards. */
function isBackwards({ motion }: Judged, speed: Pair['first']): boolean {
  return motion.pairs.some(
    ({ kind, first, statistics }) => kind === 'position-speed' && first === speed && sumOf(statistics.blocks()).x < 0,
  );
}

/** Whether a speed is off from that of the positions by more than it may be. */
export function isConvicted(judged: Judged, speed: Pair['first']): boolean {
  return judged.motion.pairs.some(({ kind, first, second, statistics }) => {
    if (kind !== 'position-speed' || first !== speed || arePositionsWrong(judged, second.topic)) return false;
    return statistics.blocks().some((block) => isOff(judged, block));
  });
}

function isOff({ standard: { motion } }: Judged, { n, x, y }: Sums): boolean {
  const [own, ofPositions] = [Math.abs(x) / n, Math.abs(y) / n];
  if (n < BLOCK_SAMPLES_MIN || Math.max(own, ofPositions) < motion.movingMpsMin) return false;
  return Math.max(own / ofPositions, ofPositions / own) > motion.speedFactorMax;
}

/** A heading that turns against the course of positions, or jumps between them, says that it is the positions. */
function arePositionsWrong({ motion }: Judged, topic: string): boolean {
  return motion.positions.some(
    ({ signal, monitor }) =>
      signal.topic === topic && (monitor.jumpCount > 0 || headingVerdict(monitor.headingOffset)?.fault === 'mirrored'),
  );
}

export function addPair(
  judged: Judged,
  rule: RuleName,
  pair: Pair,
  {
    agreement,
    part,
    message,
  }: { readonly agreement: Agreement; readonly part?: Part | undefined; readonly message: string },
): void {
  const span = spanOf(judged, pair);
  judged.list.add(rule, {
    topic: suspectOf(judged, rule, pair).topic,
    ...(part === undefined ? span : { fromNs: at(judged, part.fromNs), toNs: at(judged, part.toNs) }),
    message: part === undefined ? message : `for a part of the recording, ${message}`,
    evidence: {
      first: `${pair.first.topic} ${pair.first.name}`,
      second: `${pair.second.topic} ${pair.second.name}`,
      correlation: agreement.correlation,
      slope: agreement.slope,
      ratio: Number.isFinite(agreement.ratio) ? agreement.ratio : 0,
      samples: agreement.n,
      deviations: agreement.deviations,
    },
  });
}
