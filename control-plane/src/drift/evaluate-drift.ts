/**
 * The judgement: sketches of a reference and of current rows against a monitor. A test fails only when the difference is large
 * enough to matter, too unlikely to be chance after correction for all tests made, and both sides have enough to say so.
 */
import { compileExpression, FleetError } from '@fleetloop/schemas';
import { adjustPValues } from './correction.ts';
import type { DriftMonitor, MonitoredFeature, Severity, TestName } from './drift-monitor.ts';
import { applicableTests, measureTest, type SideOfFeature, sideOfFeature } from './feature-tests.ts';
import { equalGroups } from './session-variance.ts';
import type { SketchFeature } from './sketch-definition.ts';
import type { SketchUnit, TableSketch } from './table-sketch.ts';

export const RESULTS_MAX = 200_000;
/** The slice that is always looked at. */
export const WHOLE = 'all';

export type DriftVerdict = 'passed' | 'failed' | 'inconclusive';

export type DriftResult = {
  readonly slice: string;
  /** Values of the seasons, in their order. */
  readonly season: readonly string[];
  readonly feature: string;
  readonly test: TestName;
  readonly verdict: DriftVerdict;
  /** Null when there was nothing to compare. */
  readonly statistic: number | null;
  readonly threshold: number;
  readonly pValue: number | null;
  /** After correction for all tests of this evaluation. */
  readonly pAdjusted: number | null;
  readonly reference: SideSummary;
  readonly current: SideSummary;
  /** How many rows are worth one independent row. */
  readonly designEffect: number | null;
  readonly reason: string;
};
export type SideSummary = {
  readonly rows: number;
  readonly sessionGroups: number;
  readonly mean: number | null;
  readonly standardDeviation: number | null;
};

export type DriftAlert = {
  readonly feature: string;
  readonly slice: string;
  readonly season: readonly string[];
  readonly owner: string;
  readonly severity: Severity;
  readonly tests: readonly TestName[];
  readonly message: string;
};

export type DriftEvaluation = {
  readonly verdict: DriftVerdict;
  readonly counts: Readonly<Record<DriftVerdict, number>>;
  readonly results: readonly DriftResult[];
  readonly alerts: readonly DriftAlert[];
};

type Comparison = {
  readonly slice: string;
  readonly season: readonly string[];
  readonly reference: readonly SketchUnit[];
  readonly current: readonly SketchUnit[];
};

/** @throws FleetError DRIFT_SKETCH when the sketches have different definitions, DRIFT_MONITOR_INVALID, DRIFT_INPUT */
export function evaluateDrift(monitor: DriftMonitor, reference: TableSketch, current: TableSketch): DriftEvaluation {
  if (reference.definitionDigest !== current.definitionDigest) {
    throw new FleetError(
      'DRIFT_SKETCH',
      'reference and current were sketched by different definitions: sketch one anew',
    );
  }
  const comparisons = comparisonsOf(monitor, reference, current);
  const tests = monitor.features.reduce((sum, feature) => sum + applicableTests(feature).length, 0);
  if (comparisons.length * tests > RESULTS_MAX) {
    throw new FleetError(
      'DRIFT_INPUT',
      `${comparisons.length * tests} tests, at most ${RESULTS_MAX}: use fewer slices, seasons or features`,
    );
  }
  const measured = comparisons.flatMap((comparison) =>
    monitor.features.flatMap((feature) => measureFeature({ monitor, feature, comparison, sketch: reference })),
  );
  const results = judge(measured, monitor);
  const counts = { passed: 0, failed: 0, inconclusive: 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  return { verdict: overall(results, monitor), counts, results, alerts: alertsOf(results, monitor) };
}

function comparisonsOf(monitor: DriftMonitor, reference: TableSketch, current: TableSketch): readonly Comparison[] {
  const keys = monitor.keys.map((key) => key.name);
  const seasons = monitor.seasons.map((name) => keys.indexOf(name));
  const seasonOf = (unit: SketchUnit): string => JSON.stringify(seasons.map((index) => unit.key[index]));
  const present = [...new Set([...current.units(), ...(seasons.length === 0 ? reference.units() : [])].map(seasonOf))];
  const variables = Object.fromEntries(keys.map((key) => [key, 'string' as const]));
  const codes = { syntax: 'DRIFT_MONITOR_INVALID', type: 'DRIFT_MONITOR_INVALID' } as const;
  const slices = [
    { name: WHOLE, holds: () => true },
    ...monitor.slices.map(({ name, where }) => {
      const compiled = compileExpression(where, variables, codes);
      const valuesOf = (unit: SketchUnit) => Object.fromEntries(keys.map((key, index) => [key, unit.key[index] ?? '']));
      return { name, holds: (unit: SketchUnit) => compiled.evaluate(valuesOf(unit)) };
    }),
  ];
  return slices.flatMap(({ name, holds }) =>
    present.toSorted().map((season) => {
      const isIn = (unit: SketchUnit): boolean => seasonOf(unit) === season && holds(unit);
      return {
        slice: name,
        season: JSON.parse(season) as readonly string[],
        reference: reference.units().filter(isIn),
        current: current.units().filter(isIn),
      };
    }),
  );
}

function measureFeature(options: {
  readonly monitor: DriftMonitor;
  readonly feature: MonitoredFeature;
  readonly comparison: Comparison;
  readonly sketch: TableSketch;
}): readonly DriftResult[] {
  const { monitor, feature, comparison, sketch } = options;
  const reference = sideOfFeature(sketch, feature.name, comparison.reference);
  const current = sideOfFeature(sketch, feature.name, comparison.current);
  const definition = sketch.definition.features.find(({ name }) => name === feature.name) as SketchFeature;
  const lacking = lackOf('reference', reference, monitor) ?? lackOf('current', current, monitor);
  const common = {
    slice: comparison.slice,
    season: comparison.season,
    feature: feature.name,
    reference: summaryOf(reference),
    current: summaryOf(current),
    pAdjusted: null,
  };
  return applicableTests(feature).map((test) => {
    const threshold = monitor.thresholds[test];
    const nothing = { statistic: null, pValue: null, designEffect: null };
    if (lacking !== undefined)
      return { ...common, test, threshold, ...nothing, verdict: 'inconclusive', reason: lacking };
    const measured = measureTest(test, { definition, reference, current, isClustered: monitor.session !== null });
    return { ...common, test, threshold, ...measured, verdict: 'passed', reason: '' };
  });
}

function lackOf(which: string, side: SideOfFeature, { sampleMin, session }: DriftMonitor): string | undefined {
  if (side.rows < sampleMin.rows) return `${which} has ${side.rows} rows, ${sampleMin.rows} are needed`;
  const worth = equalGroups(side.groups.map(({ rows }) => [rows]));
  if (session !== null && worth < sampleMin.sessions) {
    return `${which} has ${side.groups.length} groups of sessions that are worth ${worth.toFixed(1)} of equal size, ${sampleMin.sessions} are needed`;
  }
  return undefined;
}

function judge(measured: readonly DriftResult[], monitor: DriftMonitor): readonly DriftResult[] {
  const { method, level } = monitor.correction;
  const adjusted = adjustPValues(
    measured.map(({ pValue }) => pValue ?? Number.NaN),
    method,
  );
  return measured.map((result, index) => {
    const pAdjusted = adjusted[index] as number;
    if (result.statistic === null || result.pValue === null) {
      const reason = result.reason === '' ? 'no row has a value to compare' : result.reason;
      return { ...result, verdict: 'inconclusive', reason };
    }
    const isLarge = result.statistic >= result.threshold;
    const isSure = pAdjusted <= level;
    return {
      ...result,
      pAdjusted,
      verdict: isLarge && isSure ? 'failed' : 'passed',
      reason: reasonOf(isLarge, isSure),
    };
  });
}

function reasonOf(isLarge: boolean, isSure: boolean): string {
  if (isLarge) return isSure ? 'large, and not by chance' : 'large, but such a difference comes by chance too';
  return isSure ? 'not by chance, but small' : 'small';
}

/** Failed by any test; passed only when each feature of the whole could be judged by some test. */
function overall(results: readonly DriftResult[], monitor: DriftMonitor): DriftVerdict {
  if (results.some(({ verdict }) => verdict === 'failed')) return 'failed';
  const judged = new Set(
    results.flatMap((each) => (each.slice === WHOLE && each.verdict === 'passed' ? [each.feature] : [])),
  );
  return monitor.features.every(({ name }) => judged.has(name)) ? 'passed' : 'inconclusive';
}

function alertsOf(results: readonly DriftResult[], monitor: DriftMonitor): readonly DriftAlert[] {
  const alerts = new Map<string, DriftResult[]>();
  for (const result of results) {
    if (result.verdict !== 'failed') continue;
    const place = JSON.stringify([result.slice, result.season, result.feature]);
    alerts.set(place, [...(alerts.get(place) ?? []), result]);
  }
  return [...alerts.values()].map((failed) => {
    const { slice, season, feature } = failed[0] as DriftResult;
    const watched = monitor.features.find(({ name }) => name === feature);
    const where = [slice === WHOLE ? 'all rows' : `slice ${slice}`, ...season].join(', ');
    const figures = failed.map(
      ({ test, statistic, threshold }) => `${test} ${statistic?.toPrecision(3)} (limit ${threshold})`,
    );
    return {
      feature,
      slice,
      season,
      owner: watched?.owner ?? monitor.owner,
      severity: watched?.severity ?? monitor.severity,
      tests: failed.map(({ test }) => test),
      message: `${feature} has moved in ${where}: ${figures.join(', ')}. Compare the sources of the rows, then repair them or renew the reference`,
    };
  });
}

function summaryOf(side: SideOfFeature): SideSummary {
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    rows: side.rows,
    sessionGroups: side.groups.length,
    mean: finite(side.moments?.mean ?? Number.NaN),
    standardDeviation: finite(side.moments?.standardDeviation ?? Number.NaN),
  };
}
