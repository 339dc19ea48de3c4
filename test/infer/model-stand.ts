/** Why: what each test of the model runtime starts from, a new state folder and an empty store, and what it leaves nothing of. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelRuntime, RuntimeParts } from '@fleetloop/edge-agent';
import { afterEach, beforeEach, expect } from 'vitest';
import { type Keys, MemoryBlobs, openRuntime } from './model-bench.ts';

/** Fresh before each test; runtimes that were started are closed after it. */
export class ModelStand {
  blobs = new MemoryBlobs();
  stateDir = '';
  readonly #keys: Keys;
  #open: ModelRuntime[] = [];

  constructor(keys: Keys) {
    this.#keys = keys;
    beforeEach(async () => {
      this.blobs = new MemoryBlobs();
      this.stateDir = await mkdtemp(join(tmpdir(), 'fleetloop-models-'));
      this.#open = [];
    });
    afterEach(async () => {
      for (const runtime of this.#open) await runtime.close();
      await rm(this.stateDir, { recursive: true, force: true });
    });
  }

  async start(parts?: RuntimeParts): Promise<ModelRuntime> {
    const runtime = await openRuntime(this.stateDir, this.blobs, this.#keys, parts);
    this.#open.push(runtime);
    return runtime;
  }
}

/** What the runtime reports of the slot that runs. */
export function activeOf(runtime: ModelRuntime): ReturnType<ModelRuntime['report']>['slots'][number] | undefined {
  const report = runtime.report();
  return report.slots.find((slot) => slot.slot === report.activeSlot);
}

/** The health decision is taken in the background. */
export async function settled(runtime: ModelRuntime, state: string): Promise<void> {
  await expect.poll(() => activeOf(runtime)?.state, { timeout: 5_000 }).toBe(state);
}
