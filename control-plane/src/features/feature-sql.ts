/** The batch engine of a feature set is one SQL query, compiled from the same data as the vehicle's engine. */
import type { FeatureSet } from '@fleetloop/schemas';
import type { FeatureDefinition } from '@fleetloop/schemas/features';
import { encodingSql } from './encoding-sql.ts';
import { correlationSql, lagSql, partnerColumns, seenColumns, seriesSql } from './relation-sql.ts';
import { featureColumn, planSeries, type SeriesPlan, seriesNamed } from './series-plan.ts';
import { double, usable } from './sql-text.ts';
import { isSigned, orderedColumns, SECONDS, transformSql } from './transform-sql.ts';
import { windowedSql } from './window-sql.ts';

/**
 * Compiles a feature set to one query over `table`. Result: recording, window_start_ns, window_end_ns (BIGINT), f0 … in the set's order
 * (NULL for missing); one row per window in which each signal has its least number of samples, by recording and time.
 */
export function compileFeatureSql(featureSet: FeatureSet, table: string): string {
  const plan = planSeries(featureSet);
  const expressions = [
    ...windowedSql(featureSet, plan, table),
    ...rowsSql(featureSet, plan),
    ...featureSet.features.flatMap((feature, index) =>
      feature.transform === 'lag' ? lagSql(feature, index, plan) : [],
    ),
    groupedSql(featureSet, plan),
    ...encodedSql(featureSet),
  ];
  const columns = featureSet.features.map(
    (feature, index) => `${otherwiseSql(feature, index)} AS ${featureColumn(index)}`,
  );
  const required = featureSet.features.flatMap((feature, index) =>
    feature.otherwise === undefined ? [`${usable(featureColumn(index))} IS NOT NULL`] : [],
  );
  return `WITH ${expressions.join(',\n')}
SELECT recording, start_ns::BIGINT AS window_start_ns, end_ns::BIGINT AS window_end_ns, ${columns.join(', ')}
FROM ${lastEncoding(featureSet)}
${required.length === 0 ? '' : `WHERE ${required.join(' AND ')}`}
ORDER BY recording, window_start_ns`;
}

/** The rows of each window in order, with the columns that aggregates read. */
function rowsSql(featureSet: FeatureSet, plan: SeriesPlan): readonly string[] {
  const seen = seenColumns(plan);
  const columns = plan.series.map((entry) => `${seriesSql(entry, plan)} AS ${entry.column}`);
  const partners = partnerColumns(featureSet.features, plan);
  const ordered = plan.series.flatMap(orderedColumns);
  const signed = plan.series.filter(isSigned);
  const former = signed.map(
    ({ column }) =>
      `lag(${column}_sign IGNORE NULLS) OVER (PARTITION BY recording, k ORDER BY t, ordinal) AS ${column}_former`,
  );
  return [
    `seen AS (SELECT *${seen.map((sql) => `, ${sql}`).join('')} FROM windowed)`,
    `series AS (SELECT *, ${[...columns, ...partners, `${SECONDS} AS seconds`].join(', ')} FROM seen)`,
    `ordered AS (
  SELECT *${ordered.map((sql) => `, ${sql}`).join('')}${isPositioned(featureSet) ? ', row_number() OVER w AS position' : ''}
  FROM series
  WINDOW w AS (PARTITION BY recording, k ORDER BY t, ordinal), whole AS (PARTITION BY recording, k))`,
    `signed AS (SELECT *${former.map((sql) => `, ${sql}`).join('')} FROM ordered)`,
  ];
}

function isPositioned(featureSet: FeatureSet): boolean {
  return featureSet.features.some(({ transform }) => transform === 'last' || transform === 'rate_of_change');
}

function groupedSql(featureSet: FeatureSet, plan: SeriesPlan): string {
  const lags = featureSet.features.flatMap((feature, index) => (feature.transform === 'lag' ? [index] : []));
  const features = featureSet.features.flatMap((feature, index) => {
    if (feature.transform === 'lag') return [];
    const sql =
      feature.transform === 'correlation'
        ? correlationSql(feature, index, plan)
        : transformSql(feature, seriesNamed(plan, feature.input));
    return [`${sql} AS ${featureColumn(index)}`];
  });
  const enough = plan.series.flatMap(({ column, samplesMin, signal }) =>
    samplesMin === 0 || signal?.fill?.kind === 'constant' ? [] : [`count(${column}) >= ${samplesMin}`],
  );
  const grouped = `SELECT recording, k, max(start_ns) AS start_ns, max(end_ns) AS end_ns${features.map((sql) => `, ${sql}`).join('')}
  FROM signed
  GROUP BY recording, k
  HAVING ${['count(*) FILTER (WHERE t >= start_ns) > 0', ...enough].join(' AND ')}`;
  if (lags.length === 0) return `grouped AS (\n  ${grouped})`;
  const joins = lags.map((index) => `LEFT JOIN best${index} USING (recording, k)`);
  const columns = lags.map((index) => `best${index}.lag_ms AS ${featureColumn(index)}`);
  return `grouped AS (\n  SELECT own.*, ${columns.join(', ')} FROM (${grouped}) AS own ${joins.join(' ')})`;
}

/** One expression for each step, so that no step repeats the SQL of those before it. */
function encodedSql(featureSet: FeatureSet): readonly string[] {
  const steps = stepsMax(featureSet);
  return Array.from({ length: steps }, (_, step) => {
    const columns = featureSet.features.flatMap((feature, index) => {
      const encoding = feature.encode?.[step];
      return encoding === undefined
        ? []
        : [`${encodingSql(encoding, featureColumn(index))} AS ${featureColumn(index)}`];
    });
    return `encoded${step + 1} AS (SELECT * REPLACE (${columns.join(', ')}) FROM ${step === 0 ? 'grouped' : `encoded${step}`})`;
  });
}

function lastEncoding(featureSet: FeatureSet): string {
  const steps = stepsMax(featureSet);
  return steps === 0 ? 'grouped' : `encoded${steps}`;
}

function stepsMax(featureSet: FeatureSet): number {
  return Math.max(0, ...featureSet.features.map((feature) => feature.encode?.length ?? 0));
}

function otherwiseSql(feature: FeatureDefinition, index: number): string {
  const value = usable(featureColumn(index));
  return typeof feature.otherwise === 'number' ? `coalesce(${value}, ${double(feature.otherwise)})` : value;
}
