/** What tests of the feature layer build their definitions and messages from. */
import type { SignalChannel } from '../capture/channel.ts';
import type { SignalMessage } from '../capture/source-message.ts';
import { type FeatureSet, parseFeatureSet } from './feature-set.ts';
import { createStreamingEvaluator, type FeatureVector } from './streaming-evaluator.ts';

export const BASE_NS = 1_700_000_000_000_000_000n;

const SIGNALS = [
  { name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' },
  { name: 'yaw', path: 'Vehicle.AngularVelocity.Yaw', unit: 'degrees/s' },
] as const;
export type TestSignal = (typeof SIGNALS)[number]['name'];

/** A channel of its own for each signal: their rates have nothing to do with each other. */
const CHANNELS = Object.fromEntries(
  SIGNALS.map(({ name, path, unit }): [string, SignalChannel] => [
    name,
    { kind: 'signal', topic: `/vss/${path}`, signals: [{ path, field: name, unit }] },
  ]),
);

type TestChanges = {
  readonly features?: readonly object[];
  readonly rules?: Partial<Record<TestSignal, object>>;
  readonly window?: object;
  readonly derived?: readonly object[];
};

/** A feature set over the two signals; `changed` replaces what it names. */
export function testSet(changed: TestChanges): FeatureSet {
  const { rules, ...rest } = changed;
  return parseFeatureSet({
    kind: 'feature-set',
    name: 'test',
    version: 1,
    owner: 'o',
    validator: 'v',
    date: '2026-11-21',
    entity: 'vehicle',
    window: { lengthMs: 1_000, hopMs: 1_000 },
    signals: SIGNALS.map((signal) => ({ ...signal, samplesMin: 0, ...rules?.[signal.name] })),
    derived: [],
    tolerance: { absolute: 1e-9, relative: 1e-9 },
    latencyBudgetMs: 1,
    ...rest,
  });
}

/** One sample of a signal. */
export function sampleAt(offsetMs: number, value: number, signal: TestSignal = 'speed'): SignalMessage {
  const logTimeNs = BASE_NS + BigInt(Math.round(offsetMs * 1e6));
  const channel = CHANNELS[signal] as SignalChannel;
  return { kind: 'signal', channel, sequence: 0, logTimeNs, publishTimeNs: logTimeNs, values: Float64Array.of(value) };
}

/** All vectors of a session of these messages. */
export function vectorsOf(featureSet: FeatureSet, messages: readonly SignalMessage[]): readonly FeatureVector[] {
  const evaluator = createStreamingEvaluator(featureSet);
  return [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
}

/** Value of the only feature in the first window. */
export function firstValue(featureSet: FeatureSet, messages: readonly SignalMessage[]): number | undefined {
  return vectorsOf(featureSet, messages)[0]?.values[0];
}
