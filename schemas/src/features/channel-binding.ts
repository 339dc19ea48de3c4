/** Where the series of a feature set are in the messages of one channel: shared, so that both engines read the same numbers. */
import type { SignalChannel } from '../capture/channel.ts';
import { assertNever, FleetError } from '../errors/fleet-error.ts';
import { type DerivedSeries, SAMPLE_ABS_MAX } from './feature-definition.ts';
import type { FeatureSet } from './feature-set.ts';

/** One series of a channel: the value positions it is made of, and how. */
export type SeriesBinding = {
  /** Position in `[...featureSet.signals, ...featureSet.derived]`. */
  readonly series: number;
  readonly combine: 'value' | DerivedSeries['kind'];
  /** Positions in `channel.signals`, in the order of the definition. */
  readonly parts: readonly number[];
};

/** What one channel contributes to a feature set. */
export type ChannelBinding = { readonly topic: string; readonly series: readonly SeriesBinding[] };

/**
 * Binds a channel to a feature set; undefined when it carries none of the signals. Series that are aligned over channels are not bound.
 * @throws FleetError FEATURE_SET_INVALID when a derived series names signals that are not all in this channel, or a unit differs
 */
export function bindChannel(featureSet: FeatureSet, channel: SignalChannel): ChannelBinding | undefined {
  const positions = new Map<string, number>();
  const series: SeriesBinding[] = [];
  featureSet.signals.forEach((signal, index) => {
    const position = channel.signals.findIndex((candidate) => candidate.path === signal.path);
    if (position < 0) return;
    const unit = channel.signals[position]?.unit;
    if (unit !== signal.unit) {
      throw new FleetError(
        'FEATURE_SET_INVALID',
        `${featureSet.name} wants ${signal.path} in "${signal.unit}" but topic ${channel.topic} carries it in "${unit}": use the catalogue's unit`,
      );
    }
    positions.set(signal.name, position);
    series.push({ series: index, combine: 'value', parts: [position] });
  });
  if (series.length === 0) return undefined;
  featureSet.derived.forEach((derived, index) => {
    if (derived.ageMsMax !== undefined) return;
    const parts = derived.of.map((part) => positions.get(part));
    const present = parts.filter((part) => part !== undefined);
    if (present.length === 0) return;
    if (present.length < parts.length) {
      throw new FleetError(
        'FEATURE_SET_INVALID',
        `${featureSet.name} derives ${derived.name} from ${derived.of.join(', ')}, which are not all in topic ${channel.topic}: a ${derived.kind} needs signals of one message, or ageMsMax`,
      );
    }
    series.push({ series: featureSet.signals.length + index, combine: derived.kind, parts: present });
  });
  return { topic: channel.topic, series };
}

/** Value of a bound series in one message; NaN when it is missing or no number of use, and such samples are skipped. */
export function seriesValue({ combine, parts }: SeriesBinding, values: Float64Array): number {
  const first = values[parts[0] as number] as number;
  if (combine === 'value') return usable(first);
  if (combine !== 'norm') return combineSamples(combine, first, values[parts[1] as number] as number);
  let sum = usable(first) * first;
  for (let index = 1; index < parts.length; index += 1) {
    const value = usable(values[parts[index] as number] as number);
    sum += value * value;
  }
  return usable(Math.sqrt(sum));
}

/** Ratio or difference of two samples; NaN where it is no number of use. */
export function combineSamples(kind: 'ratio' | 'difference', left: number, right: number): number {
  switch (kind) {
    case 'ratio':
      return usable(usable(left) / usable(right));
    case 'difference':
      return usable(usable(left) - usable(right));
    default:
      return assertNever(kind);
  }
}

/** The value itself, or NaN for one that is not finite or beyond SAMPLE_ABS_MAX. */
export function usable(value: number): number {
  return Math.abs(value) <= SAMPLE_ABS_MAX ? value : Number.NaN;
}
