import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InstallInput, stepInstall, UNCONFIRMED_STARTS_MAX } from './install-machine.ts';
import { INITIAL_STATE, InstallState, SLOT_NAMES, type SlotName, toReport, withSlot } from './install-state.ts';

const directed = (counter: number, bundle: string | null, shadow: string | null = null): InstallInput => ({
  kind: 'directed',
  counter,
  digest: `doc-${counter}-${bundle}-${shadow}`,
  bundle,
  shadow,
});
const staged = (slot: SlotName, bundle: string): InstallInput => ({
  kind: 'staged',
  slot,
  bundle,
  variant: 'fp32',
  reason: 'measured',
});
const run = (inputs: readonly InstallInput[], state: InstallState = INITIAL_STATE) =>
  inputs.reduce((step, input) => stepInstall(step.state, input), { state, effects: [] as readonly { kind: string }[] });

/** Slot A confirmed with `old`, slot B activated with `new`. */
const updated = (): InstallState =>
  run([
    directed(1, 'old'),
    staged('A', 'old'),
    { kind: 'prepared', slot: 'A' },
    { kind: 'healthy', bundle: 'old' },
    directed(2, 'new'),
    staged('B', 'new'),
    { kind: 'prepared', slot: 'B' },
  ]).state;

describe('the install machine', () => {
  it('stages into the inactive slot, prepares, activates, and confirms on health', () => {
    const state = updated();
    expect(state).toMatchObject({
      activeSlot: 'B',
      slots: { A: { state: 'confirmed' }, B: { state: 'activated', bundle: 'new' } },
    });
    expect(run([{ kind: 'healthy', bundle: 'new' }], state).state.slots.B.state).toBe('confirmed');
  });

  it('says that a slot is empty before its folder is touched', () => {
    const state = run([{ kind: 'healthy', bundle: 'new' }], updated()).state;
    const step = stepInstall(state, directed(3, 'third'));
    expect(step.effects).toEqual([{ kind: 'stage', slot: 'A', bundle: 'third' }]);
    expect(step.state.slots.A).toMatchObject({ state: 'empty', bundle: null });
    expect(step.state.activeSlot).toBe('B');
  });

  it('goes back to the confirmed slot before it overwrites an unconfirmed one', () => {
    const step = stepInstall(updated(), directed(3, 'third'));
    expect(step.effects).toEqual([{ kind: 'restore', slot: 'A' }]);
    expect(step.state).toMatchObject({ activeSlot: 'A', slots: { B: { state: 'reverted' } } });
    expect(stepInstall(step.state, { kind: 'continue' }).effects).toEqual([
      { kind: 'stage', slot: 'B', bundle: 'third' },
    ]);
  });

  it('rolls back by preparing the other slot, which stays confirmed', () => {
    const step = stepInstall(updated(), directed(3, 'old'));
    expect(step.effects).toEqual([{ kind: 'prepare', slot: 'A' }]);
    const after = stepInstall(step.state, { kind: 'prepared', slot: 'A' });
    expect(after.effects).toEqual([{ kind: 'swap', slot: 'A' }]);
    expect(after.state).toMatchObject({
      activeSlot: 'A',
      slots: { A: { state: 'confirmed' }, B: { state: 'reverted' } },
    });
  });

  it('reverts on bad health and does not try the same document again', () => {
    const step = stepInstall(updated(), {
      kind: 'unhealthy',
      bundle: 'new',
      code: 'INFER_FAILED',
      message: 'it failed',
    });
    expect(step.effects).toEqual([{ kind: 'restore', slot: 'A' }]);
    expect(step.state).toMatchObject({
      activeSlot: 'A',
      blockedCounter: 2,
      refused: { counter: 2, code: 'INFER_FAILED' },
    });
    expect(run([directed(2, 'new')], step.state).effects).toEqual([]);
    expect(run([directed(3, 'new')], step.state).effects).toEqual([{ kind: 'stage', slot: 'B', bundle: 'new' }]);
  });

  it('takes back nothing once confirmed', () => {
    const state = run([{ kind: 'healthy', bundle: 'new' }], updated()).state;
    expect(stepInstall(state, { kind: 'unhealthy', bundle: 'new', code: 'INFER_FAILED', message: 'late' })).toEqual({
      state,
      effects: [],
    });
  });

  it('reverts a model under which the process keeps starting', () => {
    let state = updated();
    for (let start = 1; start <= UNCONFIRMED_STARTS_MAX; start += 1)
      state = stepInstall(state, { kind: 'started' }).state;
    expect(state.activeSlot).toBe('B');
    expect(stepInstall(state, { kind: 'started' }).state).toMatchObject({
      activeSlot: 'A',
      refused: { code: 'INFER_FAILED' },
    });
  });

  it('tries a download again only when it failed for the time being', () => {
    const failed = (code: 'INSTALL_FETCH' | 'PACKAGE_SIGNATURE') =>
      run([directed(1, 'old'), { kind: 'stage-failed', bundle: 'old', code, message: 'no' }, directed(1, 'old')])
        .effects;
    expect(failed('INSTALL_FETCH')).toEqual([{ kind: 'stage', slot: 'A', bundle: 'old' }]);
    expect(failed('PACKAGE_SIGNATURE')).toEqual([]);
  });

  it('ignores the failure of a bundle that nobody wants any more', () => {
    const state = run([
      directed(1, 'old'),
      directed(2, 'new'),
      { kind: 'stage-failed', bundle: 'old', code: 'PACKAGE_DIGEST', message: 'no' },
    ]).state;
    expect(state).toMatchObject({ refused: null, blockedCounter: 0 });
  });

  it('stages a shadow only after the active bundle stands, and drops it when unwanted', () => {
    const wanted = run([
      directed(1, 'old', 'silent'),
      staged('A', 'old'),
      { kind: 'prepared', slot: 'A' },
      { kind: 'continue' },
    ]);
    expect(wanted.effects).toEqual([{ kind: 'unload-shadow' }, { kind: 'stage-shadow', bundle: 'silent' }]);
    const loaded = stepInstall(wanted.state, { kind: 'shadow-staged', bundle: 'silent', variant: 'fp32' });
    expect(loaded.effects).toEqual([{ kind: 'load-shadow' }]);
    expect(stepInstall(loaded.state, directed(2, 'old')).effects).toEqual([{ kind: 'unload-shadow' }]);
  });
});

const bundles = ['a', 'b', 'c', null] as const;
const bundle = fc.constantFrom(...bundles);
const named = fc.constantFrom('a', 'b', 'c');
const slot = fc.constantFrom<SlotName>('A', 'B');
const failure = {
  code: fc.constantFrom('INSTALL_FETCH' as const, 'PACKAGE_DIGEST' as const),
  message: fc.constant('no'),
};
const anyInput: fc.Arbitrary<InstallInput> = fc.oneof(
  fc.constant<InstallInput>({ kind: 'started' }),
  fc
    .record({ counter: fc.integer({ min: 1, max: 12 }), bundle, shadow: bundle })
    .map(({ counter, ...rest }) => directed(counter, rest.bundle, rest.shadow)),
  fc.record({ slot, bundle: named }).map((entry) => staged(entry.slot, entry.bundle)),
  fc.record({ kind: fc.constant('stage-failed' as const), bundle: named, ...failure }),
  fc.record({ kind: fc.constant('prepared' as const), slot }),
  fc.record({ kind: fc.constant('prepare-failed' as const), slot, ...failure }),
  fc.record({ kind: fc.constant('restore-failed' as const), slot, ...failure }),
  fc.record({ kind: fc.constant('healthy' as const), bundle: named }),
  fc.record({ kind: fc.constant('unhealthy' as const), bundle: named, ...failure }),
  fc.constant<InstallInput>({ kind: 'continue' }),
);

describe('whatever comes in whatever order', () => {
  it('the counter never falls, the active slot is never empty, and a confirmed model is not overwritten while another is on trial', () => {
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 60 }), (inputs) => {
        let state: InstallState = INITIAL_STATE;
        for (const input of inputs) {
          const before = state;
          const step = stepInstall(state, input);
          state = step.state;
          expect(InstallState.safeParse(state).success).toBe(true);
          expect(state.counter).toBeGreaterThanOrEqual(before.counter);
          if (state.activeSlot !== null)
            expect(['activated', 'confirmed']).toContain(state.slots[state.activeSlot].state);
          for (const effect of step.effects) {
            if (effect.kind !== 'stage') continue;
            expect(effect.slot).not.toBe(state.activeSlot);
            expect(state.slots[effect.slot].state).toBe('empty');
            const isOnTrial = state.activeSlot !== null && state.slots[state.activeSlot].state === 'activated';
            expect(isOnTrial && before.slots[effect.slot].state === 'confirmed').toBe(false);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('with effects that always work, it comes to rest at what was asked last', () => {
    fc.assert(
      fc.property(fc.array(bundle, { minLength: 1, maxLength: 8 }), (wishes) => {
        let state: InstallState = INITIAL_STATE;
        wishes.forEach((wish, index) => {
          const inputs: InstallInput[] = [directed(index + 1, wish)];
          for (let steps = 0; inputs.length > 0; steps += 1) {
            expect(steps).toBeLessThan(20);
            const step = stepInstall(state, inputs.shift() as InstallInput);
            state = step.state;
            for (const effect of step.effects) {
              if (effect.kind === 'stage') inputs.push(staged(effect.slot, effect.bundle));
              else if (effect.kind === 'prepare') inputs.push({ kind: 'prepared', slot: effect.slot });
              else inputs.push({ kind: 'continue' });
            }
          }
        });
        const active = state.activeSlot === null ? null : state.slots[state.activeSlot].bundle;
        expect(active).toBe(wishes.at(-1));
      }),
    );
  });
});

describe('the report', () => {
  it('names both slots, and the shadow only while it runs', () => {
    const state = withSlot(INITIAL_STATE, 'A', { state: 'staged', bundle: 'x' });
    expect(toReport(state, null)).toMatchObject({ counter: 0, activeSlot: null, shadowBundle: null, refused: null });
    expect(toReport(state, 'y').slots.map((entry) => entry.slot)).toEqual(SLOT_NAMES);
    expect(toReport(state, 'y').shadowBundle).toBe('y');
  });
});
