/**
 * Why: bins must be fixed before anything is counted, and good bins come from the reference. The edges are quantiles of an even
 * sample of its rows, so that each bin holds about as many rows of the reference and no outlier stretches them.
 */
import { FleetError } from '@fleetloop/schemas';
import type { DriftMonitor, MonitoredFeature } from './drift-monitor.ts';
import { STEPS_PER_SPAN_EXPONENT } from './numeric-cells.ts';
import type { ReferenceSample } from './reference-sample.ts';
import { CATEGORIES_MAX, type SketchDefinition, type SketchFeature } from './sketch-definition.ts';

/** @throws FleetError DRIFT_INPUT when the reference has no value of a feature, values too far apart, or more categories than are allowed */
export function fitDefinition(monitor: DriftMonitor, sample: ReferenceSample): SketchDefinition {
  return {
    kind: 'sketch-definition',
    version: 1,
    keys: monitor.keys,
    session: monitor.session,
    features: monitor.features.map((feature) => fitFeature(feature, sample)),
  };
}

function fitFeature(feature: MonitoredFeature, sample: ReferenceSample): SketchFeature {
  if (feature.kind === 'category') {
    const categories = feature.categories ?? sample.categories.get(feature.name) ?? [];
    if (categories.length > CATEGORIES_MAX) {
      throw new FleetError(
        'DRIFT_INPUT',
        `${feature.name} has more than ${CATEGORIES_MAX} categories in the reference: name the ones that matter`,
      );
    }
    return { kind: 'category', name: feature.name, columns: feature.columns, categories: categories.toSorted() };
  }
  const values = sample.numeric.get(feature.name) ?? new Float64Array();
  const edges = Array.isArray(feature.bins)
    ? feature.bins
    : quantileEdges(values.toSorted(), feature.bins, feature.name);
  const first = edges[0] as number;
  const span = (edges.at(-1) as number) - first;
  if (span === Infinity) {
    throw new FleetError(
      'DRIFT_INPUT',
      `the values of ${feature.name} span more than a number can hold: name its bins`,
    );
  }
  return {
    kind: 'numeric',
    name: feature.name,
    column: feature.column,
    edges,
    centre: first + span / 2,
    unitExponent: Math.max(-1_060, Math.ceil(Math.log2(span)) - STEPS_PER_SPAN_EXPONENT),
    range: feature.range,
  };
}

/** Edges between `bins` bins of about equal weight, from least to greatest value; fewer where values repeat. */
function quantileEdges(sorted: Float64Array, bins: number, name: string): number[] {
  const first = sorted[0];
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) {
    throw new FleetError(
      'DRIFT_INPUT',
      `the reference has no finite value of ${name}: leave the feature out, or name its bins`,
    );
  }
  if (first === last) return aroundOne(first);
  const edges = [first + 0];
  for (let bin = 1; bin <= bins; bin += 1) {
    const edge = (sorted[Math.round((bin / bins) * (sorted.length - 1))] as number) + 0;
    if (edge > (edges.at(-1) as number)) edges.push(edge);
  }
  return edges;
}

/** A constant has one bin of its own; whatever is not that constant falls outside. */
function aroundOne(value: number): number[] {
  const reach = Math.max(Math.abs(value) * 2 ** -40, 2 ** -1_000);
  return [value - reach, value + reach];
}
