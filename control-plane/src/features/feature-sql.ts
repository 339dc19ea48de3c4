// Why this file exists: the batch engine of a feature set is one SQL query, compiled from the same data as the vehicle's engine.
import { assertNever, type FeatureSet, type Transform, ZERO_BAND_SHARE } from '@fleetloop/schemas';

/** Columns of the samples table: recording INTEGER, ordinal INTEGER, log_time_ns BIGINT, s0 … DOUBLE (one per signal, NULL if missing). */
export const SAMPLES_COLUMNS = ['recording', 'ordinal', 'log_time_ns'] as const;
const NS_PER_MS = 1_000_000n;

/** Column of the signal at `index` of the feature set. */
export const signalColumn = (index: number): string => `s${index}`;

/** Column of the feature at `index` in the result. */
export const featureColumn = (index: number): string => `f${index}`;

/**
 * Compiles a feature set to one query over `table`. Result: recording, window_start_ns (BIGINT), f0 … in the set's order; one row
 * per window in which each signal has its least number of samples, by recording and time.
 */
export function compileFeatureSql(featureSet: FeatureSet, table: string): string {
  const hopNs = BigInt(featureSet.window.hopMs) * NS_PER_MS;
  const lengthNs = BigInt(featureSet.window.lengthMs) * NS_PER_MS;
  const series = planSeries(featureSet);
  const features = featureSet.features.map((feature, index) => {
    const column = series.find((entry) => entry.name === feature.input)?.column ?? '';
    return `${transformSql(feature.transform, column)} AS ${featureColumn(index)}`;
  });
  const columns = series.map((entry) => entry.column).join(', ');
  const paired = series.filter((entry) => entry.uses.has('mad')).map((entry) => previousOf(entry.column));
  const signed = series.filter((entry) => entry.uses.has('zero_crossings'));
  return `
WITH series AS (
  SELECT recording, ordinal, log_time_ns, ${series.map((entry) => `${entry.sql} AS ${entry.column}`).join(', ')},
    max(log_time_ns) OVER (PARTITION BY recording ORDER BY ordinal ROWS UNBOUNDED PRECEDING) AS watermark_ns
  FROM ${table}
), windowed AS (
  -- A sample is in window k unless a message before it had already closed k.
  SELECT recording, k, ordinal, ${columns}
  FROM series, unnest(range(${floorDivide(`log_time_ns - ${lengthNs}`, hopNs)} + 1, ${floorDivide('log_time_ns', hopNs)} + 1)) AS windows(k)
  WHERE watermark_ns < k * ${hopNs} + ${lengthNs}
), paired AS (
  SELECT *${[...paired, ...signed.map((entry) => signOf(entry.column))].map((sql) => `, ${sql}`).join('')}
  FROM windowed
  WINDOW w AS (PARTITION BY recording, k ORDER BY ordinal), whole AS (PARTITION BY recording, k)
), signed AS (
  SELECT *${signed.map((entry) => `, lag(${entry.column}_sign IGNORE NULLS) OVER (PARTITION BY recording, k ORDER BY ordinal) AS ${entry.column}_former`).join('')}
  FROM paired
)
SELECT recording, (k * ${hopNs})::BIGINT AS window_start_ns, ${features.join(', ')}
FROM signed
GROUP BY recording, k
HAVING ${series.map((entry) => `count(${entry.column}) >= ${entry.samplesMin}`).join(' AND ')}
ORDER BY recording, k`;
}

type SeriesSql = {
  readonly name: string;
  readonly column: string;
  readonly sql: string;
  readonly samplesMin: number;
  readonly uses: ReadonlySet<Transform>;
};

function planSeries(featureSet: FeatureSet): SeriesSql[] {
  const usesOf = (name: string): ReadonlySet<Transform> =>
    new Set(featureSet.features.filter((feature) => feature.input === name).map((feature) => feature.transform));
  const signals = featureSet.signals.map((signal, index) => ({
    name: signal.name,
    column: `x${index}`,
    sql: signalColumn(index),
    samplesMin: signal.samplesMin,
    uses: usesOf(signal.name),
  }));
  const derived = featureSet.derived.map((entry, index) => ({
    name: entry.name,
    column: `x${featureSet.signals.length + index}`,
    sql: normSql(entry.of.map((part) => signalColumn(featureSet.signals.findIndex((signal) => signal.name === part)))),
    samplesMin: 1,
    uses: usesOf(entry.name),
  }));
  return [...signals, ...derived];
}

/** Same order of operations as the streaming engine: sum of squares from the left, then the root; overflow counts as missing. */
function normSql(parts: readonly string[]): string {
  const sum = parts.map((part) => `${part} * ${part}`).join(' + ');
  return `CASE WHEN isfinite(${sum}) THEN sqrt(${sum}) END`;
}

/** Division rounded down also for stamps before 1970. */
function floorDivide(dividend: string, divisor: bigint): string {
  return `((${dividend}) // ${divisor} - CASE WHEN (${dividend}) % ${divisor} < 0 THEN 1 ELSE 0 END)`;
}

function previousOf(column: string): string {
  return `lag(${column} IGNORE NULLS) OVER w AS ${column}_previous`;
}

/** Side of the mean; NULL inside the band around it and where there is no sample. */
function signOf(column: string): string {
  const deviation = `${column} - favg(${column}) OVER whole`;
  const band = `(max(${column}) OVER whole - min(${column}) OVER whole) * ${ZERO_BAND_SHARE}::DOUBLE`;
  return `CASE WHEN abs(${deviation}) > ${band} THEN sign(${deviation}) END AS ${column}_sign`;
}

/** favg and fsum are DuckDB's compensated (Kahan) forms; stddev_pop is Welford's. */
function transformSql(transform: Transform, column: string): string {
  switch (transform) {
    case 'mean':
      return `favg(${column})`;
    case 'std':
      return `stddev_pop(${column})`;
    case 'range':
      return `max(${column}) - min(${column})`;
    case 'rms':
      return `sqrt(favg(${column} * ${column}))`;
    case 'mad':
      return `coalesce(fsum(abs(${column} - ${column}_previous)) / nullif(count(${column}) - 1, 0), 0)`;
    case 'min':
      return `min(${column})`;
    case 'max':
      return `max(${column})`;
    case 'last':
      return `arg_max(${column}, ordinal) FILTER (WHERE ${column} IS NOT NULL)`;
    case 'count':
      return `count(${column})::DOUBLE`;
    case 'zero_crossings':
      return `(count(*) FILTER (WHERE ${column}_sign <> ${column}_former))::DOUBLE`;
    default:
      return assertNever(transform);
  }
}
