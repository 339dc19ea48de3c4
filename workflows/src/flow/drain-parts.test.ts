import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DrainOptions, drainParts, NO_PARTS_YET, type PartsState } from './drain-parts.ts';

class Cancelled extends Error {}

type Overrides = Partial<DrainOptions<string, string>>;

function options(overrides: Overrides = {}): DrainOptions<string, string> {
  return {
    concurrency: 3,
    isFull: () => false,
    failuresMax: 16,
    work: async (part) => part.toUpperCase(),
    reasonOf: (thrown) =>
      thrown instanceof Cancelled ? undefined : { code: 'INTERNAL_UNEXPECTED', message: (thrown as Error).message },
    onProgress: () => {},
    ...overrides,
  };
}

const PARTS = ['a', 'b', 'c', 'd', 'e'];
const EVERY_PART = ['A', 'B', 'C', 'D', 'E'];
const resultsOf = (state: PartsState<string>): string[] => state.finished.map(({ result }) => result);

/** Ends its calls in the order that a list of numbers says, not in the order in which they began. */
function shuffledWork(order: readonly number[]): { work: (part: string) => Promise<string>; most: () => number } {
  let running = 0;
  let most = 0;
  let call = 0;
  return {
    most: () => most,
    work: async (part) => {
      running += 1;
      most = Math.max(most, running);
      const turns = order[call++ % order.length] ?? 0;
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      running -= 1;
      return part.toUpperCase();
    },
  };
}

describe('drainParts', () => {
  it('gives every result in the order of the parts, whatever the order of endings, within the bound', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        async (order, concurrency) => {
          const { work, most } = shuffledWork(order);
          const state = await drainParts(PARTS, NO_PARTS_YET, options({ work, concurrency }));
          expect(resultsOf(state)).toEqual(EVERY_PART);
          expect(most()).toBeLessThanOrEqual(concurrency);
        },
      ),
    );
  });

  it('stopped and continued at any point, works on each part once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
        async (startsPerRun) => {
          const worked: string[] = [];
          let state: PartsState<string> = NO_PARTS_YET;
          for (let run = 0; state.finished.length < PARTS.length; run += 1) {
            let left = startsPerRun[run % startsPerRun.length] ?? 1;
            const work = async (part: string): Promise<string> => {
              worked.push(part);
              left -= 1;
              return part.toUpperCase();
            };
            state = await drainParts(PARTS, state, options({ work, concurrency: 2, isFull: () => left <= 0 }));
          }
          expect(resultsOf(state)).toEqual(EVERY_PART);
          expect(worked).toEqual(PARTS);
        },
      ),
    );
  });

  it('works on one part even in a run that is full from its first moment', async () => {
    const state = await drainParts(PARTS, NO_PARTS_YET, options({ isFull: () => true }));
    expect(resultsOf(state)).toEqual(['A']);
  });

  it('keeps the other results when a part fails, and works on that part alone when it is forgotten', async () => {
    const work = async (part: string): Promise<string> => {
      if (part === 'b') throw new Error('unreadable');
      return part.toUpperCase();
    };
    const state = await drainParts(PARTS, NO_PARTS_YET, options({ work }));
    expect(resultsOf(state)).toEqual(['A', 'C', 'D', 'E']);
    expect(state.failed).toEqual([{ part: 1, reason: { code: 'INTERNAL_UNEXPECTED', message: 'unreadable' } }]);
    const worked: string[] = [];
    const again = await drainParts(
      PARTS,
      { ...state, failed: [] },
      options({ work: async (part) => (worked.push(part), part.toUpperCase()) }),
    );
    expect(worked).toEqual(['b']);
    expect(resultsOf(again)).toEqual(EVERY_PART);
  });

  it('starts no further part once too many have failed', async () => {
    const started: string[] = [];
    const work = async (part: string): Promise<string> => {
      started.push(part);
      throw new Error('the disk is gone');
    };
    const state = await drainParts(PARTS, NO_PARTS_YET, options({ work, concurrency: 1, failuresMax: 2 }));
    expect(started).toEqual(['a', 'b']);
    expect(state.failed).toHaveLength(2);
  });

  it('ends with a cancellation only after the running parts have ended', async () => {
    const endedWith: string[] = [];
    const work = async (part: string): Promise<string> => {
      if (part === 'a') throw new Cancelled('enough');
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
      endedWith.push(part);
      return part;
    };
    await expect(drainParts(PARTS, NO_PARTS_YET, options({ work }))).rejects.toThrow('enough');
    expect(endedWith).toEqual(['b', 'c']);
  });

  it('counts what is finished, failed and running', async () => {
    const seen: string[] = [];
    await drainParts(
      ['a', 'b'],
      NO_PARTS_YET,
      options({
        concurrency: 1,
        onProgress: ({ total, finished, failed, running }) => seen.push(`${finished}/${failed}/${running} of ${total}`),
      }),
    );
    expect(seen).toEqual(['0/0/0 of 2', '0/0/1 of 2', '1/0/0 of 2', '1/0/1 of 2', '2/0/0 of 2']);
  });

  it('has nothing to do for no parts', async () => {
    expect(await drainParts([], NO_PARTS_YET, options())).toEqual(NO_PARTS_YET);
  });
});
