/** A sliding window from its declaration, and what it costs at most. */
import type { WindowInput } from '../campaign/campaign-inputs.ts';
import { ExtremeWindow } from './extreme-window.ts';
import { MomentWindow } from './moment-window.ts';
import { PercentileWindow } from './percentile-window.ts';
import { type SlidingWindow, WINDOW_ENTRIES_DEFAULT, WINDOW_ENTRIES_MAX } from './sliding-window.ts';

const MS_PER_SECOND = 1_000;
const NS_PER_MS = 1e6;

export type WindowDefinition = Pick<WindowInput, 'windowMs' | 'statistic' | 'p' | 'samplesMin' | 'rateHzMax'>;

/** Samples that a window must keep one by one, when its rate is declared. */
export function samplesOf({ windowMs, rateHzMax }: WindowDefinition): number | undefined {
  return rateHzMax === undefined ? undefined : Math.ceil((windowMs / MS_PER_SECOND) * rateHzMax) + 1;
}

/** Entries that a window holds at most; what a campaign's windows take together is bounded by them. */
export function entriesOf(definition: WindowDefinition): number {
  const samples = samplesOf(definition) ?? 0;
  const leastNeeded = definition.statistic === 'percentile' ? 1 : WINDOW_ENTRIES_DEFAULT;
  return Math.min(WINDOW_ENTRIES_MAX, Math.max(samples, leastNeeded));
}

export function makeWindow(definition: WindowDefinition): SlidingWindow {
  const { statistic, windowMs, samplesMin } = definition;
  const lengthNs = windowMs * NS_PER_MS;
  const entriesMax = entriesOf(definition);
  switch (statistic) {
    case 'count':
    case 'rate':
      return new MomentWindow(statistic, lengthNs, entriesMax, samplesMin ?? 0);
    case 'mean':
    case 'std':
      return new MomentWindow(statistic, lengthNs, entriesMax, samplesMin ?? 1);
    case 'min':
    case 'max':
    case 'range':
      return new ExtremeWindow(statistic, lengthNs, entriesMax, samplesMin ?? 1);
    case 'percentile':
      return new PercentileWindow(definition.p ?? 0, lengthNs, entriesMax, samplesMin ?? 1);
  }
}
