/** Reads what a vehicle sent of the inputs of one vector, and refuses what does not fit together or speaks of another vehicle. */
import { fromBinary } from '@bufbuild/protobuf';
import { type FeatureSample, FeatureSampleSchema } from '@fleetloop/schemas/wire';

/** Of one sample; vehicles send at most half of it. */
export const FEATURE_SAMPLE_BYTES_MAX = 512 * 1024;
const VERSION = 1;
/** Farthest that a window is from the epoch, ns: to the year 2116, and far from what arithmetic on a column may reach. */
const WINDOW_NS_MAX = 1n << 62n;
/** Farthest that a message stands from the start of its window: the longest one, or the longest look back. */
const OFFSET_NS_MAX = 1_200_000_000_000n;
/** As many as a feature set has signals. */
const SIGNALS_MAX = 64;

/** Undefined for a sample that cannot be taken as what it says it is. */
export function readFeatureSample(vehicleId: string, bytes: Uint8Array): FeatureSample | undefined {
  if (bytes.length > FEATURE_SAMPLE_BYTES_MAX) return undefined;
  let sample: FeatureSample;
  try {
    sample = fromBinary(FeatureSampleSchema, bytes);
  } catch {
    return undefined;
  }
  return sample.version === VERSION && sample.vehicleId === vehicleId && isWhole(sample) ? sample : undefined;
}

function isWhole(sample: FeatureSample): boolean {
  const { channels, messageChannels, messageOffsetsNs, messageValues, windowStartNs, windowEndNs } = sample;
  if (windowStartNs >= windowEndNs || windowStartNs < -WINDOW_NS_MAX || windowEndNs > WINDOW_NS_MAX) return false;
  if (messageOffsetsNs.some((offset) => offset > OFFSET_NS_MAX || offset < -OFFSET_NS_MAX)) return false;
  if (messageChannels.length !== messageOffsetsNs.length || channels.length > SIGNALS_MAX) return false;
  if (channels.some(({ signals }) => signals.length > SIGNALS_MAX || signals.some((signal) => signal >= SIGNALS_MAX)))
    return false;
  let values = 0;
  for (const channel of messageChannels) {
    const known = channels[channel];
    if (known === undefined) return false;
    values += known.signals.length;
  }
  return values === messageValues.length;
}
