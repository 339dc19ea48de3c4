/** Which samples are in which window: the rules of the streaming engine's cutters as common table expressions. */
import type { FeatureSet } from '@fleetloop/schemas';
import { type FeatureWindow, isSessionWindow } from '@fleetloop/schemas/features';
import { messageDerivedSql, planSeries, type SeriesPlan, signalColumn } from './series-plan.ts';
import { floorDivide } from './sql-text.ts';

/**
 * Columns of the samples table: recording INTEGER, ordinal INTEGER, log_time_ns BIGINT, watermark_ns BIGINT (the newest stamp so far),
 * s0 … DOUBLE (one per signal, NULL if missing). A row has at least one sample.
 */
export const SAMPLES_COLUMNS = ['recording', 'ordinal', 'log_time_ns', 'watermark_ns'] as const;
const NS_PER_MS = 1_000_000n;
type FixedWindow = Extract<FeatureWindow, { readonly hopMs: number }>;

/**
 * Expressions that end in `windowed`: recording, k (names the window), start_ns, end_ns, ordinal, t, and the stored series. A row is in a
 * window unless a message before it had closed that. Rows with t < start_ns are there to be looked back to.
 */
export function windowedSql(featureSet: FeatureSet, plan: SeriesPlan, table: string): readonly string[] {
  const { window } = featureSet;
  return [
    rowsSql(featureSet, plan, table),
    ...(isSessionWindow(window) ? sessionSql(featureSet, plan) : fixedSql(featureSet, plan)),
  ];
}

/**
 * A query that counts the samples that came after all their windows had closed: recording, late (BIGINT), for recordings that have any.
 * As in the streaming engine, each series of a message counts: a late message with two signals and their norm is three samples.
 */
export function lateSamplesSql(featureSet: FeatureSet, table: string): string {
  const plan = planSeries(featureSet);
  const samples = storedNames(plan).map((column) => `(${column} IS NOT NULL)::BIGINT`);
  return `WITH ${rowsSql(featureSet, plan, table)}
SELECT recording, sum(${samples.join(' + ')})::BIGINT AS late
FROM rows
WHERE t < ${closedBeforeSql(featureSet.window)}
GROUP BY recording
ORDER BY recording`;
}

function rowsSql(featureSet: FeatureSet, plan: SeriesPlan, table: string): string {
  const columns = [...featureSet.signals.map((_, index) => signalColumn(index)), ...messageDerivedSql(plan)];
  return `rows AS (
  SELECT recording, ordinal, log_time_ns AS t, watermark_ns, ${columns.join(', ')}
  FROM ${table})`;
}

function storedNames(plan: SeriesPlan): readonly string[] {
  return plan.series.flatMap((entry) => entry.stored ?? []);
}

function storedColumns(plan: SeriesPlan): string {
  return storedNames(plan).join(', ');
}

/** Whatever is stamped before this belongs to windows that had closed when the row came. */
function closedBeforeSql(window: FeatureWindow): string {
  if (isSessionWindow(window)) return `watermark_ns - ${BigInt(window.latenessMs ?? 0) * NS_PER_MS}`;
  return `(${firstOpenSql(window)}) * ${BigInt(window.hopMs) * NS_PER_MS}`;
}

/** The first window that is open when a row comes. */
function firstOpenSql({ lengthMs, hopMs, latenessMs = 0 }: FixedWindow): string {
  const closedNs = BigInt(lengthMs + latenessMs) * NS_PER_MS;
  return `${floorDivide(`watermark_ns - ${closedNs}`, BigInt(hopMs) * NS_PER_MS)} + 1`;
}

function fixedSql({ window }: FeatureSet, plan: SeriesPlan): readonly string[] {
  if (isSessionWindow(window)) return [];
  const hopNs = BigInt(window.hopMs) * NS_PER_MS;
  const lengthNs = BigInt(window.lengthMs) * NS_PER_MS;
  // The first window that is open when a row comes, the first that holds it, and the last that may look back to it.
  const open = firstOpenSql(window);
  const first = `${floorDivide(`t - ${lengthNs}`, hopNs)} + 1`;
  const last = floorDivide(`t + ${plan.historyNs}`, hopNs);
  return [
    `opened AS (
  SELECT *, ${open} AS open_k, ${first} AS first_k, ${last} AS last_k
  FROM rows)`,
    `numbered AS (
  SELECT * EXCLUDE (open_k, first_k, last_k, watermark_ns), unnest(range(greatest(open_k, first_k), last_k + 1)) AS k
  FROM opened
  WHERE t >= open_k * ${hopNs})`,
    `windowed AS (
  SELECT recording, k, k * ${hopNs} AS start_ns, k * ${hopNs} + ${lengthNs} AS end_ns, ordinal, t, ${storedColumns(plan)}
  FROM numbered)`,
  ];
}

function sessionSql({ window }: FeatureSet, plan: SeriesPlan): readonly string[] {
  if (!isSessionWindow(window)) return [];
  const gapNs = BigInt(window.gapMs) * NS_PER_MS;
  const lengthNs = BigInt(window.lengthMsMax) * NS_PER_MS;
  const columns = storedColumns(plan);
  const expressions = [
    `accepted AS (
  SELECT *, CASE WHEN t - lag(t) OVER (PARTITION BY recording ORDER BY t, ordinal) <= ${gapNs} THEN 0 ELSE 1 END AS starts
  FROM rows
  WHERE t >= ${closedBeforeSql(window)})`,
    `stretched AS (
  SELECT *, sum(starts) OVER (PARTITION BY recording ORDER BY t, ordinal ROWS UNBOUNDED PRECEDING) AS stretch
  FROM accepted)`,
    `cut AS (
  SELECT *, first_ns + (t - first_ns) // ${lengthNs} * ${lengthNs} AS k
  FROM (SELECT *, min(t) OVER (PARTITION BY recording, stretch) AS first_ns FROM stretched))`,
    `own AS (
  SELECT recording, k, k AS start_ns, max(t) OVER (PARTITION BY recording, k) + 1 AS end_ns, ordinal, t, ${columns}
  FROM cut)`,
  ];
  if (plan.historyNs === 0n) return [...expressions, 'windowed AS (SELECT * FROM own)'];
  const former = columns.split(', ').map((column) => `former.${column}`);
  return [
    ...expressions,
    `windowed AS (
  SELECT * FROM own
  UNION ALL
  SELECT w.recording, w.k, w.start_ns, w.end_ns, former.ordinal, former.t, ${former.join(', ')}
  FROM (SELECT DISTINCT recording, k, start_ns, end_ns FROM own) AS w
  JOIN own AS former ON former.recording = w.recording AND former.t >= w.start_ns - ${plan.historyNs} AND former.t < w.start_ns)`,
  ];
}
