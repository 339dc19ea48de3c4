import { describe, expect, it } from 'vitest';
import { boundedMap } from './bounded-map.ts';

describe('boundedMap', () => {
  it('keeps the order and never runs more at once than allowed', async () => {
    let running = 0;
    let most = 0;
    const results = await boundedMap([5, 4, 3, 2, 1, 0], 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
      running -= 1;
      return item * 10;
    });
    expect(results).toEqual([50, 40, 30, 20, 10, 0]);
    expect(most).toBe(2);
  });

  it('starts nothing new after a failure', async () => {
    const started: number[] = [];
    const work = boundedMap([1, 2, 3, 4, 5, 6], 1, async (item) => {
      started.push(item);
      if (item === 2) throw new Error('broken');
    });
    await expect(work).rejects.toThrow('broken');
    expect(started).toEqual([1, 2]);
  });
});
