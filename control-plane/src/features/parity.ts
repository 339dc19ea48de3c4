// Why this file exists: a model is worth nothing if its inputs mean something else on the road than in training; parity compares
// both engines value by value and names the feature that differs most.
import { type FeatureSet, FleetError } from '@fleetloop/schemas';
import type { FeatureDefinition, FeatureTolerance } from '@fleetloop/schemas/features';

/** One window of either engine. */
export type ParityWindow = { readonly windowStartNs: bigint; readonly values: ArrayLike<number> };

/** The worst differences of one feature over all windows. */
export type FeatureParity = {
  readonly feature: string;
  readonly worstAbsolute: number;
  /** |a - b| / max(|a|, |b|); 0 where both are 0. */
  readonly worstRelative: number;
  readonly windows: number;
  /** The tolerance that held, and whose divergence it is where the feature declares one of its own. */
  readonly tolerance: FeatureTolerance & { readonly owner?: string; readonly expires?: string };
  /** Whether each value differs by at most tolerance.absolute + tolerance.relative * |batch value|. */
  readonly withinTolerance: boolean;
  /** Where the difference is largest; undefined when there is none. */
  readonly worst: WorstValue | undefined;
};

/** NaN where the engine has the feature as missing. */
export type WorstValue = { readonly windowStartNs: bigint; readonly streaming: number; readonly batch: number };

export type ParityReport = {
  readonly features: readonly FeatureParity[];
  /** Starts of windows that only one engine gave. */
  readonly onlyStreaming: readonly bigint[];
  readonly onlyBatch: readonly bigint[];
  readonly withinTolerance: boolean;
};

/**
 * Compares both engines' windows of the same messages.
 * @param date the day (YYYY-MM-DD) on which tolerances of single features are still to hold; all hold if it is not given
 */
export function compareEngines(
  featureSet: FeatureSet,
  streaming: readonly ParityWindow[],
  batch: readonly ParityWindow[],
  date = '',
): ParityReport {
  const byStart = new Map(batch.map((window) => [window.windowStartNs, window]));
  const pairs = streaming.flatMap((window) => {
    const other = byStart.get(window.windowStartNs);
    return other === undefined ? [] : [{ streaming: window, batch: other }];
  });
  const starts = new Set(streaming.map((window) => window.windowStartNs));
  const onlyStreaming = streaming.map((window) => window.windowStartNs).filter((start) => !byStart.has(start));
  const onlyBatch = batch.map((window) => window.windowStartNs).filter((start) => !starts.has(start));
  const features = featureSet.features.map((feature, index) => {
    const values = pairs.map((pair) => ({
      windowStartNs: pair.batch.windowStartNs,
      streaming: pair.streaming.values[index] ?? Number.NaN,
      batch: pair.batch.values[index] ?? Number.NaN,
    }));
    return compareFeature(feature.name, values, toleranceOf(feature, featureSet, date));
  });
  const isSame = onlyStreaming.length === 0 && onlyBatch.length === 0;
  return {
    features,
    onlyStreaming,
    onlyBatch,
    withinTolerance: isSame && features.every((feature) => feature.withinTolerance),
  };
}

/** Joins reports of several recordings: the worst of each feature. @throws FleetError FEATURE_PARITY for an empty list */
export function joinParity(reports: readonly ParityReport[]): ParityReport {
  const [first, ...rest] = reports;
  if (first === undefined)
    throw new FleetError('FEATURE_PARITY', 'no recording was compared: parity of nothing proves nothing');
  return rest.reduce<ParityReport>(
    (sum, report) => ({
      features: sum.features.map((feature, index) => worse(feature, report.features[index] as FeatureParity)),
      onlyStreaming: [...sum.onlyStreaming, ...report.onlyStreaming],
      onlyBatch: [...sum.onlyBatch, ...report.onlyBatch],
      withinTolerance: sum.withinTolerance && report.withinTolerance,
    }),
    first,
  );
}

/** A feature's own tolerance until it expires, then that of the set. */
function toleranceOf(
  { tolerance: own }: FeatureDefinition,
  { tolerance }: FeatureSet,
  date: string,
): FeatureParity['tolerance'] {
  if (own === undefined || own.expires < date) return tolerance;
  const { absolute, relative, owner, expires } = own;
  return { absolute, relative, owner, expires };
}

function worse(left: FeatureParity, right: FeatureParity): FeatureParity {
  return {
    ...left,
    worstAbsolute: Math.max(left.worstAbsolute, right.worstAbsolute),
    worstRelative: Math.max(left.worstRelative, right.worstRelative),
    windows: left.windows + right.windows,
    withinTolerance: left.withinTolerance && right.withinTolerance,
    worst: left.worstAbsolute >= right.worstAbsolute ? (left.worst ?? right.worst) : right.worst,
  };
}

function compareFeature(
  feature: string,
  values: readonly WorstValue[],
  tolerance: FeatureParity['tolerance'],
): FeatureParity {
  let worst: WorstValue | undefined;
  let worstAbsolute = 0;
  let worstRelative = 0;
  let withinTolerance = true;
  for (const value of values) {
    const { streaming, batch } = value;
    // Missing in both engines is agreement; in one of them it is a difference without measure.
    if (streaming === batch || (Number.isNaN(streaming) && Number.isNaN(batch))) continue;
    const absolute = Math.abs(streaming - batch);
    const difference = Number.isNaN(absolute) ? Number.POSITIVE_INFINITY : absolute;
    const size = Math.max(Math.abs(streaming), Math.abs(batch));
    if (difference > worstAbsolute) worst = value;
    worstAbsolute = Math.max(worstAbsolute, difference);
    worstRelative = Math.max(worstRelative, Number.isNaN(size) ? difference : difference / size);
    // Not `>`: a difference that cannot be compared is none to accept.
    if (!(difference <= tolerance.absolute + tolerance.relative * Math.abs(batch))) withinTolerance = false;
  }
  return { feature, worstAbsolute, worstRelative, windows: values.length, tolerance, withinTolerance, worst };
}
