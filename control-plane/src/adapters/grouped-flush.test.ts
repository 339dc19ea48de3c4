import { describe, expect, it } from 'vitest';
import { GroupedFlush } from './grouped-flush.ts';

function heldFlush(): { readonly flush: GroupedFlush; readonly began: PromiseWithResolvers<void>[] } {
  const began: PromiseWithResolvers<void>[] = [];
  const flush = new GroupedFlush(async () => {
    const held = Promise.withResolvers<void>();
    began.push(held);
    return held.promise;
  });
  return { flush, began };
}

describe('GroupedFlush', () => {
  it('callers that come while a flush runs share the next one', async () => {
    const { flush, began } = heldFlush();
    const first = flush.run();
    const later = [flush.run(), flush.run(), flush.run()];
    expect(began).toHaveLength(1);
    began[0]?.resolve();
    await first;
    await expect.poll(() => began.length).toBe(2);
    began[1]?.resolve();
    await Promise.all(later);
    expect(began).toHaveLength(2);
  });

  it('a caller never gets the outcome of a flush that began before it came', async () => {
    const { flush, began } = heldFlush();
    const first = flush.run();
    const second = flush.run();
    began[0]?.reject(new Error('disk full'));
    await expect(first).rejects.toThrow('disk full');
    await expect.poll(() => began.length).toBe(2);
    began[1]?.resolve();
    await expect(second).resolves.toBeUndefined();
  });

  it('a failed flush fails all of its callers, and the one after it is a new one', async () => {
    const { flush, began } = heldFlush();
    const first = flush.run();
    const sharing = [flush.run(), flush.run()];
    began[0]?.resolve();
    await first;
    await expect.poll(() => began.length).toBe(2);
    began[1]?.reject(new Error('disk full'));
    for (const each of sharing) await expect(each).rejects.toThrow('disk full');
    const after = flush.run();
    expect(began).toHaveLength(3);
    began[2]?.resolve();
    await after;
  });
});
