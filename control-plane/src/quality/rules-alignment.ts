/** Why: two channels that measure one quantity must do so at the same time; the peak of their correlation says how far they are apart. */
import type { Judged } from './judged.ts';
import type { Pair, PairKind } from './motion-monitor.ts';
import { isExcited, spanOf } from './pair-verdict.ts';

/** Standard errors from which a correlation is no chance. */
const DEVIATIONS_MIN = 8;
/** A lag of a speed beyond this must explain most of what is unlike without it: what may be left, as a share. */
const FAR_NS = 1.5e9;
const FAR_SHARE_MAX = 0.3;

type Found = { readonly pair: Pair; readonly quantity: string; readonly lag: PairLag };
type PairLag = NonNullable<ReturnType<Pair['statistics']['lag']>>;

export function judgeAlignment(judged: Judged): void {
  const found = judged.motion.pairs.flatMap((pair) => (isExcited(pair) ? lagOf(judged, pair) : []));
  const named = new Set<string>();
  for (const each of found) {
    const { topic } = each.pair.first;
    const isOfFirst = isShared(judged, each, found);
    if (isOfFirst && named.has(topic)) continue;
    if (isOfFirst) named.add(topic);
    addLag(judged, each, isOfFirst);
  }
  judgeRecordedAlignment(judged);
}

/** Whether two other topics, each by far, are late against the first of the pair, or early: then it is the first. */
function isShared({ standard }: Judged, { pair, lag }: Found, found: readonly Found[]): boolean {
  const isFar = ({ lagNs }: PairLag): boolean => Math.abs(lagNs) > 2e6 * standard.alignment.lagMsMax;
  return found.some(
    (other) =>
      other.pair.first.topic === pair.first.topic &&
      other.pair.second.topic !== pair.second.topic &&
      isFar(lag) &&
      isFar(other.lag) &&
      other.lag.lagNs * lag.lagNs > 0,
  );
}

const QUANTITY: Partial<Record<PairKind, string>> = {
  acceleration: 'longitudinal acceleration',
  yaw: 'yaw rate',
  speed: 'speed',
  'position-speed': 'speed',
  'wheel-yaw': 'yaw rate',
};

function lagOf(judged: Judged, pair: Pair): readonly Found[] {
  const quantity = QUANTITY[pair.kind];
  const isMainAxis = pair.kind === 'acceleration' ? pair.axis === 0 : pair.kind === 'yaw' ? pair.axis === 2 : true;
  const lag = pair.statistics.lag();
  const { lagMsMax, correlationMin } = judged.standard.alignment;
  if (quantity === undefined || !isMainAxis || lag === undefined || pair.first.topic === pair.second.topic) return [];
  const isSure = Math.abs(lag.correlation) >= correlationMin && Math.abs(lag.atPeak.deviations) > DEVIATIONS_MIN;
  // A grid finds no lag that is much finer than its own step.
  const floorNs = Math.max(lagMsMax * 1e6, 3 * lag.uncertaintyNs, 1.5 * pair.statistics.stepNs);
  // Speeds change slowly: far apart they are nearly as alike as near.
  const left = (1 - Math.abs(lag.correlation)) / (1 - Math.abs(pair.statistics.total.correlation));
  const isSlow = quantity === 'speed';
  const isClear = !isSlow || Math.abs(lag.lagNs) < FAR_NS || left < FAR_SHARE_MAX;
  return isSure && isClear && Math.abs(lag.lagNs) > floorNs ? [{ pair, quantity, lag }] : [];
}

function addLag(judged: Judged, { pair, quantity, lag }: Found, isOfFirst: boolean): void {
  judged.list.add('alignment.lag', {
    topic: isOfFirst ? pair.first.topic : pair.second.topic,
    ...spanOf(judged, pair),
    message: `${pair.second.topic} comes ${(Math.abs(lag.lagNs) / 1e6).toFixed(0)} ms ${lag.lagNs > 0 ? 'after' : 'before'} ${pair.first.topic} in ${quantity}${isOfFirst ? ', as others do' : ''}`,
    evidence: {
      quantity,
      first: `${pair.first.topic} ${pair.first.name}`,
      second: `${pair.second.topic} ${pair.second.name}`,
      lagMs: lag.lagNs / 1e6,
      uncertaintyMs: lag.uncertaintyNs / 1e6,
      correlation: lag.correlation,
      atZero: pair.statistics.total.correlation,
    },
  });
}

/** What the vehicle estimated while it drove. */
function judgeRecordedAlignment(judged: Judged): void {
  const { lagMsMax, correlationMin } = judged.standard.alignment;
  for (const { quantity, first, second, lagNs, uncertaintyNs, correlation } of judged.facts.metadata?.alignment ?? []) {
    const lag = Number(lagNs);
    if (Math.abs(lag) <= Math.max(lagMsMax * 1e6, 3 * Number(uncertaintyNs)) || correlation < correlationMin) continue;
    judged.list.add('alignment.lag', {
      message: `the vehicle found ${second} ${(lag / 1e6).toFixed(0)} ms behind ${first} in ${quantity}`,
      evidence: { quantity, first, second, lagMs: lag / 1e6, uncertaintyMs: Number(uncertaintyNs) / 1e6, correlation },
    });
  }
}
