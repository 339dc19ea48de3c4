import { parseFeatureSet } from '@fleetloop/schemas';
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { Coverage } from './skew-coverage.ts';
import { reportSkew } from './skew-report.ts';
import { addTallies, type LoggedVector, SkewCounter, type SkewWindow } from './skew-tally.ts';

const featureSet = parseFeatureSet({
  kind: 'feature-set',
  name: 'speeds',
  version: 1,
  owner: 'perception',
  validator: 'safety',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 1_000, latenessMs: 100 },
  signals: [
    { name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1, fill: { kind: 'hold', ageMsMax: 200 } },
  ],
  derived: [],
  features: [
    { name: 'speed_mean', input: 'speed', transform: 'mean' },
    {
      name: 'speed_std',
      input: 'speed',
      transform: 'std',
      tolerance: { absolute: 1, relative: 0, owner: 'edge', reason: 'float32 sensor bus', expires: '2026-12-01' },
    },
  ],
  tolerance: { absolute: 0.01, relative: 0 },
  latencyBudgetMs: 20,
});
const DATE = '2026-11-21';
const MS = 1_000_000n;

const vector = (changed: Partial<LoggedVector> = {}): LoggedVector => ({
  vehicle: 'v1',
  session: 's1',
  hardwareRevision: 'A',
  variant: 'fp32',
  windowStartNs: 5_000n * MS,
  windowEndNs: 6_000n * MS,
  values: [10, 2],
  ...changed,
});
const compared = (recomputed: readonly number[], firmware = '1.4.0'): SkewWindow => ({
  source: 'recording',
  kind: 'compared',
  firmware,
  evidence: 'sha256:r',
  recomputed,
});

function reportOf(
  windows: readonly (readonly [LoggedVector, SkewWindow])[],
  date = DATE,
): ReturnType<typeof reportSkew> {
  const counter = new SkewCounter(featureSet, date);
  for (const [logged, window] of windows) counter.add(logged, window);
  return reportSkew(featureSet, 'sha256:s', { tally: counter.tally(), date });
}

describe('a report of skew', () => {
  it('passes when every compared window is within tolerance, and counts those without a recording', () => {
    const report = reportOf([
      [vector(), compared([10.005, 2])],
      [vector(), { source: 'recording', kind: 'uncovered' }],
    ]);
    expect(report.verdict).toBe('passed');
    expect(report.windows).toMatchObject({ logged: 2, compared: 1, uncovered: 1, outside: 0 });
  });

  it('names the feature, its transform and the vehicle, firmware, revision and variant that differ', () => {
    const report = reportOf([
      [vector(), compared([10, 2])],
      [
        vector({ vehicle: 'v2', hardwareRevision: 'B', variant: 'int8', values: [98.1, 2] }),
        compared([10, 2], '1.5.0'),
      ],
    ]);
    expect(report.verdict).toBe('failed');
    expect(report.differs.map(({ group }) => group)).toEqual([
      'firmware:1.5.0',
      'hardwareRevision:B',
      'variant:int8',
      'vehicle:v2',
      'all',
      'source:recording',
    ]);
    expect(report.differs[0]).toMatchObject({ feature: 'speed_mean', transform: 'mean', shareOutside: 1 });
    expect(report.features[0]).toMatchObject({
      compared: 2,
      outside: 1,
      shareOutside: 0.5,
      worst: { vehicle: 'v2', logged: 98.1, recomputed: 10, windowStartNs: '5000000000' },
    });
    expect(report.groups.find(({ value }) => value === 'v1')?.verdict).toBe('passed');
  });

  it('tells apart what recordings and what sampled inputs say, and names the engine that sampled', () => {
    const sampled: SkewWindow = {
      source: 'sample',
      kind: 'compared',
      firmware: '1.4.0',
      engine: 3,
      evidence: 'sha256:s',
      recomputed: [12, 2],
      streamed: [12, 2],
    };
    const report = reportOf([
      [vector(), compared([10, 2])],
      [vector(), sampled],
    ]);
    const verdictOf = (by: string, value: string): string | undefined =>
      report.groups.find((group) => group.by === by && group.value === value)?.verdict;
    expect([verdictOf('source', 'recording'), verdictOf('source', 'sample')]).toEqual(['passed', 'failed']);
    expect(verdictOf('engine', '3')).toBe('failed');
    expect(report.windows).toMatchObject({ logged: 2, compared: 2, outside: 1, enginesApart: 0 });
    expect(report.features[0]?.worst).toMatchObject({ source: 'sample', evidence: 'sha256:s' });
  });

  it('says when the two engines of the cloud differ, which is not the vehicle’s fault', () => {
    const streamed = (...values: readonly number[]): SkewWindow =>
      ({ ...compared([10, 2]), source: 'sample', streamed: values }) as SkewWindow;
    expect(reportOf([[vector(), streamed(10.005, 2)]]).windows.enginesApart).toBe(0);
    expect(reportOf([[vector(), streamed(10.02, 2)]]).windows.enginesApart).toBe(1);
    expect(reportOf([[vector(), streamed(Number.NaN, 2)]]).windows.enginesApart).toBe(1);
  });

  it('counts what vehicles sampled and did not send, as neither passed nor failed', () => {
    const counter = new SkewCounter(featureSet, DATE);
    const window: SkewWindow = { ...compared([10, 2]), source: 'sample' };
    counter.add(vector(), window);
    counter.addUnsent(vector(), window, { withheld: 3, incomparable: 2 });
    counter.addUnsent(vector({ vehicle: 'v2' }), window, { withheld: 0, incomparable: 1 });
    const report = reportSkew(featureSet, 'sha256:s', { tally: counter.tally(), date: DATE });
    expect(report.windows).toMatchObject({ logged: 7, compared: 1, withheld: 3, incomparable: 3, outside: 0 });
    expect(report.verdict).toBe('passed');
    expect(report.groups.find(({ value }) => value === 'v2')?.verdict).toBe('inconclusive');
  });

  it('takes a difference that its owner has declared, and counts it', () => {
    const [, std] = reportOf([[vector(), compared([10, 2.5])]]).features;
    expect(std).toMatchObject({
      outside: 0,
      diverging: 1,
      verdict: 'passed',
      divergence: { owner: 'edge', state: 'in force' },
    });
  });

  it('takes it on its last day and fails it on the next', () => {
    expect(reportOf([[vector(), compared([10, 2.5])]], '2026-12-01').verdict).toBe('passed');
    const expired = reportOf([[vector(), compared([10, 2.5])]], '2026-12-02');
    expect(expired.verdict).toBe('failed');
    expect(expired.features[1]).toMatchObject({
      outside: 1,
      diverging: 0,
      divergence: { state: 'expired' },
      tolerance: { absolute: 0.01 },
    });
  });

  it('holds a value that one side lacks for a difference, and one that both lack for none', () => {
    expect(reportOf([[vector({ values: [Number.NaN, 2] }), compared([Number.NaN, 2])]]).verdict).toBe('passed');
    const report = reportOf([[vector({ values: [Number.NaN, 2] }), compared([10, 2])]]);
    expect(report.features[0]).toMatchObject({ oneSided: 1, outside: 1, worst: { logged: null, recomputed: 10 } });
  });

  it('is inconclusive when nothing was compared, or when the batch engine does not know a covered window', () => {
    expect(reportOf([]).verdict).toBe('inconclusive');
    expect(reportOf([[vector(), { source: 'recording', kind: 'uncovered' }]]).verdict).toBe('inconclusive');
    const unmatched = reportOf([
      [vector(), compared([10, 2])],
      [vector(), { source: 'recording', kind: 'unmatched', firmware: '1.4.0' }],
    ]);
    expect(unmatched.verdict).toBe('inconclusive');
  });

  it('is the same however windows are divided into parts', () => {
    const value = fc.oneof(evenly(-50, 50), fc.constant(Number.NaN));
    const window = fc.record({
      vehicle: fc.constantFrom('v1', 'v2'),
      values: fc.tuple(value, value),
      recomputed: fc.tuple(value, value),
      startMs: fc.integer({ min: 0, max: 9 }),
      part: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(window, { maxLength: 30 }), (windows) => {
        const counters = [0, 1, 2, 3].map(() => new SkewCounter(featureSet, DATE));
        const whole = new SkewCounter(featureSet, DATE);
        for (const { vehicle, values, recomputed, startMs, part } of windows) {
          const logged = vector({ vehicle, values, windowStartNs: BigInt(startMs) });
          counters[part]?.add(logged, compared(recomputed));
          whole.add(logged, compared(recomputed));
        }
        const tallies = counters.map((counter) => counter.tally());
        const forwards = tallies.reduce(addTallies);
        const backwards = tallies.toReversed().reduce(addTallies);
        for (const tally of [forwards, backwards]) {
          const own = reportSkew(featureSet, 's', { tally, date: DATE });
          expect(own).toEqual(reportSkew(featureSet, 's', { tally: whole.tally(), date: DATE }));
        }
      }),
    );
  });
});

describe('the coverage of a window', () => {
  const recording = (name: string, startMs: number, endMs: number, own: object = {}) => ({
    recording: name,
    vehicle: 'v1',
    session: 's1',
    firmware: '',
    startNs: BigInt(startMs) * MS,
    endNs: BigInt(endMs) * MS,
    ...own,
  });

  it('needs what is held from before the window, and its lateness after it', () => {
    const found = (startMs: number, endMs: number): string | undefined =>
      new Coverage(featureSet, [recording('r', startMs, endMs)]).find(vector())?.recording;
    expect(found(4_800, 6_100)).toBe('r');
    expect(found(4_801, 6_100)).toBeUndefined();
    expect(found(4_800, 6_099)).toBeUndefined();
  });

  it('is of the same vehicle and session', () => {
    for (const own of [{ vehicle: 'v2' }, { session: 's2' }])
      expect(new Coverage(featureSet, [recording('r', 0, 9_000, own)]).find(vector())).toBeUndefined();
  });

  it('agrees with a search through all recordings', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 12_000 }), fc.integer({ min: 0, max: 12_000 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), (ranges) => {
        const recordings = ranges.map(([startMs, lengthMs], index) =>
          recording(`r${index}`, startMs, startMs + lengthMs),
        );
        const isCovering = (each: (typeof recordings)[number]): boolean =>
          each.startNs <= 4_800n * MS && each.endNs >= 6_100n * MS;
        const found = new Coverage(featureSet, recordings).find(vector());
        expect(found !== undefined).toBe(recordings.some(isCovering));
        if (found !== undefined) expect(isCovering(found as (typeof recordings)[number])).toBe(true);
      }),
    );
  });
});
