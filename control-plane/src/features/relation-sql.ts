/** Series and features over channels of different rates: each sample meets the newest sample of another at or before it. */
import { type Correlation, type FeatureDefinition, type Lag, LAG_TIE, PAIRS_MIN } from '@fleetloop/schemas/features';
import { combineSql, type SeriesColumn, type SeriesPlan, seriesNamed } from './series-plan.ts';
import { constantSql } from './transform-sql.ts';

const NS_PER_MS = 1_000_000;
/** After every sample of the same instant. */
const ORDINAL_LAST = 2_147_483_647;
const IN_ORDER = 'PARTITION BY recording, k ORDER BY t, ordinal';

/** Columns of the newest sample at or before each row, with its stamp, and the stamp of the next one of held signals. */
export function seenColumns(plan: SeriesPlan): string[] {
  const newest = plan.lookedBack.flatMap(({ stored, index }) => [
    `last_value(${stored} IGNORE NULLS) OVER (${IN_ORDER} ROWS UNBOUNDED PRECEDING) AS newest${index}`,
    `max(CASE WHEN ${stored} IS NOT NULL THEN t END) OVER (${IN_ORDER} ROWS UNBOUNDED PRECEDING) AS newest${index}_t`,
  ]);
  const following = plan.series.flatMap(({ signal, stored, index }) =>
    signal?.fill?.kind === 'hold'
      ? [`lead(CASE WHEN ${stored} IS NOT NULL THEN t END IGNORE NULLS) OVER (${IN_ORDER}) AS next${index}_t`]
      : [],
  );
  return [...newest, ...following];
}

/** The samples of a series in its window. */
export function seriesSql(series: SeriesColumn, plan: SeriesPlan): string {
  if (series.stored === undefined) return alignedSql(series, plan);
  if (plan.historyNs === 0n) return series.stored;
  const { fill } = series.signal ?? {};
  const own = `WHEN t >= start_ns THEN ${series.stored}`;
  if (fill?.kind !== 'hold') return `CASE ${own} END`;
  const isHeld = `t >= start_ns - ${fill.ageMsMax * NS_PER_MS} AND coalesce(next${series.index}_t >= start_ns, true)`;
  return `CASE ${own} WHEN ${isHeld} THEN ${series.stored} END`;
}

function alignedSql({ derived }: SeriesColumn, plan: SeriesPlan): string {
  if (derived?.ageMsMax === undefined) throw new Error('only a derived series with an age is not stored');
  const [first, ...others] = derived.of.map((part) => seriesNamed(plan, part));
  const isFresh = others.map((part) => `t - newest${part.index}_t <= ${(derived.ageMsMax ?? 0) * NS_PER_MS}`);
  const parts = [first?.stored ?? '', ...others.map((part) => `newest${part.index}`)];
  return `CASE WHEN t >= start_ns AND ${isFresh.join(' AND ')} THEN ${combineSql(derived.kind, parts)} END`;
}

/** Column of the partner that a sample of a correlated series meets. */
export const partnerColumn = (feature: number): string => `partner${feature}`;

export function partnerColumns(features: readonly FeatureDefinition[], plan: SeriesPlan): string[] {
  return features.flatMap((feature, index) => {
    if (feature.transform !== 'correlation') return [];
    const other = seriesNamed(plan, feature.with);
    const input = seriesNamed(plan, feature.input);
    const isPaired = `t >= start_ns AND ${input.stored} IS NOT NULL AND t - newest${other.index}_t <= ${feature.ageMsMax * NS_PER_MS}`;
    return [`CASE WHEN ${isPaired} THEN newest${other.index} END AS ${partnerColumn(index)}`];
  });
}

export function correlationSql(feature: Correlation, index: number, plan: SeriesPlan): string {
  return pairsSql(seriesNamed(plan, feature.input).stored ?? '', partnerColumn(index));
}

/** Correlation over the rows that have both; NULL for too few, or when one side is constant. */
function pairsSql(left: string, right: string): string {
  const filter = ` FILTER (WHERE ${left} IS NOT NULL AND ${right} IS NOT NULL)`;
  const isConstant = `${constantSql(left, filter)} OR ${constantSql(right, filter)}`;
  return `CASE WHEN count(*)${filter} < ${PAIRS_MIN} OR ${isConstant} THEN NULL ELSE corr(${right}, ${left})${filter} END`;
}

/** Expressions that end in `best<index>`: recording, k and the lag in ms. They read `windowed`. */
export function lagSql(feature: Lag, index: number, plan: SeriesPlan): readonly string[] {
  const gridNs = feature.gridMs * NS_PER_MS;
  const ageNs = feature.ageMsMax * NS_PER_MS;
  const steps = Math.floor(feature.lagMsMax / feature.gridMs);
  const [left, right] = [seriesNamed(plan, feature.input).stored, seriesNamed(plan, feature.with).stored];
  const newest = (column: string, name: string): string =>
    `last_value(${column} IGNORE NULLS) OVER o AS ${name}, max(CASE WHEN ${column} IS NOT NULL THEN t END) OVER o AS ${name}_t`;
  return [
    `grid${index} AS (
  SELECT recording, k, unnest(range(0, (max(end_ns) - max(start_ns) + ${gridNs - 1}) // ${gridNs})) AS i, max(start_ns) AS start_ns
  FROM windowed GROUP BY recording, k)`,
    `points${index} AS (
  SELECT recording, k, i, CASE WHEN t - x_t <= ${ageNs} THEN x END AS x, CASE WHEN t - y_t <= ${ageNs} THEN y END AS y
  FROM (
    SELECT recording, k, i, t, ${newest('left_x', 'x')}, ${newest('right_x', 'y')}
    FROM (
      SELECT recording, k, NULL AS i, t, ordinal, ${left} AS left_x, ${right} AS right_x FROM windowed
      UNION ALL
      SELECT recording, k, i, start_ns + i * ${gridNs}, ${ORDINAL_LAST}, NULL, NULL FROM grid${index}
    )
    WINDOW o AS (${IN_ORDER} ROWS UNBOUNDED PRECEDING)
  ) WHERE i IS NOT NULL)`,
    `scores${index} AS (
  SELECT recording, k, lag_steps, ${pairsSql('x', 'y')} AS score
  FROM (
    SELECT a.recording, a.k, lag_steps, a.x AS x, b.y AS y
    FROM (SELECT recording, k, i, x, unnest(range(-${steps}, ${steps + 1})) AS lag_steps FROM points${index}) AS a
    JOIN points${index} AS b ON b.recording = a.recording AND b.k = a.k AND b.i = a.i + a.lag_steps
    ORDER BY a.recording, a.k, a.i
  )
  GROUP BY recording, k, lag_steps)`,
    `best${index} AS (
  SELECT recording, k, (arg_min(lag_steps, abs(lag_steps) * 2 + (lag_steps < 0)::INTEGER) * ${feature.gridMs})::DOUBLE AS lag_ms
  FROM (SELECT *, max(score) OVER (PARTITION BY recording, k) AS best FROM scores${index} WHERE score IS NOT NULL)
  WHERE score >= best - ${LAG_TIE}
  GROUP BY recording, k)`,
  ];
}
