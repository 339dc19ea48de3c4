import { ROLLOUT_PHASES } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, mayFollow, type RolloutPhase } from './rollout-phase.ts';
import { checkWaves } from './wave-plan.ts';

const phases = fc.constantFrom<RolloutPhase>(...ROLLOUT_PHASES);

describe('rollout phases', () => {
  it('never become healthy again once they are degraded or aborted', () => {
    fc.assert(
      fc.property(fc.array(phases, { maxLength: 30 }), (wishes) => {
        let phase: RolloutPhase = 'pending';
        let isLost = false;
        for (const wish of wishes) {
          if (mayFollow(phase, wish)) phase = advance(phase, wish);
          isLost ||= phase === 'degraded' || phase === 'aborted';
          if (isLost) expect(['degraded', 'aborted', 'rolled_back']).toContain(phase);
        }
      }),
    );
  });

  it('refuses a step that is not in the table', () => {
    expect(() => advance('healthy', 'progressing')).toThrow(/healthy to progressing/);
    expect(() => advance('degraded', 'healthy')).toThrow(/degraded to healthy/);
  });
});

describe('checkWaves', () => {
  it.each([
    ['no wave', []],
    ['an empty wave', [['a'], []]],
    ['a vehicle in two waves', [['a'], ['b', 'a']]],
    ['a vehicle twice in one wave', [['a', 'a']]],
    ['too many waves', Array.from({ length: 101 }, (_, index) => [`v${index}`])],
  ])('refuses %s', (_title, waves) => {
    expect(() => checkWaves(waves)).toThrow(expect.objectContaining({ code: 'ROLLOUT_INVALID' }));
  });

  it('accepts a canary and a wave', () => {
    expect(() => checkWaves([['a'], ['b', 'c']])).not.toThrow();
  });
});
