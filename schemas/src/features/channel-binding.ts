/** Where the series of a feature set are in the messages of one channel: shared, so that both engines read the same numbers. */
import type { SignalChannel } from '../capture/channel.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { FeatureSet } from './feature-set.ts';

/** One series of a channel: the value positions it is made of. Of two or more positions the series is their Euclidean norm. */
export type SeriesBinding = {
  /** Position in `[...featureSet.signals, ...featureSet.derived]`. */
  readonly series: number;
  /** Positions in `channel.signals`, in the order of the definition. */
  readonly parts: readonly number[];
};

/** What one channel contributes to a feature set. */
export type ChannelBinding = { readonly topic: string; readonly series: readonly SeriesBinding[] };

/**
 * Binds a channel to a feature set; undefined when it carries none of the signals.
 * @throws FleetError FEATURE_SET_INVALID when a norm names signals that are not all in this channel, or a unit differs
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
    series.push({ series: index, parts: [position] });
  });
  if (series.length === 0) return undefined;
  featureSet.derived.forEach((derived, index) => {
    const parts = derived.of.map((part) => positions.get(part));
    const present = parts.filter((part) => part !== undefined);
    if (present.length === 0) return;
    if (present.length < parts.length) {
      throw new FleetError(
        'FEATURE_SET_INVALID',
        `${featureSet.name} derives ${derived.name} from ${derived.of.join(', ')}, which are not all in topic ${channel.topic}: a norm needs signals of one message`,
      );
    }
    series.push({ series: featureSet.signals.length + index, parts: present });
  });
  return { topic: channel.topic, series };
}

/** Value of a bound series in one message; NaN when a part is missing or not finite, and such samples are skipped. */
export function seriesValue(parts: readonly number[], values: Float64Array): number {
  const first = values[parts[0] as number] as number;
  if (parts.length === 1) return Number.isFinite(first) ? first : Number.NaN;
  let sum = first * first;
  for (let index = 1; index < parts.length; index += 1) {
    const value = values[parts[index] as number] as number;
    sum += value * value;
  }
  return Number.isFinite(sum) ? Math.sqrt(sum) : Number.NaN;
}
