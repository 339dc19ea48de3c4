// Why this file exists: a model is worth nothing if its inputs mean something else on the road than in training; parity compares
// both engines value by value and names the feature that differs most.
import { type FeatureSet, FleetError } from '@fleetloop/schemas';

/** One window of either engine. */
export type ParityWindow = { readonly windowStartNs: bigint; readonly values: ArrayLike<number> };

/** The worst differences of one feature over all windows. */
export type FeatureParity = {
  readonly feature: string;
  readonly worstAbsolute: number;
  /** |a - b| / max(|a|, |b|); 0 where both are 0. */
  readonly worstRelative: number;
  readonly windows: number;
  /** Whether each value differs by at most tolerance.absolute + tolerance.relative * |batch value|. */
  readonly withinTolerance: boolean;
};

export type ParityReport = {
  readonly features: readonly FeatureParity[];
  /** Starts of windows that only one engine gave. */
  readonly onlyStreaming: readonly bigint[];
  readonly onlyBatch: readonly bigint[];
  readonly withinTolerance: boolean;
};

/** Compares both engines' windows of the same messages. */
export function compareEngines(
  featureSet: FeatureSet,
  streaming: readonly ParityWindow[],
  batch: readonly ParityWindow[],
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
    const values = pairs.map((pair) => [pair.streaming.values[index], pair.batch.values[index]] as const);
    return compareFeature(feature.name, values, featureSet.tolerance);
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

function worse(left: FeatureParity, right: FeatureParity): FeatureParity {
  return {
    feature: left.feature,
    worstAbsolute: Math.max(left.worstAbsolute, right.worstAbsolute),
    worstRelative: Math.max(left.worstRelative, right.worstRelative),
    windows: left.windows + right.windows,
    withinTolerance: left.withinTolerance && right.withinTolerance,
  };
}

function compareFeature(
  feature: string,
  values: readonly (readonly [number | undefined, number | undefined])[],
  tolerance: FeatureSet['tolerance'],
): FeatureParity {
  let worstAbsolute = 0;
  let worstRelative = 0;
  let withinTolerance = true;
  for (const [streaming, batch] of values) {
    // A missing or non-finite value on either side is a difference without measure.
    const absolute = Math.abs((streaming ?? Number.NaN) - (batch ?? Number.NaN));
    const difference = Number.isNaN(absolute) ? Number.POSITIVE_INFINITY : absolute;
    const size = Math.max(Math.abs(streaming ?? 0), Math.abs(batch ?? 0));
    worstAbsolute = Math.max(worstAbsolute, difference);
    worstRelative = Math.max(worstRelative, difference === 0 ? 0 : difference / size);
    if (difference > tolerance.absolute + tolerance.relative * Math.abs(batch ?? 0)) withinTolerance = false;
  }
  return { feature, worstAbsolute, worstRelative, windows: values.length, withinTolerance };
}
