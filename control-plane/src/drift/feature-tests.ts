/** Why: each test looks at another part of a feature's counters; this takes them out of the sketch and measures size and chance. */
import { jensenShannon, kolmogorovSmirnov, populationStability, wasserstein } from './distances.ts';
import { fittingTests, type MonitoredFeature, type TestName } from './drift-monitor.ts';
import {
  binCount,
  cellAt,
  countCells,
  mergeCells,
  clearExtremes,
  cellCount,
  type Moments,
  momentsOf,
} from './numeric-cells.ts';
import { type GroupedCounts, twoSides } from './session-variance.ts';
import {
  effectiveRate,
  fisherPValue,
  homogeneityPValue,
  kolmogorovPValue,
  type Rate,
  wassersteinPValue,
} from './significance.ts';
import { SESSION_GROUPS, type NumericFeature, type SketchFeature } from './sketch-definition.ts';
import type { SketchUnit, TableSketch } from './table-sketch.ts';

/** The tests of a feature: those it names, or all that fit it. */
export function applicableTests(feature: MonitoredFeature): readonly TestName[] {
  return fittingTests(feature).filter((test) => feature.tests?.includes(test) ?? true);
}

/** What one side counted of one feature. */
export type SideOfFeature = {
  readonly rows: number;
  /** Of the groups of sessions that occur: rows, those that miss the value, those that break the rule of the feature, bins. */
  readonly groups: readonly {
    readonly rows: number;
    readonly missing: number;
    readonly outside: number;
    readonly bins: readonly number[];
  }[];
  readonly moments: Moments | undefined;
};

export function sideOfFeature(sketch: TableSketch, name: string, units: readonly SketchUnit[]): SideOfFeature {
  const numeric = sketch.layout.numeric.find(({ feature }) => feature.name === name);
  const byGroup = Array.from({ length: SESSION_GROUPS }, (): SketchUnit[] => []);
  for (const unit of units) byGroup[unit.group]?.push(unit);
  const present = byGroup.filter((group) => group.some((unit) => unit.rows > 0));
  const rows = units.reduce((sum, unit) => sum + unit.rows, 0);
  if (numeric !== undefined) {
    const { feature, from } = numeric;
    const all = mergedCells(units, feature, from);
    const groups = present.map((group) => numericGroup(group, mergedCells(group, feature, from), feature));
    return { rows, groups, moments: momentsOf(all, 0, feature) };
  }
  const index = sketch.definition.features
    .filter(({ kind }) => kind === 'category')
    .findIndex((each) => each.name === name);
  return { rows, groups: present.map((group) => categoryGroup(group, index)), moments: undefined };
}

type Inputs = {
  readonly definition: SketchFeature;
  readonly reference: SideOfFeature;
  readonly current: SideOfFeature;
  readonly isClustered: boolean;
};
export type Measured = {
  readonly statistic: number | null;
  readonly pValue: number | null;
  readonly designEffect: number | null;
};

/** Size and p-value of one test; null when a side has no value to compare. */
export function measureTest(test: TestName, inputs: Inputs): Measured {
  if (test === 'missing_rate' || test === 'out_of_range' || test === 'new_categories') return measureRate(test, inputs);
  const { definition, reference, current, isClustered } = inputs;
  const bins = [reference, current].map((side) => withValues(side.groups.map((group) => group.bins)));
  const [former = [], latter = []] = bins;
  if (former.length === 0 || latter.length === 0 || (isClustered && (former.length < 2 || latter.length < 2))) {
    return { statistic: null, pValue: null, designEffect: null };
  }
  const sides = twoSides(former, latter, isClustered);
  const { designEffect } = sides;
  switch (test) {
    case 'psi':
      return {
        statistic: populationStability(sides.reference, sides.current),
        pValue: homogeneityPValue(sides),
        designEffect,
      };
    case 'jensen_shannon':
      return {
        statistic: jensenShannon(sides.reference, sides.current),
        pValue: homogeneityPValue(sides),
        designEffect,
      };
    case 'kolmogorov_smirnov':
      return {
        statistic: kolmogorovSmirnov(sides.reference, sides.current),
        pValue: kolmogorovPValue(sides),
        designEffect,
      };
    case 'wasserstein': {
      const edges = outerEdges(definition as NumericFeature, reference, current);
      const scale = Math.max(reference.moments?.standardDeviation ?? 0, deviationFloor(definition as NumericFeature));
      const distance = wasserstein(sides.reference, sides.current, edges);
      return { statistic: distance / scale, pValue: wassersteinPValue(sides, edges), designEffect };
    }
  }
}

/** The rates of rows that miss the value, or break the rule; more of them is worse, less of them is a change as well. */
function measureRate(test: 'missing_rate' | 'out_of_range' | 'new_categories', inputs: Inputs): Measured {
  const isMissing = test === 'missing_rate';
  const groupsOf = (side: SideOfFeature): GroupedCounts =>
    side.groups.map(({ rows, missing, outside }) => {
      const hits = isMissing ? missing : outside;
      return [hits, (isMissing ? rows : rows - missing) - hits];
    });
  const [former, latter] = [withValues(groupsOf(inputs.reference)), withValues(groupsOf(inputs.current))];
  if (former.length === 0 || latter.length === 0 || (inputs.isClustered && (former.length < 2 || latter.length < 2))) {
    return { statistic: null, pValue: null, designEffect: null };
  }
  const sides = twoSides(former, latter, inputs.isClustered);
  const [reference, current] = [rateOf(sides.reference), rateOf(sides.current)];
  const difference = current.hits / current.rows - reference.hits / reference.rows;
  // Nowhere a hit: no variance either, and nothing to test.
  const designEffect = reference.hits + current.hits === 0 ? 1 : sides.designEffect;
  const pValue = fisherPValue(
    effectiveRate(reference, designEffect),
    effectiveRate(current, designEffect),
    isMissing ? 'two-sided' : 'greater',
  );
  return { statistic: isMissing ? Math.abs(difference) : Math.max(0, difference), pValue, designEffect };
}

const rateOf = (counts: readonly number[]): Rate => ({
  hits: counts[0] ?? 0,
  rows: (counts[0] ?? 0) + (counts[1] ?? 0),
});

const withValues = (groups: GroupedCounts): GroupedCounts =>
  groups.filter((counts) => counts.some((count) => count > 0));

function mergedCells(units: readonly SketchUnit[], feature: NumericFeature, from: number): Float64Array {
  const cells = new Float64Array(cellCount(feature));
  clearExtremes(cells, 0, feature);
  for (const unit of units) mergeCells(cells, unit.cells.subarray(from, from + cellCount(feature)), 0, feature);
  return cells;
}

/** A value that is no finite number is as good as missing. */
function numericGroup(
  units: readonly SketchUnit[],
  cells: Float64Array,
  feature: NumericFeature,
): SideOfFeature['groups'][number] {
  const at = (cell: Parameters<typeof cellAt>[1]): number => cells[cellAt(feature, cell)] as number;
  return {
    rows: units.reduce((sum, unit) => sum + unit.rows, 0),
    missing: at('missing') + at('nonFinite'),
    outside: at('belowRange') + at('aboveRange'),
    bins: [...cells.subarray(0, binCount(feature))],
  };
}

function categoryGroup(units: readonly SketchUnit[], index: number): SideOfFeature['groups'][number] {
  const counts = units.map((unit) => unit.categories[index]);
  const sum = (of: (each: NonNullable<(typeof counts)[number]>) => number): number =>
    counts.reduce((total, each) => total + (each === undefined ? 0 : of(each)), 0);
  const known = Array.from({ length: counts[0]?.known.length ?? 0 }, (_, category) =>
    sum((each) => each.known[category] as number),
  );
  const fresh = sum((each) => each.fresh);
  const missing = sum((each) => each.missing);
  return {
    rows: units.reduce((total, unit) => total + unit.rows, 0),
    missing,
    outside: fresh,
    bins: [...known, fresh],
  };
}

/** The edges of all bins: the outermost two reach to the least and greatest value of both sides. */
function outerEdges({ edges }: NumericFeature, reference: SideOfFeature, current: SideOfFeature): readonly number[] {
  const first = edges[0] as number;
  const last = edges.at(-1) as number;
  const least = Math.min(first, reference.moments?.min ?? first, current.moments?.min ?? first);
  const most = Math.max(last, reference.moments?.max ?? last, current.moments?.max ?? last);
  return [least, ...edges, most];
}

/** One step of the moments: a reference that never changes has no deviation to measure in. */
const deviationFloor = (feature: NumericFeature): number => 2 ** feature.unitExponent * countCells(feature);
