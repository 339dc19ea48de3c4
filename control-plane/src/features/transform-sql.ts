/** Aggregates of the transforms that read one series. favg is DuckDB's compensated (Kahan) mean; moments are Welford's. */
import {
  type BandEnergy,
  bandFrequencies,
  CONSTANT_SHARE,
  type OwnFeature,
  RANGE_MIN,
  transformOfConstant,
  ZERO_BAND_SHARE,
} from '@fleetloop/schemas/features';
import { assertNever } from '@fleetloop/schemas';
import type { SeriesColumn } from './series-plan.ts';
import { double } from './sql-text.ts';

/** Seconds from the window's start; a held sample stands at the start. */
export const SECONDS = 'greatest(t - start_ns, 0)::DOUBLE / 1e9';
/** Length of the window in s. */
export const LENGTH = '(end_ns - start_ns)::DOUBLE / 1e9';

/** The value of a feature over the rows of one window; NULL where it is not defined. */
export function transformSql(feature: OwnFeature, series: SeriesColumn): string {
  const sql = definedSql(feature, series);
  const fill = series.signal?.fill;
  if (fill?.kind !== 'constant') return sql;
  const constant = transformOfConstant(feature, fill.value);
  const filled = Number.isNaN(constant) ? 'NULL' : double(constant);
  return `CASE WHEN count(${series.column}) < ${series.samplesMin} THEN ${filled} ELSE ${sql} END`;
}

function definedSql(feature: OwnFeature, series: SeriesColumn): string {
  const x = series.column;
  switch (feature.transform) {
    case 'mean':
      return `favg(${x})`;
    case 'std':
      return `stddev_pop(${x})`;
    case 'range':
      return `max(${x}) - min(${x})`;
    case 'rms':
      return `sqrt(favg(${x} * ${x}))`;
    case 'mad':
      return `CASE count(${x}) WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE fsum(abs(${x} - ${x}_previous)) / (count(${x}) - 1) END`;
    case 'min':
      return `min(${x})`;
    case 'max':
      return `max(${x})`;
    case 'last':
      return `arg_max(${x}, position) FILTER (WHERE ${x} IS NOT NULL)`;
    case 'count':
      return `count(${x})::DOUBLE`;
    case 'zero_crossings':
      return `CASE WHEN count(${x}) > 0 THEN (count(*) FILTER (WHERE ${x}_sign <> ${x}_former))::DOUBLE END`;
    case 'slope':
      return `CASE WHEN ${span(x)} > 0 THEN regr_slope(${x}, seconds) END`;
    case 'rate_of_change':
      return `(arg_max(${x}, position) FILTER (WHERE ${x} IS NOT NULL) - arg_min(${x}, position) FILTER (WHERE ${x} IS NOT NULL)) / nullif(${span(x)}, 0)`;
    case 'missing_share':
      return missingShareSql(series);
    case 'percentile':
      return `quantile_cont(${x}, ${feature.p})`;
    case 'band_energy':
      return bandEnergySql(feature, x);
    default:
      return assertNever(feature);
  }
}

/** Columns that the aggregates of a series read beside its samples, from the rows of a window in order. */
export function orderedColumns(series: SeriesColumn): string[] {
  const uses = new Set(series.features.map((feature) => feature.transform));
  const x = series.column;
  return [
    ...(uses.has('mad') ? [`lag(${x} IGNORE NULLS) OVER w AS ${x}_previous`] : []),
    ...(uses.has('zero_crossings') ? [`${signSql(x)} AS ${x}_sign`] : []),
    ...(uses.has('band_energy') ? [`${hannSql(x)} AS ${x}_hann`, `favg(${x}) OVER whole AS ${x}_mean`] : []),
  ];
}

export function isSigned(series: SeriesColumn): boolean {
  return series.features.some((feature) => feature.transform === 'zero_crossings');
}

/** Side of the mean; NULL inside the band around it and where there is no sample. */
function signSql(x: string): string {
  const band = `(max(${x}) OVER whole - min(${x}) OVER whole) * ${double(ZERO_BAND_SHARE)}`;
  const deviation = `${x} - favg(${x}) OVER whole`;
  return `CASE WHEN abs(${deviation}) > ${band} THEN sign(${deviation}) END`;
}

function span(x: string): string {
  return `(max(seconds) FILTER (WHERE ${x} IS NOT NULL) - min(seconds) FILTER (WHERE ${x} IS NOT NULL))`;
}

function missingShareSql({ column, signal }: SeriesColumn): string {
  const expected = `(max(${LENGTH}) * ${double(signal?.rateHz ?? 1)})`;
  const own = `count(${column}) FILTER (WHERE t >= start_ns)`;
  return `CASE WHEN ${own} >= ${expected} THEN 0::DOUBLE ELSE 1 - ${own} / ${expected} END`;
}

function hannSql(x: string): string {
  return `CASE WHEN ${x} IS NOT NULL THEN (1 - cos(${double(2 * Math.PI)} * seconds / (${LENGTH}))) / 2 END`;
}

function bandEnergySql(band: BandEnergy, x: string): string {
  const value = `${x}_hann * (${x} - ${x}_mean)`;
  const energy = bandFrequencies(band).map((hz) => {
    const angle = `${double(2 * Math.PI * hz)} * seconds`;
    return `sum(${value} * cos(${angle})) ^ 2 + sum(${value} * sin(${angle})) ^ 2`;
  });
  const weights = `sum(${x}_hann * ${x}_hann)`;
  const scaled = `${double(2 * band.stepHz)} * max(${LENGTH}) * (${energy.join(' + ')}) / nullif(count(${x}) * ${weights}, 0)`;
  return `CASE WHEN count(${x}) < 2 THEN NULL WHEN ${constantSql(x)} THEN 0 ELSE ${scaled} END`;
}

/** Whether the samples are one value as far as their digits can tell. `filter` chooses among them. */
export function constantSql(x: string, filter = ''): string {
  const [min, max] = [`min(${x})${filter}`, `max(${x})${filter}`];
  return `${max} - ${min} <= greatest(${double(CONSTANT_SHARE)} * greatest(abs(${min}), abs(${max})), ${double(RANGE_MIN)})`;
}
