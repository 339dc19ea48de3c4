import { PRIORITIES, type Priority } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charge, nextTurn, type Shares, startRound } from './deficit-round.ts';

const CHUNK = 100;
const quanta = fc.record({
  safety: fc.integer({ min: 2 * CHUNK, max: 5_000 }),
  normal: fc.integer({ min: 2 * CHUNK, max: 2_000 }),
  bulk: fc.integer({ min: 2 * CHUNK, max: 1_000 }),
});
/** For each step who waits, and how large the next chunk of each is. */
const steps = fc.array(
  fc.record({ waiting: fc.subarray([...PRIORITIES], { minLength: 1 }), bytes: fc.integer({ min: 1, max: CHUNK }) }),
  { minLength: 200, maxLength: 600 },
);

describe('a deficit round', () => {
  it('starts an urgent one at the next chunk when it was idle before', () => {
    fc.assert(
      fc.property(quanta, steps, (shares, history) => {
        let round = startRound(shares);
        for (const { waiting, bytes } of history) {
          const turn = nextTurn(round, shares, (priority) => priority !== 'safety' && waiting.includes(priority));
          if (turn !== undefined) round = charge(turn.round, turn.priority, bytes);
          expect(nextTurn(round, shares, () => true)?.priority).toBe('safety');
        }
      }),
    );
  });

  it('never lets one that waits all the time wait for more than the shares of the others', () => {
    fc.assert(
      fc.property(quanta, steps, fc.constantFrom(...PRIORITIES), (shares, history, patient) => {
        let round = startRound(shares);
        let others = 0;
        const bound = PRIORITIES.filter((each) => each !== patient).reduce(
          (sum, each) => sum + shares[each] + CHUNK,
          0,
        );
        for (const { waiting, bytes } of history) {
          const turn = nextTurn(round, shares, (priority) => priority === patient || waiting.includes(priority));
          if (turn === undefined) throw new Error('somebody waits and nobody has a turn');
          round = charge(turn.round, turn.priority, bytes);
          others = turn.priority === patient ? 0 : others + bytes;
          // At most the rest of this round and the head of the next.
          expect(others).toBeLessThanOrEqual(2 * bound);
        }
      }),
    );
  });

  it('gives each its share when all wait all the time', () => {
    const shares: Shares = { safety: 6_400, normal: 400, bulk: 200 };
    const sent: Record<Priority, number> = { safety: 0, normal: 0, bulk: 0 };
    let round = startRound(shares);
    for (let step = 0; step < 70_000; step += 1) {
      const turn = nextTurn(round, shares, () => true);
      if (turn === undefined) throw new Error('nobody has a turn');
      sent[turn.priority] += 1;
      round = charge(turn.round, turn.priority, CHUNK);
    }
    expect(sent).toEqual({ safety: 64_000, normal: 4_000, bulk: 2_000 });
  });

  it('gives nobody a turn when nobody waits', () => {
    const shares: Shares = { safety: 200, normal: 200, bulk: 200 };
    expect(nextTurn(startRound(shares), shares, () => false)).toBeUndefined();
  });
});
