/** The arithmetic of a transform over one series, in forms that lose no digits, because SQL computes the same features in the cloud. */
import { compileBandEnergy } from './band-energy.ts';
import { type FeatureDefinition, type TIME_TRANSFORMS, type Transform, ZERO_BAND_SHARE } from './feature-definition.ts';
import type { SeriesWindow } from './series-window.ts';

/** Gives the value of one window; NaN where the transform is not defined. */
export type WindowTransform = (window: SeriesWindow) => number;

/** A feature that reads one series. */
export type OwnFeature = Exclude<FeatureDefinition, { readonly transform: 'correlation' | 'lag' }>;

/** Compiles the transform of a feature that reads one series; `rateHz` is that of its signal. */
export function compileTransform(feature: OwnFeature, rateHz: number | undefined): WindowTransform {
  const defined = compileDefined(feature, rateHz ?? Number.NaN);
  // Of no sample there is a number, and all of them are missing; nothing else is known.
  if (feature.transform === 'count' || feature.transform === 'missing_share') return defined;
  return (window) => (window.count === 0 ? Number.NaN : defined(window));
}

function compileDefined(feature: OwnFeature, rateHz: number): WindowTransform {
  switch (feature.transform) {
    case 'missing_share':
      return (window) => missingShare(window, rateHz);
    case 'percentile':
      return (window) => percentile(window, feature.p);
    case 'band_energy':
      return compileBandEnergy(feature);
    default:
      return WINDOW_TRANSFORMS[feature.transform];
  }
}

const WINDOW_TRANSFORMS: Readonly<Record<Transform | (typeof TIME_TRANSFORMS)[number], WindowTransform>> = {
  mean: (window) => {
    window.measure();
    return window.mean;
  },
  std: standardDeviation,
  range: (window) => {
    window.measure();
    return window.max - window.min;
  },
  rms: (window) => {
    window.measure();
    return Math.sqrt(window.sumOfSquares / window.count);
  },
  mad: meanAbsoluteDifference,
  min: (window) => {
    window.measure();
    return window.min;
  },
  max: (window) => {
    window.measure();
    return window.max;
  },
  last: (window) => window.values[window.to - 1] as number,
  count: (window) => window.count,
  zero_crossings: zeroCrossings,
  slope,
  rate_of_change: rateOfChange,
};

function standardDeviation(window: SeriesWindow): number {
  window.measure();
  let squares = 0;
  for (let index = window.from; index < window.to; index += 1) {
    const deviation = (window.values[index] as number) - window.mean;
    squares += deviation * deviation;
  }
  return Math.sqrt(squares / window.count);
}

function meanAbsoluteDifference({ values, from, to }: SeriesWindow): number {
  if (to - from < 2) return 0;
  let sum = 0;
  for (let index = from + 1; index < to; index += 1)
    sum += Math.abs((values[index] as number) - (values[index - 1] as number));
  return sum / (to - from - 1);
}

function zeroCrossings(window: SeriesWindow): number {
  window.measure();
  const band = (window.max - window.min) * ZERO_BAND_SHARE;
  let crossings = 0;
  let former = 0;
  for (let index = window.from; index < window.to; index += 1) {
    const deviation = (window.values[index] as number) - window.mean;
    if (Math.abs(deviation) <= band) continue;
    const sign = Math.sign(deviation);
    if (former !== 0 && sign !== former) crossings += 1;
    former = sign;
  }
  return crossings;
}

/** Welford's running moments, in the order of operations of DuckDB's regr_slope: a constant window has a slope of exactly 0. */
function slope(window: SeriesWindow): number {
  let timeMean = 0;
  let valueMean = 0;
  let moment = 0;
  let timeSquares = 0;
  for (let index = window.from; index < window.to; index += 1) {
    const count = index - window.from + 1;
    const seconds = window.secondsAt(index);
    const value = window.values[index] as number;
    const fromMean = seconds - timeMean;
    timeMean += fromMean / count;
    valueMean += (value - valueMean) / count;
    moment += fromMean * (value - valueMean);
    timeSquares += fromMean * (seconds - timeMean);
  }
  return timeSquares === 0 ? Number.NaN : moment / timeSquares;
}

function rateOfChange(window: SeriesWindow): number {
  const seconds = window.secondsAt(window.to - 1) - window.secondsAt(window.from);
  if (seconds === 0) return Number.NaN;
  return ((window.values[window.to - 1] as number) - (window.values[window.from] as number)) / seconds;
}

function missingShare(window: SeriesWindow, rateHz: number): number {
  const expected = ((window.endNs - window.startNs) / 1e9) * rateHz;
  const own = window.count - window.held;
  return own >= expected ? 0 : 1 - own / expected;
}

function percentile(window: SeriesWindow, p: number): number {
  const sorted = window.sorted();
  const position = (window.count - 1) * p;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  const low = sorted[below] as number;
  if (below === above) return low;
  const share = position - below;
  return low * (1 - share) + (sorted[above] as number) * share;
}
