import type { BundleManifest } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import type { InferenceWindow } from '../ports.ts';
import { countWindows, exposureOf, furthestFeature } from './exposure.ts';

const NEW = 'sha256:new';
const OLD = 'sha256:old';

function manifest(overrides: Record<string, unknown> = {}): BundleManifest {
  const base = {
    labels: ['ICE', 'SNOW'],
    latencyBudgetMs: 10,
    trainingDistribution: { mean: [0, 10], std: [1, 2], distanceP50: 1, distanceP99: 4 },
    featureSet: { features: [{ name: 'ax' }, { name: 'az' }] },
  };
  return { ...base, ...overrides } as unknown as BundleManifest;
}

function window(overrides: Partial<InferenceWindow> = {}): InferenceWindow {
  return {
    vehicleId: 'v1',
    hardwareRevision: 'A',
    bundle: NEW,
    variant: 'fp32',
    directorCounter: 1,
    role: 'active',
    sequence: 1,
    session: 's',
    windowStartNs: 0n,
    windowEndNs: 1n,
    output: 'ICE',
    confidence: 1,
    distance: 1,
    latencyUs: 100,
    fallback: false,
    features: [0, 10],
    receivedAtMs: 1,
    ...overrides,
  };
}

const manifests = new Map([
  [NEW, manifest()],
  [OLD, manifest()],
]);

describe('countWindows', () => {
  it('counts far, late and invalid windows against their own bundle', () => {
    const windows = [
      window(),
      window({ distance: 5 }),
      window({ latencyUs: 10_001 }),
      window({ output: 'LAVA' }),
      window({ confidence: Number.NaN }),
      window({ fallback: true }),
    ];
    expect(countWindows(windows, manifests)).toMatchObject({
      windows: 6,
      far: 1,
      late: 1,
      invalid: 3,
      outputs: { s: { ICE: 3 } },
    });
  });

  it('counts a distance that is no number as far, and a window of an unknown bundle as everything', () => {
    expect(countWindows([window({ distance: Number.NaN })], manifests).far).toBe(1);
    expect(countWindows([window({ bundle: 'sha256:unknown' })], manifests)).toMatchObject({
      far: 1,
      late: 1,
      invalid: 1,
    });
  });
});

describe('furthestFeature', () => {
  it('names the feature with the greatest mean z, of either sign', () => {
    expect(furthestFeature([window({ features: [3, -10] }), window({ features: [3, -10] })], manifest())).toEqual({
      name: 'az',
      meanZ: -10,
    });
    expect(furthestFeature([], manifest())).toBeNull();
  });
});

describe('exposureOf', () => {
  const plan = {
    bundle: NEW,
    model: 'sha256:model',
    formerBundle: OLD,
    former: { v1: OLD, v2: OLD },
    hardware: { v1: 'A', v2: 'B' },
  };
  const old = (overrides: Partial<InferenceWindow>) => window({ bundle: OLD, ...overrides });

  it('compares with vehicles of the same revision on the former model, in the same time', () => {
    const beside = [
      old({ vehicleId: 'v8' }),
      old({ vehicleId: 'v9', hardwareRevision: 'B' }),
      old({ vehicleId: 'v7', bundle: 'sha256:third' }),
    ];
    const { groups } = exposureOf({ plan, treated: ['v1'], now: [window()], beside, before: [], manifests });
    expect(groups).toMatchObject([{ hardwareRevision: 'A', controlKind: 'vehicles', control: { windows: 1 } }]);
  });

  it('falls back to the same vehicles before, and to nothing', () => {
    const before = [old({ vehicleId: 'v2', hardwareRevision: 'B' })];
    const input = { plan, treated: ['v1', 'v2'], now: [window()], beside: [], manifests };
    expect(exposureOf({ ...input, before }).groups.map((group) => group.controlKind)).toEqual(['none', 'before']);
    const fresh = { ...plan, former: { v1: null, v2: null }, formerBundle: null };
    expect(exposureOf({ ...input, plan: fresh, before }).groups.map((group) => group.controlKind)).toEqual([
      'none',
      'none',
    ]);
  });

  it('prefers the side that drove the same sessions', () => {
    const before = [old({ session: 'ring' })];
    const beside = [old({ vehicleId: 'v8', session: 'coast' })];
    const now = [window({ session: 'ring' })];
    const kindOf = (others: readonly InferenceWindow[]) =>
      exposureOf({ plan, treated: ['v1'], now, beside: others, before, manifests }).groups[0]?.controlKind;
    expect(kindOf(beside)).toBe('before');
    expect(kindOf([...beside, old({ vehicleId: 'v8', session: 'ring' })])).toBe('vehicles');
  });

  it('shows a vehicle that infers nothing with 0 windows', () => {
    const { groups } = exposureOf({ plan, treated: ['v1'], now: [], beside: [], before: [], manifests });
    expect(groups[0]?.vehicleWindows).toEqual({ v1: 0 });
  });
});
