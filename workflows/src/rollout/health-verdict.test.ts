import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHealthRules } from './health-rules.ts';
import { type ExposureGroup, judgeHealth, type WindowCounts } from './health-verdict.ts';

const RULES = parseHealthRules({ windowsMin: 40, vehicleWindowsMin: 5, controlWindowsMin: 40 });
const EVEN = { ICE: 0.25, SNOW: 0.25, SAND: 0.25, ASPHALT: 0.25 };
const ALL_SNOW = { SNOW: 1 };

function counts(
  windows: number,
  mix: Readonly<Record<string, number>>,
  extra: Partial<WindowCounts> = {},
): WindowCounts {
  const outputs = Object.fromEntries(
    Object.entries(mix).map(([output, share]) => [output, Math.round(share * windows)]),
  );
  return { windows, far: 0, late: 0, invalid: 0, outputs: { ring: outputs }, ...extra };
}

function group(overrides: Partial<ExposureGroup> = {}): ExposureGroup {
  return {
    hardwareRevision: 'A',
    vehicles: ['v1', 'v2'],
    vehicleWindows: { v1: 50, v2: 50 },
    treated: counts(100, EVEN),
    controlKind: 'vehicles',
    control: counts(100, EVEN),
    shift: null,
    ...overrides,
  };
}

const verdictOf = (overrides: Partial<ExposureGroup>) => judgeHealth({ groups: [group(overrides)] }, RULES).verdict;
const ruleOf = (overrides: Partial<ExposureGroup>, rule: string) =>
  judgeHealth({ groups: [group(overrides)] }, RULES).findings.find((finding) => finding.rule === rule);

describe('judgeHealth', () => {
  it('passes a wave that does as its control does', () => {
    expect(verdictOf({})).toBe('passed');
  });

  it('fails when every window becomes one output, though nothing else is wrong', () => {
    expect(verdictOf({ treated: counts(200, ALL_SNOW), control: counts(200, EVEN) })).toBe('failed');
  });

  it('fails when windows are far from training, and names the feature that is furthest', () => {
    const finding = ruleOf(
      { treated: counts(100, EVEN, { far: 100 }), shift: { name: 'az_mean', meanZ: -139 } },
      'feature-distance',
    );
    expect(finding).toMatchObject({
      verdict: 'failed',
      feature: 'az_mean',
      hardwareRevision: 'A',
      vehicles: ['v1', 'v2'],
    });
  });

  it('does not blame the model when the control is as far from training', () => {
    expect(verdictOf({ treated: counts(100, EVEN, { far: 60 }), control: counts(100, EVEN, { far: 60 }) })).not.toBe(
      'failed',
    );
  });

  it('fails on deadline misses and on outputs that are none', () => {
    expect(ruleOf({ treated: counts(100, EVEN, { late: 80 }) }, 'deadline-misses')?.verdict).toBe('failed');
    expect(ruleOf({ treated: counts(100, EVEN, { invalid: 50 }) }, 'invalid-outputs')?.verdict).toBe('failed');
  });

  it('is inconclusive with few windows, a silent vehicle, or few windows of control', () => {
    expect(verdictOf({ treated: counts(10, EVEN), vehicleWindows: { v1: 5, v2: 5 } })).toBe('inconclusive');
    expect(verdictOf({ vehicleWindows: { v1: 100, v2: 0 } })).toBe('inconclusive');
    expect(verdictOf({ control: counts(8, EVEN) })).toBe('inconclusive');
  });

  it('is inconclusive when it looked at nothing', () => {
    expect(judgeHealth({ groups: [] }, RULES)).toEqual({ verdict: 'inconclusive', findings: [] });
  });

  it('judges by the training distribution alone where there is no former model', () => {
    const none = { controlKind: 'none', control: counts(0, {}) } as const;
    expect(verdictOf({ ...none })).toBe('passed');
    expect(ruleOf(none, 'output-mix')).toBeUndefined();
    expect(verdictOf({ ...none, treated: counts(100, EVEN, { far: 100 }) })).toBe('failed');
  });

  it('compares the same sessions where both sides drove them', () => {
    const treated: WindowCounts = {
      ...counts(100, EVEN),
      outputs: { ring: { ICE: 50, SNOW: 50 }, hill: { SAND: 50 } },
    };
    const control: WindowCounts = {
      ...counts(100, EVEN),
      outputs: { ring: { ICE: 50, SNOW: 50 }, coast: { ASPHALT: 90 } },
    };
    expect(ruleOf({ treated, control }, 'output-mix')).toMatchObject({
      verdict: 'passed',
      value: 0,
      message: expect.stringContaining('same sessions'),
    });
  });

  it('weights the sessions of the control by how often the others drove them', () => {
    const treated: WindowCounts = { ...counts(100, EVEN), outputs: { ring: { ICE: 90 }, hill: { SAND: 10 } } };
    const control: WindowCounts = { ...counts(100, EVEN), outputs: { ring: { ICE: 10 }, hill: { SAND: 90 } } };
    expect(ruleOf({ treated, control }, 'output-mix')).toMatchObject({
      verdict: 'passed',
      value: expect.closeTo(0, 9),
    });
  });

  it('does not convict a model by the outputs of others on other roads, nor clear it', () => {
    const treated: WindowCounts = { ...counts(900, EVEN), outputs: { ring: { ICE: 900 } } };
    const control: WindowCounts = { ...counts(900, EVEN), outputs: { coast: { SAND: 900 } } };
    expect(ruleOf({ treated, control }, 'output-mix')?.verdict).toBe('inconclusive');
  });

  it('one failed revision fails the wave, whatever the other does', () => {
    const bad = group({
      hardwareRevision: 'B',
      vehicles: ['v3'],
      vehicleWindows: { v3: 100 },
      treated: counts(100, EVEN, { far: 100 }),
    });
    expect(judgeHealth({ groups: [group(), bad] }, RULES).verdict).toBe('failed');
  });

  it('never passes with fewer windows than asked, whatever they hold', () => {
    const arbitrary = fc.record({
      windows: fc.integer({ min: 0, max: 39 }),
      far: fc.integer({ min: 0, max: 39 }),
      late: fc.integer({ min: 0, max: 39 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ windows, far, late }) => {
        const treated = counts(windows, EVEN, { far: Math.min(far, windows), late: Math.min(late, windows) });
        expect(verdictOf({ treated })).not.toBe('passed');
      }),
    );
  });

  it('more far windows never make a failed wave pass', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), (far) => {
        const order = { passed: 0, inconclusive: 1, failed: 2 };
        const now = order[verdictOf({ treated: counts(100, EVEN, { far }) })];
        const worse = order[verdictOf({ treated: counts(100, EVEN, { far: far + 1 }) })];
        expect(worse).toBeGreaterThanOrEqual(now);
      }),
    );
  });
});

describe('parseHealthRules', () => {
  it('refuses an unknown rule and too many looks', () => {
    expect(() => parseHealthRules({ windowMin: 3 })).toThrow(/windowMin/);
    expect(() => parseHealthRules({ exposureTimeoutMs: 86_400_000, lookEveryMs: 50 })).toThrow(/looks/);
  });
});
