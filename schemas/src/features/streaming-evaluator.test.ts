import { describe, expect, it } from 'vitest';
import type { SignalChannel } from '../capture/channel.ts';
import type { SignalMessage } from '../capture/source-message.ts';
import { TRANSFORMS } from './feature-definition.ts';
import { type FeatureSet, parseFeatureSet } from './feature-set.ts';
import { createStreamingEvaluator } from './streaming-evaluator.ts';

const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const BASE_NS = 1_700_000_000_000_000_000n;

function featureSet(window: FeatureSet['window'], samplesMin = 1): FeatureSet {
  return parseFeatureSet({
    kind: 'feature-set',
    name: 'one-signal',
    version: 1,
    owner: 'o',
    validator: 'v',
    date: '2026-11-21',
    entity: 'vehicle',
    window,
    signals: [{ name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin }],
    derived: [],
    features: TRANSFORMS.map((transform) => ({ name: transform, input: 'speed', transform })),
    tolerance: { absolute: 0, relative: 0 },
    latencyBudgetMs: 1,
  });
}

function at(offsetMs: number, value: number, channel = SPEED): SignalMessage {
  const logTimeNs = BASE_NS + BigInt(offsetMs) * 1_000_000n;
  return { kind: 'signal', channel, sequence: 0, logTimeNs, publishTimeNs: logTimeNs, values: Float64Array.of(value) };
}

const HOPPING = { lengthMs: 1_000, hopMs: 500 };

describe('the streaming evaluator', () => {
  it('computes each transform as the definition says', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 1_000, hopMs: 1_000 }));
    [1, -1, 3, -3].forEach((value, index) => expect(evaluator.push(at(index * 100, value))).toEqual([]));
    const [window] = evaluator.push(at(1_000, 0));
    const values = Object.fromEntries(TRANSFORMS.map((transform, index) => [transform, window?.values[index]]));
    expect(values).toEqual({
      mean: 0,
      std: Math.sqrt(5),
      range: 6,
      rms: Math.sqrt(5),
      mad: 4,
      min: -3,
      max: 3,
      last: -3,
      count: 4,
      zero_crossings: 3,
    });
  });

  it('aligns windows to the epoch and closes each with the first message at or after its end', () => {
    const evaluator = createStreamingEvaluator(featureSet(HOPPING));
    const starts: number[] = [];
    for (let offset = 250; offset <= 2_250; offset += 50) {
      for (const window of evaluator.push(at(offset, 1))) {
        starts.push(Number(window.windowStartNs - BASE_NS) / 1e6);
        expect(window.windowEndNs - window.windowStartNs).toBe(1_000_000_000n);
        expect(BigInt(offset) * 1_000_000n + BASE_NS).toBe(window.windowEndNs);
      }
    }
    expect(starts).toEqual([-500, 0, 500, 1_000]);
  });

  it('drops a window with fewer samples than the least number', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 1_000, hopMs: 1_000 }, 3));
    const messages = [
      at(0, 1),
      at(100, Number.NaN),
      at(200, 1),
      at(1_000, 1),
      at(1_100, 1),
      at(1_200, 1),
      at(2_000, 1),
    ];
    const windows = messages.flatMap((message) => evaluator.push(message));
    expect(windows.map((window) => window.windowStartNs)).toEqual([BASE_NS + 1_000_000_000n]);
  });

  it('steps over a long silence without visiting each window in it', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 10, hopMs: 10 }));
    evaluator.push(at(0, 1));
    // Ten years later: three billion windows lie between.
    expect(evaluator.push(at(10 * 365 * 86_400_000, 1))).toHaveLength(1);
    expect(evaluator.endSession()).toHaveLength(1);
  });

  it('gives open windows at the end of a session and starts the next one clean', () => {
    const evaluator = createStreamingEvaluator(featureSet(HOPPING));
    evaluator.push(at(600, 1));
    expect(evaluator.endSession().map((window) => Number(window.windowStartNs - BASE_NS) / 1e6)).toEqual([0, 500]);
    expect(evaluator.endSession()).toEqual([]);
    expect(evaluator.push(at(-50_000, 1))).toEqual([]);
    expect(evaluator.lateSamples).toBe(0);
  });

  it('counts a sample that comes after its windows have closed and leaves it out', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 1_000, hopMs: 1_000 }));
    evaluator.push(at(0, 1));
    evaluator.push(at(1_000, 1));
    expect(evaluator.push(at(500, 100))).toEqual([]);
    expect(evaluator.lateSamples).toBe(1);
    expect(evaluator.endSession()[0]?.values[TRANSFORMS.indexOf('max')]).toBe(1);
  });

  it('lets one topic feed a signal when two carry it', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 1_000, hopMs: 1_000 }));
    evaluator.push(at(0, 1));
    evaluator.push(at(100, 99, { ...SPEED, topic: '/vss/Other' }));
    expect(evaluator.endSession()[0]?.values[TRANSFORMS.indexOf('count')]).toBe(1);
  });

  it('gives up open windows rather than hold more samples than its maximum', () => {
    const evaluator = createStreamingEvaluator(featureSet({ lengthMs: 1_000, hopMs: 1_000 }), 10);
    const windows = Array.from({ length: 15 }, (_, index) => evaluator.push(at(index, 1))).flat();
    expect(evaluator.overflows).toBe(1);
    expect([...windows, ...evaluator.endSession()]).toEqual([]);
    evaluator.push(at(5_000, 1));
    expect(evaluator.endSession()).toHaveLength(1);
  });

  it('ignores opaque messages and other signals', () => {
    const evaluator = createStreamingEvaluator(featureSet(HOPPING));
    const other = {
      ...SPEED,
      topic: '/vss/x',
      signals: [{ path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' }],
    };
    evaluator.push(at(0, 1, other));
    const header = { sequence: 0, logTimeNs: BASE_NS, publishTimeNs: BASE_NS };
    evaluator.push({
      ...header,
      kind: 'opaque',
      channel: { kind: 'opaque', topic: '/can/0/raw', schemaName: 'x' },
      data: new Uint8Array(),
    });
    expect(evaluator.endSession()).toEqual([]);
  });
});
