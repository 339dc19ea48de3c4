import { parseFeatureSet, type SignalChannel, type SignalMessage } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { FeatureCache } from './feature-cache.ts';

const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const featureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'speed',
  version: 3,
  owner: 'o',
  validator: 'v',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 1_000 },
  signals: [{ name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 }],
  derived: [],
  features: [{ name: 'speed_mean', input: 'speed', transform: 'mean' }],
  tolerance: { absolute: 0, relative: 0 },
  latencyBudgetMs: 2,
});

function at(offsetMs: number, value: number): SignalMessage {
  const logTimeNs = BigInt(offsetMs) * 1_000_000n;
  const values = Float64Array.of(value);
  return { kind: 'signal', channel: SPEED, sequence: 0, logTimeNs, publishTimeNs: logTimeNs, values };
}

/** A cache on a clock of which every reading is the next of `readings`. */
function cacheAt(...readings: readonly number[]): FeatureCache {
  const rest = [...readings];
  return new FeatureCache({ featureSet, digest: 'sha256:ab', now: () => rest.shift() ?? Number.NaN });
}

describe('the feature cache', () => {
  it('serves the newest vector with its definition and its age', () => {
    const cache = cacheAt(0, 10, 11, 25);
    cache.push(at(0, 7));
    cache.push(at(1_000, 9));
    expect(cache.latest()).toEqual({
      windowStartNs: 0n,
      windowEndNs: 1_000_000_000n,
      values: Float64Array.of(7),
      featureSet: { name: 'speed', version: 3, digest: 'sha256:ab' },
      ageMs: 14,
    });
  });

  it('counts each vector that took longer than its budget', () => {
    const cache = cacheAt(0, 10, 12, 20, 22.5, 30);
    cache.push(at(0, 7));
    cache.push(at(1_000, 9));
    cache.push(at(2_000, 9));
    expect(cache.report()).toMatchObject({
      vectors: 2,
      windowEndNs: 2_000_000_000n,
      ageMs: 8,
      latencyBudgetMs: 2,
      latencyMs: { last: 2.5, worst: 2.5 },
      budgetMisses: 1,
    });
  });

  it('has no vector before the first window has closed, and none of a session that is over', () => {
    const cache = cacheAt(0, 1, 2, 3, 4);
    cache.push(at(0, 7));
    expect(cache.latest()).toBeUndefined();
    expect(cache.endSession()).toHaveLength(1);
    expect(cache.latest()).toBeUndefined();
    expect(cache.report()).toMatchObject({ vectors: 1, windowEndNs: null, ageMs: null });
  });
});
