// Why this file exists: power fails at any line; whatever is then on disk must start as the former model or the new one, whole.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelRuntime, SlotFolders } from '@fleetloop/edge-agent';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { direct, drive, makeBundle, makeKeys, MemoryBlobs, openRuntime } from './model-bench.ts';

const keys = makeKeys();
const blobs = new MemoryBlobs();
let former: string;
let next: string;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-power-'));
  former = await makeBundle(blobs, keys, 1);
  next = await makeBundle(blobs, keys, 2, { latencyBudgetMs: 300 });
});
afterAll(() => rm(root, { recursive: true, force: true }));

const activeOf = (runtime: ModelRuntime) => {
  const report = runtime.report();
  return report.slots.find((slot) => slot.slot === report.activeSlot);
};
const bundleAt = (counter: number): string => (counter % 2 === 1 ? former : next);

/** Disk that stops taking anything at operation number `cutAt`, either before or after that operation took effect. */
function failingDisk(
  cutAt: number,
  isDone: boolean,
): { wrap: (folders: SlotFolders) => SlotFolders; operations: () => number; isCut: () => boolean } {
  let count = 0;
  const guard = async (operation: () => Promise<void>): Promise<void> => {
    count += 1;
    if (count > cutAt || (count === cutAt && !isDone)) throw new Error('power cut');
    await operation();
    if (count === cutAt) throw new Error('power cut');
  };
  return {
    wrap: (folders) => ({
      clear: (place) => guard(() => folders.clear(place)),
      write: (place, name, bytes) => guard(() => folders.write(place, name, bytes)),
      writeState: (state) => guard(() => folders.writeState(state)),
      read: (place, name) => folders.read(place, name),
      readState: () => folders.readState(),
    }),
    operations: () => count,
    isCut: () => count >= cutAt,
  };
}

/** First installation, update and rollback, each driven to its end or to the cut. */
async function live(runtime: ModelRuntime, isCut: () => boolean): Promise<void> {
  for (const counter of [1, 2, 3]) {
    await runtime.applyDirector(direct(keys.director, { counter, bundle: bundleAt(counter) }));
    if (isCut()) return;
    await drive(runtime, 6);
    await expect.poll(() => isCut() || activeOf(runtime)?.state === 'confirmed', { timeout: 5_000 }).toBe(true);
    if (isCut()) return;
  }
}

/** What must hold of any disk that a power cut left: a whole model or none, a counter that stays, and a way forward. */
async function recover(stateDir: string): Promise<void> {
  const runtime = await openRuntime(stateDir, blobs, keys);
  try {
    const counter = runtime.report().counter;
    const active = activeOf(runtime);
    if (active !== undefined) {
      expect([former, next]).toContain(active.bundle);
      const results = await drive(runtime, 2);
      expect(results.length).toBeGreaterThan(0);
      expect(results.every((result) => !result.inference.fallback)).toBe(true);
    }
    if (counter > 1) {
      await runtime.applyDirector(direct(keys.director, { counter: counter - 1, bundle: bundleAt(counter - 1) }));
      expect(runtime.report()).toMatchObject({ counter, refused: { code: 'INSTALL_COUNTER' } });
    }
    await runtime.applyDirector(direct(keys.director, { counter: 9, bundle: bundleAt(9) }));
    expect(activeOf(runtime)?.bundle).toBe(bundleAt(9));
    await drive(runtime, 6);
    await expect.poll(() => activeOf(runtime)?.state, { timeout: 5_000 }).toBe('confirmed');
  } finally {
    await runtime.close();
  }
}

async function cutAndRecover(cutAt: number, isDone: boolean): Promise<number> {
  const stateDir = join(root, `${cutAt}-${isDone}`);
  const disk = failingDisk(cutAt, isDone);
  const runtime = await openRuntime(stateDir, blobs, keys, { wrapFolders: disk.wrap });
  await live(runtime, disk.isCut);
  await runtime.close();
  await recover(stateDir);
  return disk.operations();
}

describe('a power cut', () => {
  it('at any write of install, update and rollback leaves a vehicle that starts whole and goes on', async () => {
    const total = await cutAndRecover(Number.MAX_SAFE_INTEGER, false);
    expect(total).toBeGreaterThan(15);
    for (let cutAt = 1; cutAt <= total; cutAt += 1) {
      await cutAndRecover(cutAt, false);
      await cutAndRecover(cutAt, true);
    }
  });
});
