import type { ReportedState } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { activeBundle, outcomeOf } from './vehicle-outcome.ts';

const NEW = `sha256:${'1'.repeat(64)}`;
const OLD = `sha256:${'2'.repeat(64)}`;
const awaited = { vehicleId: 'v1', bundle: NEW, counter: 7 };
type Model = ReportedState['model'];
type Slot = Model['slots'][number];

const slot = (name: 'A' | 'B', state: Slot['state'], bundle: string | null): Slot => ({
  slot: name,
  state,
  bundle,
  variant: 'fp32',
  reason: 'fastest',
});

function report(model: Partial<Model>): ReportedState {
  return {
    kind: 'reported-state',
    vehicleId: 'v1',
    at: '2026-11-21T00:00:00.000Z',
    desiredVersion: 1,
    hardwareRevision: 'A',
    softwareVersion: '1',
    campaigns: [],
    model: {
      counter: 7,
      activeSlot: 'B',
      slots: [slot('A', 'confirmed', OLD), slot('B', 'confirmed', NEW)],
      shadowBundle: null,
      refused: null,
      ...model,
    },
    uplink: { spooled: 0, spooledBytes: 0, verified: 0, refused: 0 },
    source: { sessionsDone: 0, messages: 0, atEnd: false },
    rssBytes: 0,
  };
}

describe('outcomeOf', () => {
  it('is confirmed only when the bundle is active and confirmed under the counter', () => {
    expect(outcomeOf(awaited, report({}))?.state).toBe('confirmed');
    expect(outcomeOf(awaited, report({ activeSlot: 'A' }))).toBeUndefined();
    expect(outcomeOf(awaited, report({ slots: [slot('B', 'activated', NEW)] }))).toBeUndefined();
    expect(outcomeOf(awaited, report({ counter: 6 }))).toBeUndefined();
    expect(outcomeOf(awaited, undefined)).toBeUndefined();
  });

  it('is refused by a refusal of this counter or a later one, not of a former one', () => {
    const refused = (counter: number) =>
      outcomeOf(awaited, report({ counter: 6, refused: { counter, code: 'INSTALL_GOLDEN', message: 'differs' } }));
    expect(refused(7)).toMatchObject({ state: 'refused', reason: 'INSTALL_GOLDEN: differs' });
    expect(refused(6)).toBeUndefined();
  });

  it('is reverted when the vehicle fell back to its former slot', () => {
    const model = { activeSlot: 'A', slots: [slot('A', 'confirmed', OLD), slot('B', 'reverted', NEW)] } as const;
    expect(outcomeOf(awaited, report({ ...model, slots: [...model.slots] }))?.state).toBe('reverted');
  });

  it('is confirmed without a model only when none is active', () => {
    const none = { vehicleId: 'v1', bundle: null, counter: 7 };
    expect(outcomeOf(none, report({ activeSlot: null, slots: [] }))?.state).toBe('confirmed');
    expect(outcomeOf(none, report({}))).toBeUndefined();
  });
});

describe('activeBundle', () => {
  it('is the confirmed bundle of the active slot, or none', () => {
    expect(activeBundle(report({}))).toBe(NEW);
    expect(activeBundle(report({ slots: [slot('B', 'activated', NEW)] }))).toBeNull();
    expect(activeBundle(undefined)).toBeNull();
  });
});
