/** Why: two channels that measure one quantity must do so at the same time; the peak of their correlation says how far they are apart. */
import type { Judged } from './judged.ts';
import type { Pair, PairKind } from './motion-monitor.ts';
import { isExcited, spanOf } from './pair-verdict.ts';

/** Standard errors from which a correlation is no chance. */
const DEVIATIONS_MIN = 8;

export function judgeAlignment(judged: Judged): void {
  for (const pair of judged.motion.pairs) if (isExcited(pair)) judgeLag(judged, pair);
  judgeRecordedAlignment(judged);
}

const QUANTITY: Partial<Record<PairKind, string>> = {
  acceleration: 'longitudinal acceleration',
  yaw: 'yaw rate',
  speed: 'speed',
  'position-speed': 'speed',
  'wheel-yaw': 'yaw rate',
};

function judgeLag(judged: Judged, pair: Pair): void {
  const quantity = QUANTITY[pair.kind];
  const isMainAxis = pair.kind === 'acceleration' ? pair.axis === 0 : pair.kind === 'yaw' ? pair.axis === 2 : true;
  const lag = pair.statistics.lag();
  const { lagMsMax, correlationMin } = judged.standard.alignment;
  if (quantity === undefined || !isMainAxis || lag === undefined || pair.first.topic === pair.second.topic) return;
  const isSure = Math.abs(lag.correlation) >= correlationMin && Math.abs(lag.atPeak.deviations) > DEVIATIONS_MIN;
  // A grid finds no lag that is much finer than its own step.
  const floorNs = Math.max(lagMsMax * 1e6, 3 * lag.uncertaintyNs, 1.5 * pair.statistics.stepNs);
  if (!isSure || Math.abs(lag.lagNs) <= floorNs) return;
  judged.list.add('alignment.lag', {
    topic: pair.second.topic,
    ...spanOf(judged, pair),
    message: `${pair.second.topic} comes ${(lag.lagNs / 1e6).toFixed(0)} ms ${lag.lagNs > 0 ? 'after' : 'before'} ${pair.first.topic} in ${quantity}`,
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
