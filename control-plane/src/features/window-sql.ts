/** Which samples are in which window: the rules of the streaming engine's cutters as common table expressions. */
import type { FeatureSet } from '@fleetloop/schemas';
import { isSessionWindow } from '@fleetloop/schemas/features';
import { messageDerivedSql, type SeriesPlan, signalColumn } from './series-plan.ts';
import { floorDivide } from './sql-text.ts';

/**
 * Columns of the samples table: recording INTEGER, ordinal INTEGER, log_time_ns BIGINT, watermark_ns BIGINT (the newest stamp so far),
 * s0 … DOUBLE (one per signal, NULL if missing). A row has at least one sample.
 */
export const SAMPLES_COLUMNS = ['recording', 'ordinal', 'log_time_ns', 'watermark_ns'] as const;
const NS_PER_MS = 1_000_000n;

/**
 * Expressions that end in `windowed`: recording, k (names the window), start_ns, end_ns, ordinal, t, and the stored series. A row is in a
 * window unless a message before it had closed that. Rows with t < start_ns are there to be looked back to.
 */
export function windowedSql(featureSet: FeatureSet, plan: SeriesPlan, table: string): readonly string[] {
  const rows = `rows AS (
  SELECT recording, ordinal, log_time_ns AS t, watermark_ns, ${[...featureSet.signals.map((_, index) => signalColumn(index)), ...messageDerivedSql(plan)].join(', ')}
  FROM ${table})`;
  const { window } = featureSet;
  return [rows, ...(isSessionWindow(window) ? sessionSql(featureSet, plan) : fixedSql(featureSet, plan))];
}

function storedColumns(plan: SeriesPlan): string {
  return plan.series.flatMap((entry) => entry.stored ?? []).join(', ');
}

function fixedSql({ window }: FeatureSet, plan: SeriesPlan): readonly string[] {
  if (isSessionWindow(window)) return [];
  const hopNs = BigInt(window.hopMs) * NS_PER_MS;
  const lengthNs = BigInt(window.lengthMs) * NS_PER_MS;
  const closedNs = lengthNs + BigInt(window.latenessMs ?? 0) * NS_PER_MS;
  // The first window that is open when a row comes, the first that holds it, and the last that may look back to it.
  const open = `${floorDivide(`watermark_ns - ${closedNs}`, hopNs)} + 1`;
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
  const latenessNs = BigInt(window.latenessMs ?? 0) * NS_PER_MS;
  const columns = storedColumns(plan);
  const expressions = [
    `accepted AS (
  SELECT *, CASE WHEN t - lag(t) OVER (PARTITION BY recording ORDER BY t, ordinal) <= ${gapNs} THEN 0 ELSE 1 END AS starts
  FROM rows
  WHERE t >= watermark_ns - ${latenessNs})`,
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
