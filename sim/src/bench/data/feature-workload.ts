/** Messages of a vehicle for the feature figures: two inertial channels at 100 Hz and a drive channel, as the recordings in use have them. */
import type { FeatureSet, SignalChannel, SignalMessage } from '@fleetloop/schemas';

const START_NS = 1_700_000_000_000_000_000n;
const STEP_NS = 5_000_000n;
/** Every so many messages comes one of the drive channel. */
const DRIVE_EVERY = 15;

/** `count` messages that carry the ten signals of the set `axes`; the same for the same count. */
export function featureMessages(featureSet: FeatureSet, count: number): readonly SignalMessage[] {
  const channels = [
    channelOf('/vss/Vehicle.Acceleration', featureSet.signals.slice(0, 3)),
    channelOf('/vss/Vehicle.AngularVelocity', featureSet.signals.slice(3, 6)),
    channelOf('/vss/Vehicle.Drive', featureSet.signals.slice(6)),
  ] as const;
  const random = xorshift(0x2545f491);
  return Array.from({ length: count }, (_, sequence) => {
    const channel = sequence % DRIVE_EVERY === DRIVE_EVERY - 1 ? channels[2] : channels[sequence % 2 === 0 ? 0 : 1];
    const logTimeNs = START_NS + BigInt(sequence) * STEP_NS;
    const values = Float64Array.from(channel.signals, () => random() * 20 - 10);
    return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values };
  });
}

function channelOf(topic: string, signals: FeatureSet['signals']): SignalChannel {
  return { kind: 'signal', topic, signals: signals.map(({ name, path, unit }) => ({ path, field: name, unit })) };
}

/** Numbers from 0 to 1 from a seed. */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
