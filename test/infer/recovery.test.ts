// Why this file exists: downloads hang, models fail on the road and disks rot; the vehicle finds back by itself.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelRuntime, ModelSession, RuntimeParts } from '@fleetloop/edge-agent';
import { FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { direct, drive, makeBundle, makeKeys } from './model-bench.ts';
import { activeOf, ModelStand, settled } from './model-stand.ts';

const keys = makeKeys();
const stand = new ModelStand(keys);

describe('a download that hangs', () => {
  async function withHanging(): Promise<{ runtime: ModelRuntime; former: string; next: string }> {
    const runtime = await stand.start();
    const [former, next] = [await makeBundle(stand.blobs, keys, 1), await makeBundle(stand.blobs, keys, 2)];
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle: former }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    stand.blobs.isHanging = true;
    return { runtime, former, next };
  }

  it('gives way to a newer document', async () => {
    const { runtime, former, next } = await withHanging();
    const hanging = runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    await runtime.applyDirector(direct(keys.director, { counter: 3, bundle: former }));
    await hanging;
    expect(runtime.report()).toMatchObject({ counter: 3, refused: null });
    expect(activeOf(runtime)).toMatchObject({ bundle: former, state: 'confirmed' });
  });

  it('ends when the caller interrupts it, and starts again when told again', async () => {
    const { runtime, former, next } = await withHanging();
    const envelope = direct(keys.director, { counter: 2, bundle: next });
    const interrupt = new AbortController();
    const hanging = runtime.applyDirector(envelope, interrupt.signal);
    await expect.poll(() => runtime.report().counter).toBe(2);
    interrupt.abort();
    await hanging;
    expect(activeOf(runtime)).toMatchObject({ bundle: former, state: 'confirmed' });
    stand.blobs.isHanging = false;
    await runtime.applyDirector(envelope);
    expect(activeOf(runtime)).toMatchObject({ bundle: next, state: 'activated' });
  });

  it('of a shadow does not hold up the confirmation of the active model, and goes on after it', async () => {
    const { runtime, next } = await withHanging();
    stand.blobs.isHanging = false;
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    stand.blobs.isHanging = true;
    const shadow = await makeBundle(stand.blobs, keys, 3);
    const hanging = runtime.applyDirector(direct(keys.director, { counter: 3, bundle: next, shadow }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    expect(runtime.report().shadowBundle).toBeNull();
    stand.blobs.isHanging = false;
    await runtime.applyDirector(direct(keys.director, { counter: 4, bundle: next, shadow }));
    await hanging;
    expect(runtime.report().shadowBundle).toBe(shadow);
  });

  it('ends when the runtime closes, and is taken up at the next start', async () => {
    const { runtime, next } = await withHanging();
    const hanging = runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    await expect.poll(() => runtime.report().counter).toBe(2);
    await runtime.close();
    await hanging;
    stand.blobs.isHanging = false;
    const second = await stand.start();
    await settled(second, 'activated');
    expect(activeOf(second)?.bundle).toBe(next);
  });
});

describe('finding back', () => {
  /** A session that works while it is tried, then fails or stalls on the road when told to. */
  function faulty(control: { fails: boolean }): RuntimeParts {
    return {
      openSession: async () => {
        const session: ModelSession = {
          run: async () => {
            if (control.fails) throw new FleetError('INFER_FAILED', 'the model does not run');
            return Float32Array.from([0.8, 0.1, 0.1]);
          },
          close: async () => {},
        };
        return session;
      },
    };
  }
  const golden = { inputs: [[0, 1, 0, 1]], outputs: [[0.8, 0.1, 0.1]] };

  it('reverts to the confirmed slot when inferences fail before confirmation', async () => {
    const control = { fails: false };
    const runtime = await stand.start(faulty(control));
    const former = await makeBundle(stand.blobs, keys, 1, { golden });
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle: former }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    const next = await makeBundle(stand.blobs, keys, 2, { golden });
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    control.fails = true;
    const results = await drive(runtime, 2);
    expect(results.slice(0, 3).every((result) => result.inference.fallback && result.bundle === next)).toBe(true);
    control.fails = false;
    await expect.poll(() => activeOf(runtime)?.bundle, { timeout: 5_000 }).toBe(former);
    expect(activeOf(runtime)?.state).toBe('confirmed');
    expect(runtime.report().slots.find((slot) => slot.bundle === next)?.state).toBe('reverted');
    expect(runtime.report().refused).toMatchObject({ counter: 2, code: 'INFER_FAILED' });
    // Told the same again, it stays where it is.
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    expect(activeOf(runtime)?.bundle).toBe(former);
  });

  it('runs no model when the first one fails', async () => {
    const control = { fails: false };
    const runtime = await stand.start(faulty(control));
    await runtime.applyDirector(
      direct(keys.director, { counter: 1, bundle: await makeBundle(stand.blobs, keys, 1, { golden }) }),
    );
    control.fails = true;
    await drive(runtime, 4);
    await expect.poll(() => runtime.report().activeSlot, { timeout: 5_000 }).toBeNull();
    expect(runtime.report().refused).toMatchObject({ code: 'INFER_FAILED' });
  });

  it('installs again what went bad on disk, and runs the former model meanwhile', async () => {
    const first = await stand.start();
    const [former, next] = [await makeBundle(stand.blobs, keys, 1), await makeBundle(stand.blobs, keys, 2)];
    for (const [counter, bundle] of [
      [1, former],
      [2, next],
    ] as const) {
      await first.applyDirector(direct(keys.director, { counter, bundle }));
      await drive(first, 6);
      await settled(first, 'confirmed');
    }
    const slot = first.report().activeSlot;
    await first.close();
    const file = join(stand.stateDir, 'models', `slot-${slot}`, 'bundle.json');
    await writeFile(file, (await readFile(file)).subarray(10));
    const second = await stand.start();
    await settled(second, 'activated');
    expect(activeOf(second)?.bundle).toBe(next);
  });
});
