import { create, toBinary } from '@bufbuild/protobuf';
import { parseFeatureSet } from '@fleetloop/schemas';
import { type FeatureSample, FeatureSampleSchema } from '@fleetloop/schemas/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURE_SAMPLE_BYTES_MAX, readFeatureSample } from '../monitoring/feature-sample.ts';
import type { StoredSample } from '../ports.ts';
import { countSamples, partsOfSamples } from './skew-samples.ts';
import { type SkewCounts, SkewCounter, WHOLE } from './skew-tally.ts';

const featureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'speeds',
  version: 1,
  owner: 'perception',
  validator: 'safety',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 500 },
  signals: [
    { name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 },
    { name: 'left', path: 'Vehicle.Left', unit: '', samplesMin: 0 },
    { name: 'right', path: 'Vehicle.Right', unit: '', samplesMin: 0 },
  ],
  derived: [{ name: 'wheels', kind: 'difference', of: ['left', 'right'], samplesMin: 0 }],
  features: [
    { name: 'speed_mean', input: 'speed', transform: 'mean' },
    { name: 'wheels_mean', input: 'wheels', transform: 'mean', otherwise: 'missing' },
  ],
  tolerance: { absolute: 1e-9, relative: 0 },
  latencyBudgetMs: 20,
});
const MS = 1_000_000n;

type Changes = Parameters<typeof create<typeof FeatureSampleSchema>>[1];
const sampleOf = (changed: Changes = {}): FeatureSample =>
  create(FeatureSampleSchema, {
    version: 1,
    vehicleId: 'v1',
    softwareVersion: '1.4.0',
    engine: 1,
    session: 's1',
    windowStartNs: 5_000n * MS,
    windowEndNs: 6_000n * MS,
    vector: [20, Number.NaN],
    channels: [{ topic: '/vss/Vehicle', signals: [0] }],
    messageChannels: [0, 0],
    messageOffsetsNs: [100n * MS, 900n * MS],
    messageValues: [10, 30],
    ...changed,
  });

async function countsOf(...samples: readonly FeatureSample[]): Promise<SkewCounts | undefined> {
  const counter = new SkewCounter(featureSet, '2026-11-21');
  const part = samples.map((sample) => ({
    vehicle: 'v1',
    sample: Buffer.from(toBinary(FeatureSampleSchema, sample)).toString('base64'),
  }));
  await countSamples(counter, part, { featureSet, signal: new AbortController().signal });
  return counter.tally().groups[WHOLE]?.counts;
}

describe('samples computed again', () => {
  it('agree with a vehicle that computed them so, and show one that did not', async () => {
    const counts = await countsOf(sampleOf(), sampleOf({ vector: [20.1, Number.NaN] }), sampleOf({ vector: [20, 0] }));
    expect(counts).toMatchObject({ logged: 3, compared: 3, outside: 2, enginesApart: 0, malformed: 0 });
  });

  it('are unmatched where their inputs give no such window', async () => {
    expect(await countsOf(sampleOf({ windowStartNs: 5_100n * MS }))).toMatchObject({ compared: 0, unmatched: 1 });
  });

  it('are malformed where they are of another definition, and the others are counted all the same', async () => {
    const strange: Changes[] = [
      { vector: [20] },
      { messageChannels: [], messageOffsetsNs: [], messageValues: [] },
      { channels: [{ topic: '/vss/Vehicle', signals: [7] }] },
      { channels: [{ topic: '/vss/Vehicle', signals: [0, 0] }], messageValues: [1, 2, 3, 4] },
      { channels: [{ topic: '/vss/Vehicle', signals: [1] }] },
    ];
    const counts = await countsOf(...strange.map((changed) => sampleOf(changed)), sampleOf());
    expect(counts).toMatchObject({ logged: strange.length + 1, malformed: strange.length, compared: 1, outside: 0 });
  });

  it('tell what the vehicle did not send', async () => {
    const withheld = { overBudget: 1, tooLarge: 2, notComparable: 4, redacted: 8, unsent: 16 };
    expect(await countsOf(sampleOf({ withheld }))).toMatchObject({
      logged: 32,
      compared: 1,
      withheld: 27,
      incomparable: 4,
    });
  });

  it('are cut into parts without losing one', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: FEATURE_SAMPLE_BYTES_MAX }), { maxLength: 30 });
    fc.assert(
      fc.property(sizes, (all) => {
        const samples = all.map((bytes, index) => stored(index, bytes));
        const parts = [...partsOfSamples(samples)];
        expect(parts.flat().map(({ vehicle }) => vehicle)).toEqual(samples.map(({ vehicleId }) => vehicleId));
        for (const part of parts) expect(part.length).toBeGreaterThan(0);
      }),
      { numRuns: 20 },
    );
  });
});

const stored = (index: number, bytes: number): StoredSample => ({
  vehicleId: `v${index}`,
  session: 's',
  featureSet: 'f',
  windowStartNs: 0n,
  windowEndNs: 1n,
  receivedAtMs: 0,
  bytes: new Uint8Array(bytes),
});

describe('what a vehicle sends as a sample', () => {
  const read = (changed: Changes, vehicle = 'v1'): FeatureSample | undefined =>
    readFeatureSample(vehicle, toBinary(FeatureSampleSchema, sampleOf(changed)));

  it('is taken when it fits together', () => {
    expect(read({})?.session).toBe('s1');
    expect(read({ windowStartNs: -500n * MS, windowEndNs: 500n * MS })?.windowStartNs).toBe(-500n * MS);
  });

  it.each<[string, Changes]>([
    ['of another version', { version: 2 }],
    ['with more stamps than messages', { messageOffsetsNs: [1n, 2n, 3n] }],
    ['with fewer values than its channels have signals', { messageValues: [1] }],
    ['that names a channel it does not have', { messageChannels: [0, 1] }],
    ['with a signal that no feature set can have', { channels: [{ topic: 't', signals: [64] }] }],
    ['whose window ends before it begins', { windowEndNs: 1n }],
    ['whose window no column can hold', { windowEndNs: (1n << 63n) - 1n }],
    ['with a message far from its window', { messageOffsetsNs: [0n, 1n << 60n] }],
  ])('is not taken %s', (_, changed) => {
    expect(read(changed)).toBeUndefined();
  });

  it('is not taken for another vehicle, when it is too long, or when it is noise', () => {
    expect(read({}, 'v2')).toBeUndefined();
    expect(read({ firmware: 'x'.repeat(FEATURE_SAMPLE_BYTES_MAX) })).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(readFeatureSample('v1', bytes)).toBeUndefined();
      }),
    );
  });
});
