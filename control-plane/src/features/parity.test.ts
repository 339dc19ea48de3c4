import type { FeatureSet } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { compareEngines, joinParity, type ParityWindow } from './parity.ts';

const tolerance = { absolute: 1e-9, relative: 1e-6 };
const featureSet = { features: [{ name: 'a' }, { name: 'b' }], tolerance } as unknown as FeatureSet;
const window = (start: number, ...values: number[]): ParityWindow => ({ windowStartNs: BigInt(start), values });

describe('parity', () => {
  it('gives the worst difference of each feature', () => {
    const report = compareEngines(featureSet, [window(0, 1, 2), window(5, 1, 4)], [window(0, 1, 2), window(5, 1, 5)]);
    expect(report.features).toEqual([
      {
        feature: 'a',
        worstAbsolute: 0,
        worstRelative: 0,
        windows: 2,
        tolerance,
        withinTolerance: true,
        worst: undefined,
      },
      {
        feature: 'b',
        worstAbsolute: 1,
        worstRelative: 0.2,
        windows: 2,
        tolerance,
        withinTolerance: false,
        worst: { windowStartNs: 5n, streaming: 4, batch: 5 },
      },
    ]);
    expect(report.withinTolerance).toBe(false);
  });

  it('accepts what is within the absolute or the relative tolerance', () => {
    const report = compareEngines(featureSet, [window(0, 1e-10, 1e6 + 0.5)], [window(0, 0, 1e6)]);
    expect(report.withinTolerance).toBe(true);
  });

  it('names windows that only one engine gave and is not satisfied with the rest', () => {
    const report = compareEngines(featureSet, [window(0, 1, 1)], [window(0, 1, 1), window(5, 1, 1)]);
    expect(report).toMatchObject({ onlyStreaming: [], onlyBatch: [5n], withinTolerance: false });
  });

  it('takes a value that one engine alone has for a difference without measure', () => {
    const report = compareEngines(featureSet, [window(0, Number.NaN)], [window(0, 3, 1)]);
    expect(report.features.map((feature) => feature.worstAbsolute)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    expect(report.withinTolerance).toBe(false);
  });

  it('takes a feature that both engines have as missing for agreement', () => {
    const report = compareEngines(featureSet, [window(0, Number.NaN, 1)], [window(0, Number.NaN, 1)]);
    expect(report.withinTolerance).toBe(true);
  });

  it('lets a declared divergence hold until its last day, and names its owner', () => {
    const own = {
      absolute: 0.5,
      relative: 0,
      owner: 'dynamics',
      reason: 'a filter on the vehicle',
      expires: '2026-12-01',
    };
    const declared = { ...featureSet, features: [{ name: 'a', tolerance: own }] } as unknown as FeatureSet;
    const on = (date: string) => compareEngines(declared, [window(0, 1)], [window(0, 1.4)], date).features[0];
    expect(on('2026-12-01')).toMatchObject({ withinTolerance: true, tolerance: { owner: 'dynamics', absolute: 0.5 } });
    expect(on('2026-12-02')).toMatchObject({ withinTolerance: false, tolerance });
  });

  it('joins reports by the worst of each, and refuses to join none', () => {
    const good = compareEngines(featureSet, [window(0, 1, 1)], [window(0, 1, 1)]);
    const bad = compareEngines(featureSet, [window(0, 1, 3)], [window(0, 1, 1)]);
    expect(joinParity([good, bad]).features[1]).toMatchObject({ windows: 2, worstAbsolute: 2, withinTolerance: false });
    expect(() => joinParity([])).toThrow(expect.objectContaining({ code: 'FEATURE_PARITY' }));
  });
});
