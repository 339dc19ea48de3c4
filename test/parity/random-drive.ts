// Why this file exists: parity on pleasant data proves little; these drives have gaps, missing and infinite values, stamps out of
// order, constant stretches and large offsets.
import {
  type FeatureSet,
  parseFeatureSet,
  type SignalChannel,
  type SignalMessage,
  TRANSFORMS,
} from '@fleetloop/schemas';
import fc from 'fast-check';

export const MOTION: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: [
    { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
    { path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' },
    { path: 'Vehicle.Acceleration.Vertical', field: 'vertical', unit: 'm/s^2' },
  ],
};
export const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};

/** What the last bits of a value may make of a small difference between two large ones, as a share of the largest. */
const LAST_BITS = 1e-14;

/** The largest value of a drive. */
export function sizeOf(messages: readonly SignalMessage[]): number {
  const sizes = messages.flatMap(({ values }) => Array.from(values, Math.abs)).filter(Number.isFinite);
  return sizes.reduce((size, value) => Math.max(size, value), 0);
}

/** All transforms over two axes, a norm and a slow signal, for drives whose values are not above `size`. */
export function allTransforms(window: FeatureSet['window'], samplesMin: number, size = 0): FeatureSet {
  const inputs = ['x', 'y', 'norm', 'speed'];
  return parseFeatureSet({
    kind: 'feature-set',
    name: 'every-transform',
    version: 1,
    owner: 'features',
    validator: 'parity',
    date: '2026-11-21',
    entity: 'vehicle',
    window,
    signals: [
      { name: 'x', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2', samplesMin },
      { name: 'y', path: 'Vehicle.Acceleration.Lateral', unit: 'm/s^2', samplesMin },
      { name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 },
    ],
    derived: [{ name: 'norm', kind: 'norm', of: ['x', 'y'] }],
    features: inputs.flatMap((input) =>
      TRANSFORMS.map((transform) => ({ name: `${input}_${transform}`, input, transform })),
    ),
    tolerance: { absolute: Math.max(1e-9, size * LAST_BITS), relative: 1e-9 },
    latencyBudgetMs: 10,
  });
}

const value = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-300) },
);

const step = fc.record({
  /** Mostly forward, sometimes a long gap, sometimes back in time. */
  advanceMs: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 50_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -300, max: -1 }) },
  ),
  isMotion: fc.boolean(),
  values: fc.tuple(value, value, value),
});

/** A drive of up to 400 messages. */
export const randomDrive = driveOf({ minLength: 2, maxLength: 400 });
/** A drive that fills some windows. */
export const longDrive = driveOf({ minLength: 100, maxLength: 300 });

function driveOf(length: {
  readonly minLength: number;
  readonly maxLength: number;
}): fc.Arbitrary<readonly SignalMessage[]> {
  return (
    fc
      .record({
        startMs: fc.integer({ min: 60_000, max: 2_000_000_000 }),
        scale: fc.constantFrom(1, 1, 1, 1e-4, 1e70),
        steps: fc.array(step, length),
      })
      .map(({ startMs, scale, steps }) => toMessages(startMs, scale, steps))
      // A recording that lacks a signal altogether is refused by the batch engine; that is a test of its own.
      .filter(
        (messages) =>
          messages.some((message) => message.channel === MOTION) &&
          messages.some((message) => message.channel === SPEED),
      )
  );
}

type Step = {
  readonly advanceMs: number;
  readonly isMotion: boolean;
  readonly values: readonly [number, number, number];
};

function toMessages(startMs: number, scale: number, steps: readonly Step[]): SignalMessage[] {
  let timeMs = startMs;
  return steps.map((entry, sequence) => {
    timeMs += entry.advanceMs;
    const logTimeNs = BigInt(timeMs) * 1_000_000n;
    const channel = entry.isMotion ? MOTION : SPEED;
    const values = Float64Array.from(entry.values.slice(0, channel.signals.length), (number) => number * scale);
    return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values };
  });
}
