/** What a tally of skew means: which features differ, for whom, by how much, and whether somebody has answered for it. */
import type { FeatureSet } from '@fleetloop/schemas';
import { type FeatureSkewTally, isInForce, NO_COUNTS, type SkewCounts, type SkewTally, WHOLE } from './skew-tally.ts';

export type SkewVerdict = 'passed' | 'failed' | 'inconclusive';

export type FeatureSkew = FeatureSkewTally & {
  readonly feature: string;
  /** What computes it: whoever looks for the cause begins here. */
  readonly transform: string;
  readonly input: string;
  readonly shareOutside: number;
  readonly tolerance: { readonly absolute: number; readonly relative: number };
  /** A difference that its owner has declared, and until when; expired ones hold no more and what they covered counts as outside. */
  readonly divergence: DeclaredDivergence | null;
  readonly verdict: SkewVerdict;
};

export type DeclaredDivergence = {
  readonly owner: string;
  readonly reason: string;
  readonly expires: string;
  readonly state: 'in force' | 'expired';
  readonly absolute: number;
  readonly relative: number;
};

export type SkewGroup = {
  /** `all`, `source`, `vehicle`, `firmware`, `engine`, `hardwareRevision` or `variant`. */
  readonly by: string;
  readonly value: string;
  readonly windows: SkewCounts;
  readonly verdict: SkewVerdict;
  readonly features: readonly FeatureSkew[];
};

export type SkewReport = {
  readonly kind: 'skew-report';
  readonly featureSet: {
    readonly name: string;
    readonly version: number;
    readonly digest: string;
    readonly owner: string;
  };
  /** The day on which divergences were to hold. */
  readonly date: string;
  readonly verdict: SkewVerdict;
  readonly windows: SkewCounts;
  readonly features: readonly FeatureSkew[];
  /** Sources, vehicles, firmwares, engines, hardware revisions and variants. */
  readonly groups: readonly SkewGroup[];
  /** Who differs in what, the largest share first. */
  readonly differs: readonly {
    readonly feature: string;
    readonly transform: string;
    readonly group: string;
    readonly shareOutside: number;
  }[];
};

/**
 * Passed: at least one window was compared and all are within tolerance. Failed: one is not. Otherwise inconclusive, as is a group with
 * windows that the batch engine cannot confirm (unmatched or malformed). What was not sent, or cannot be compared, is neither.
 */
export function reportSkew(
  featureSet: FeatureSet,
  digest: string,
  { tally, date }: { readonly tally: SkewTally; readonly date: string },
): SkewReport {
  const names = Object.keys(tally.groups)
    .filter((name) => name !== WHOLE)
    .toSorted();
  const groups = names.map((name) => groupOf(featureSet, name, { tally, date }));
  const whole = groupOf(featureSet, WHOLE, { tally, date });
  const { name, version, owner } = featureSet;
  const differs = [whole, ...groups].flatMap((group) =>
    group.features
      .filter((feature) => feature.verdict === 'failed')
      .map(({ feature, transform, shareOutside }) => ({ feature, transform, group: labelOf(group), shareOutside })),
  );
  return {
    kind: 'skew-report',
    featureSet: { name, version, digest, owner },
    date,
    verdict: whole.verdict,
    windows: whole.windows,
    features: whole.features,
    groups,
    differs: differs.toSorted((left, right) => right.shareOutside - left.shareOutside),
  };
}

function labelOf({ by, value }: SkewGroup): string {
  return by === WHOLE ? WHOLE : `${by}:${value}`;
}

function groupOf(
  featureSet: FeatureSet,
  name: string,
  { tally, date }: { readonly tally: SkewTally; readonly date: string },
): SkewGroup {
  const group = tally.groups[name] ?? { counts: NO_COUNTS, features: [] };
  const split = name.indexOf(':');
  const features = group.features.map((feature, index) => featureOf(featureSet, { index, feature, date }));
  return {
    by: split < 0 ? name : name.slice(0, split),
    value: split < 0 ? '' : name.slice(split + 1),
    windows: group.counts,
    verdict: verdictOf(group.counts),
    features,
  };
}

function verdictOf({ compared, unmatched, malformed, outside }: SkewCounts): SkewVerdict {
  if (outside > 0) return 'failed';
  return compared === 0 || unmatched + malformed > 0 ? 'inconclusive' : 'passed';
}

function featureOf(
  featureSet: FeatureSet,
  { index, feature, date }: { readonly index: number; readonly feature: FeatureSkewTally; readonly date: string },
): FeatureSkew {
  const definition = featureSet.features[index] as FeatureSet['features'][number];
  const own = definition.tolerance;
  const isHeld = own !== undefined && isInForce(own, date);
  const { absolute, relative } = isHeld ? own : featureSet.tolerance;
  return {
    ...feature,
    feature: definition.name,
    transform: definition.transform,
    input: definition.input,
    shareOutside: feature.compared === 0 ? 0 : feature.outside / feature.compared,
    tolerance: { absolute, relative },
    divergence: own === undefined ? null : { ...own, state: isHeld ? 'in force' : 'expired' },
    verdict: feature.outside > 0 ? 'failed' : feature.compared === 0 ? 'inconclusive' : 'passed',
  };
}
