/** Which columns the query of a feature set has: one per series, and what other series and features read of it. */
import { assertNever, type FeatureSet } from '@fleetloop/schemas';
import { type DerivedSeries, type FeatureDefinition, type FeatureSignal, historyMs } from '@fleetloop/schemas/features';
import { usable } from './sql-text.ts';

const NS_PER_MS = 1_000_000n;

/** Column of the signal at `index` of the feature set in the samples table. */
export const signalColumn = (index: number): string => `s${index}`;
/** Column of the feature at `index` in the result. */
export const featureColumn = (index: number): string => `f${index}`;

/** One series in SQL. */
export type SeriesColumn = {
  readonly index: number;
  readonly name: string;
  /** Its samples in the rows of messages; for an aligned series, none. */
  readonly stored: string | undefined;
  /** Its samples in a window, NULL in rows that have none. */
  readonly column: string;
  readonly samplesMin: number;
  readonly signal: FeatureSignal | undefined;
  readonly derived: DerivedSeries | undefined;
  readonly features: readonly FeatureDefinition[];
};

export type SeriesPlan = {
  readonly series: readonly SeriesColumn[];
  /** How long before its start a window looks back, ns. */
  readonly historyNs: bigint;
  /** Series whose newest sample is read at the samples of others. */
  readonly lookedBack: readonly SeriesColumn[];
};

export function planSeries(featureSet: FeatureSet): SeriesPlan {
  const signals = featureSet.signals.map(
    (signal, index): SeriesColumn => ({
      ...common(featureSet, signal.name, index),
      stored: signalColumn(index),
      samplesMin: signal.samplesMin,
      signal,
      derived: undefined,
    }),
  );
  const derived = featureSet.derived.map(
    (entry, index): SeriesColumn => ({
      ...common(featureSet, entry.name, signals.length + index),
      stored: entry.ageMsMax === undefined ? `d${index}` : undefined,
      samplesMin: entry.samplesMin ?? 1,
      signal: undefined,
      derived: entry,
    }),
  );
  const series = [...signals, ...derived];
  const names = new Set([
    ...featureSet.derived.flatMap((entry) => (entry.ageMsMax === undefined ? [] : entry.of)),
    ...featureSet.features.flatMap((feature) => (feature.transform === 'correlation' ? [feature.with] : [])),
  ]);
  return {
    series,
    historyNs: BigInt(historyMs(featureSet)) * NS_PER_MS,
    lookedBack: series.filter((entry) => names.has(entry.name)),
  };
}

/** The series of a name that a parsed feature set uses. */
export function seriesNamed(plan: SeriesPlan, name: string): SeriesColumn {
  const found = plan.series.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`a parsed feature set has a series ${name}`);
  return found;
}

/** Derived series whose parts stand in one message: the same order of operations as in the streaming engine. */
export function messageDerivedSql(plan: SeriesPlan): string[] {
  return plan.series.flatMap(({ derived, stored }) => {
    if (derived === undefined || stored === undefined) return [];
    return [
      `${combineSql(
        derived.kind,
        derived.of.map((part) => seriesNamed(plan, part).stored ?? ''),
      )} AS ${stored}`,
    ];
  });
}

/** Parts combined to one sample; NULL when one is missing or the result is no sample. */
export function combineSql(kind: DerivedSeries['kind'], parts: readonly string[]): string {
  const [left = '', right = ''] = parts;
  switch (kind) {
    case 'norm':
      return usable(`sqrt(${parts.map((part) => `${part} * ${part}`).join(' + ')})`);
    case 'ratio':
      return usable(`(${left} / ${right})`);
    case 'difference':
      return usable(`(${left} - ${right})`);
    default:
      return assertNever(kind);
  }
}

function common(
  featureSet: FeatureSet,
  name: string,
  index: number,
): Pick<SeriesColumn, 'index' | 'name' | 'column' | 'features'> {
  return {
    index,
    name,
    column: `x${index}`,
    features: featureSet.features.filter((feature) => feature.input === name),
  };
}
