import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOSS_SUFFIX, lossName, restOf } from './loss-name.ts';

const suffix = new RegExp(`^${LOSS_SUFFIX}$`);

describe('the name of a loss', () => {
  it('is its event and what may stand behind it, however often it was lost', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000 }), fc.boolean(), (before, isRest) => {
        const name = lossName(isRest ? restOf('ev-a') : 'ev-a', before);
        expect(name.startsWith('ev-a')).toBe(true);
        expect(name.slice('ev-a'.length)).toMatch(suffix);
      }),
    );
  });

  it.each(['b', '-b', '-rest-', '-restful', '-2-3', '-2-rest'])('of another event does not end in %s', (text) => {
    expect(text).not.toMatch(suffix);
  });
});
