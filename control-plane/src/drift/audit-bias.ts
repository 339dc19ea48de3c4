/**
 * The judgement of an audit: for each group of each attribute, accuracy and recall with an interval, and the difference from all
 * other groups; and how far its inputs lie from theirs. Sessions are the witnesses, as in drift.
 */
import { FleetError, type JsonValue } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { type BiasAudit, OUTCOME } from './bias-audit.ts';
import { adjustPValues } from './correction.ts';
import type { DriftVerdict } from './evaluate-drift.ts';
import { measureTest, type SideOfFeature, sideOfFeature } from './feature-tests.ts';
import { equalGroups, type GroupedCounts, pooled, totalOf, twoSides } from './session-variance.ts';
import { effectiveRate, fisherPValue, type Rate } from './significance.ts';
import { CATEGORY_SEPARATOR, type CategoryFeature, type SketchFeature } from './sketch-definition.ts';
import { normalQuantile } from './special-functions.ts';
import type { SketchUnit, TableSketch } from './table-sketch.ts';

/** Groups of one attribute; more is no attribute. */
export const GROUPS_MAX = 200;

export type BiasFigure = {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
  readonly rows: number;
};
export type BiasResult = {
  readonly attribute: string;
  readonly group: string;
  /** `accuracy`, `recall ICE`, `distribution accel_std`. */
  readonly measure: string;
  readonly verdict: DriftVerdict;
  /** The group itself and all others; null for a distribution, or when there is nothing to measure. */
  readonly own: BiasFigure | null;
  readonly others: BiasFigure | null;
  /** Own less others, or the Kolmogorov-Smirnov distance of a distribution. */
  readonly difference: number | null;
  readonly threshold: number;
  readonly pValue: number | null;
  readonly pAdjusted: number | null;
  readonly designEffect: number | null;
  readonly reason: string;
};
export type BiasReport = {
  readonly kind: 'bias-report';
  readonly version: 1;
  readonly audit: { readonly name: string; readonly version: number; readonly owner: string; readonly digest: string };
  readonly definition: string;
  readonly rows: number;
  readonly verdict: DriftVerdict;
  readonly counts: Readonly<Record<DriftVerdict, number>>;
  readonly results: readonly BiasResult[];
};

type Comparison = {
  readonly attribute: string;
  readonly group: string;
  readonly own: readonly SketchUnit[];
  readonly others: readonly SketchUnit[];
};

/** @throws FleetError DRIFT_INPUT when an attribute has too many groups */
export function auditBias(audit: BiasAudit, sketch: TableSketch): BiasReport {
  const measured = audit.attributes.flatMap((attribute, index) =>
    groupsOf(attribute, index, sketch).flatMap((comparison) => [
      ...(audit.outcome === undefined ? [] : measureOutcome(audit, comparison, sketch)),
      ...audit.features.map((feature) => measureDistribution(audit, comparison, { sketch, feature })),
    ]),
  );
  const results = judge(measured, audit);
  const counts = { passed: 0, failed: 0, inconclusive: 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  return {
    kind: 'bias-report',
    version: 1,
    audit: { name: audit.name, version: audit.version, owner: audit.owner, digest: auditDigest(audit) },
    definition: sketch.definitionDigest,
    rows: sketch.rows,
    verdict: counts.failed > 0 ? 'failed' : counts.passed > 0 ? 'passed' : 'inconclusive',
    counts,
    results,
  };
}

export const auditDigest = (audit: BiasAudit): string => digestOfDocument(audit as unknown as JsonValue);

function groupsOf(attribute: string, index: number, sketch: TableSketch): readonly Comparison[] {
  const units = sketch.units();
  const groups = [...new Set(units.map((unit) => unit.key[index] ?? ''))].toSorted();
  if (groups.length > GROUPS_MAX) {
    throw new FleetError(
      'DRIFT_INPUT',
      `${attribute} has ${groups.length} values, at most ${GROUPS_MAX}: it is no attribute`,
    );
  }
  return groups.map((group) => ({
    attribute,
    group,
    own: units.filter((unit) => unit.key[index] === group),
    others: units.filter((unit) => unit.key[index] !== group),
  }));
}

function measureOutcome(audit: BiasAudit, comparison: Comparison, sketch: TableSketch): readonly BiasResult[] {
  const feature = sketch.definition.features.find(({ name }) => name === OUTCOME) as CategoryFeature;
  const pairs = feature.categories.map((category) => category.split(CATEGORY_SEPARATOR));
  const [own, others] = [comparison.own, comparison.others].map((units) => sideOfFeature(sketch, OUTCOME, units));
  const labels = [...new Set(pairs.map(([label = '']) => label))].toSorted();
  const countsOf = (side: SideOfFeature | undefined, label?: string): GroupedCounts =>
    (side?.groups ?? []).map(({ bins }) => {
      const ofLabel = bins.map((count, index) => (label === undefined || pairs[index]?.[0] === label ? count : 0));
      const hits = totalOf(
        ofLabel.filter((_, index) => pairs[index]?.[0] === pairs[index]?.[1] && pairs[index] !== undefined),
      );
      return [hits, totalOf(ofLabel) - hits];
    });
  return [undefined, ...labels].map((label) =>
    measureRate(audit, comparison, {
      measure: label === undefined ? 'accuracy' : `recall ${label}`,
      threshold: label === undefined ? audit.thresholds.accuracy : audit.thresholds.recall,
      own: countsOf(own, label).filter((counts) => totalOf(counts) > 0),
      others: countsOf(others, label).filter((counts) => totalOf(counts) > 0),
    }),
  );
}

function measureRate(
  audit: BiasAudit,
  { attribute, group }: Comparison,
  rates: {
    readonly measure: string;
    readonly threshold: number;
    readonly own: GroupedCounts;
    readonly others: GroupedCounts;
  },
): BiasResult {
  const { measure, threshold, own, others } = rates;
  const common = { attribute, group, measure, threshold, pAdjusted: null } as const;
  const lacking = lackOf(audit, 'the group', own) ?? lackOf(audit, 'all others together', others);
  if (lacking !== undefined) {
    return {
      ...common,
      own: null,
      others: null,
      difference: null,
      pValue: null,
      designEffect: null,
      verdict: 'inconclusive',
      reason: lacking,
    };
  }
  const isClustered = audit.session !== null;
  const { designEffect } = twoSides(others, own, isClustered);
  const [ownRate, othersRate] = [rateOf(own), rateOf(others)];
  return {
    ...common,
    own: wilson(ownRate, designEffect, audit.confidence),
    others: wilson(othersRate, designEffect, audit.confidence),
    difference: ownRate.hits / ownRate.rows - othersRate.hits / othersRate.rows,
    pValue: fisherPValue(effectiveRate(othersRate, designEffect), effectiveRate(ownRate, designEffect), 'two-sided'),
    designEffect,
    verdict: 'passed',
    reason: '',
  };
}

function measureDistribution(
  audit: BiasAudit,
  { attribute, group, own, others }: Comparison,
  { sketch, feature }: { readonly sketch: TableSketch; readonly feature: string },
): BiasResult {
  const [reference, current] = [sideOfFeature(sketch, feature, others), sideOfFeature(sketch, feature, own)];
  const common = { attribute, group, measure: `distribution ${feature}`, own: null, others: null, pAdjusted: null };
  const threshold = audit.thresholds.distribution;
  const bins = (side: SideOfFeature): GroupedCounts =>
    side.groups.map((each) => each.bins).filter((each) => totalOf(each) > 0);
  const lacking = lackOf(audit, 'the group', bins(current)) ?? lackOf(audit, 'all others together', bins(reference));
  if (lacking !== undefined) {
    return {
      ...common,
      threshold,
      difference: null,
      pValue: null,
      designEffect: null,
      verdict: 'inconclusive',
      reason: lacking,
    };
  }
  const definition = sketch.definition.features.find(({ name }) => name === feature) as SketchFeature;
  const isClustered = audit.session !== null;
  const { statistic, pValue, designEffect } = measureTest('kolmogorov_smirnov', {
    definition,
    reference,
    current,
    isClustered,
  });
  return { ...common, threshold, difference: statistic, pValue, designEffect, verdict: 'passed', reason: '' };
}

function lackOf({ sampleMin, session }: BiasAudit, which: string, groups: GroupedCounts): string | undefined {
  const rows = totalOf(pooled(groups));
  if (rows < sampleMin.rows) return `${which} has ${rows} rows, ${sampleMin.rows} are needed`;
  const worth = equalGroups(groups);
  if (session !== null && (groups.length < 2 || worth < sampleMin.sessions)) {
    return `${which} has ${groups.length} groups of sessions that are worth ${worth.toFixed(1)} of equal size, ${sampleMin.sessions} are needed`;
  }
  return undefined;
}

function rateOf(groups: GroupedCounts): Rate {
  const [hits = 0, misses = 0] = pooled(groups);
  return { hits, rows: hits + misses };
}

/** Wilson's interval over as many independent rows as the clustered ones are worth. */
function wilson(rate: Rate, designEffect: number, confidence: number): BiasFigure {
  const value = rate.hits / rate.rows;
  const rows = Math.max(1, rate.rows / designEffect);
  const z = normalQuantile(confidence);
  const centre = (value + (z * z) / (2 * rows)) / (1 + (z * z) / rows);
  const half = (z / (1 + (z * z) / rows)) * Math.sqrt((value * (1 - value)) / rows + (z * z) / (4 * rows * rows));
  return { value, lower: Math.max(0, centre - half), upper: Math.min(1, centre + half), rows: rate.rows };
}

function judge(measured: readonly BiasResult[], { correction }: BiasAudit): readonly BiasResult[] {
  const adjusted = adjustPValues(
    measured.map(({ pValue }) => pValue ?? Number.NaN),
    correction.method,
  );
  return measured.map((result, index) => {
    if (result.difference === null || result.pValue === null) return { ...result, verdict: 'inconclusive' };
    const pAdjusted = adjusted[index] as number;
    const isLarge = Math.abs(result.difference) >= result.threshold;
    const isSure = pAdjusted <= correction.level;
    const reason = isLarge
      ? isSure
        ? 'large, and not by chance'
        : 'large, but such a difference comes by chance too'
      : 'small';
    return { ...result, pAdjusted, verdict: isLarge && isSure ? 'failed' : 'passed', reason };
  });
}
