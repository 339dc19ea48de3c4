import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSequenceCounter } from './sequence-counter.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-sequence-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the inference counter', () => {
  it('counts from 1', async () => {
    const counter = await openSequenceCounter(folder);
    expect([await counter.next(), await counter.next(), await counter.next()]).toEqual([1n, 2n, 3n]);
  });

  it('never repeats a number after a restart, even one in the middle of a block', async () => {
    const seen = new Set<bigint>();
    for (let start = 0; start < 4; start += 1) {
      const counter = await openSequenceCounter(folder);
      for (let index = 0; index < 1_500; index += 1) {
        const next = await counter.next();
        expect(seen.has(next)).toBe(false);
        seen.add(next);
      }
    }
  });

  it('refuses to start from a damaged file', async () => {
    await writeFile(join(folder, 'sequence'), 'x1');
    await expect(openSequenceCounter(folder)).rejects.toMatchObject({ code: 'INSTALL_INCOMPATIBLE' });
  });
});
