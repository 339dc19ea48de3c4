// Why this file exists: a vehicle must run exactly what was signed for it, prove it on its own hardware, and find back by itself.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelRuntime } from '@fleetloop/edge-agent';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { chooseWindows } from '@fleetloop/schemas/features';
import { describe, expect, it } from 'vitest';
import { direct, drive, LABELS, makeBundle, makeKeys, SAMPLE_EVERY } from './model-bench.ts';
import { activeOf, ModelStand, settled } from './model-stand.ts';

const keys = makeKeys();
const stand = new ModelStand(keys);

describe('installing', () => {
  it('runs a signed bundle, says why it picked the variant, and confirms it after the health window', async () => {
    const runtime = await stand.start();
    expect(await drive(runtime, 2)).toEqual([]);
    const bundle = await makeBundle(stand.blobs, keys, 1);
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle }));
    expect(activeOf(runtime)).toMatchObject({ state: 'activated', bundle });
    expect(activeOf(runtime)?.reason).toMatch(/fp32 .*median .* p99 .*int8 .*golden rows/);
    const results = await drive(runtime, 6);
    expect(results.length).toBeGreaterThanOrEqual(10);
    for (const { inference, model } of results) {
      expect(model).toBe('bench');
      expect(LABELS).toContain(inference.output);
      expect(inference.confidence).toBeGreaterThan(1 / 3);
      expect(inference.distance).toBeGreaterThan(0);
      expect(inference.features).toHaveLength(4);
      expect(inference.fallback).toBe(false);
    }
    expect(new Set(results.map((result) => result.inference.sequence)).size).toBe(results.length);
    await settled(runtime, 'confirmed');
  });

  it('rolls back to the bundle in the other slot without any download, and it is confirmed at once', async () => {
    const runtime = await stand.start();
    const [former, next] = [await makeBundle(stand.blobs, keys, 1), await makeBundle(stand.blobs, keys, 2)];
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle: former }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: next }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    const served = stand.blobs.served.length;
    await runtime.applyDirector(direct(keys.director, { counter: 3, bundle: former }));
    expect(stand.blobs.served.length).toBe(served);
    expect(activeOf(runtime)).toMatchObject({ bundle: former, state: 'confirmed' });
    expect((await drive(runtime, 2)).every((result) => result.bundle === former && result.directorCounter === 3)).toBe(
      true,
    );
  });

  it('fetches only what no slot holds already', async () => {
    const runtime = await stand.start();
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle: await makeBundle(stand.blobs, keys, 1) }));
    const served = stand.blobs.served.length;
    // Another version of the same files: only its envelope is new.
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: await makeBundle(stand.blobs, keys, 2) }));
    expect(stand.blobs.served.length).toBe(served + 1);
  });

  it('keeps model, state and numbering over a restart', async () => {
    const first = await stand.start();
    const bundle = await makeBundle(stand.blobs, keys, 1);
    await first.applyDirector(direct(keys.director, { counter: 7, bundle }));
    const before = await drive(first, 6);
    await settled(first, 'confirmed');
    await first.close();
    const second = await stand.start();
    expect(second.report()).toMatchObject({ counter: 7, activeSlot: 'A' });
    expect(activeOf(second)).toMatchObject({ state: 'confirmed', bundle });
    const after = await drive(second, 2);
    const highest = before.reduce(
      (most, result) => (result.inference.sequence > most ? result.inference.sequence : most),
      0n,
    );
    expect(after.length).toBeGreaterThan(0);
    expect(after.every((result) => result.inference.sequence > highest)).toBe(true);
  });

  it('computes the features of an active and a shadow model of one set once, and samples them with their inputs', async () => {
    const runtime = await stand.start();
    const [bundle, shadow] = [await makeBundle(stand.blobs, keys, 1), await makeBundle(stand.blobs, keys, 2)];
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle, shadow }));
    const results = await drive(runtime, 12);
    expect(runtime.features()).toMatchObject([{ featureSet: { name: 'bench' }, vectors: results.length / 2 }]);
    const isChosen = chooseWindows(SAMPLE_EVERY);
    for (const { inference, sampled } of results)
      expect(sampled?.inputs().kind).toBe(isChosen(inference.windowStartNs) ? 'taken' : undefined);
    const roles = results.flatMap(({ inference, sampled }) => (sampled === undefined ? [] : [inference.role]));
    expect(new Set(roles)).toEqual(new Set([1, 2]));
    // A shadow that goes leaves the cache to the active model, and one that comes again finds it warm.
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle, shadow: null }));
    expect((await drive(runtime, 3, 'second')).map(({ inference }) => inference.role)).not.toContain(2);
    await runtime.applyDirector(direct(keys.director, { counter: 3, bundle: shadow, shadow: bundle }));
    const third = await drive(runtime, 3, 'third');
    const vectorsOf = (role: number): unknown =>
      third.filter(({ inference }) => inference.role === role).map(({ inference }) => inference.features);
    expect(vectorsOf(1)).toEqual(vectorsOf(2));
    expect(runtime.features()).toHaveLength(1);
  });

  it('runs a shadow silently beside the active model', async () => {
    const runtime = await stand.start();
    const [bundle, shadow] = [await makeBundle(stand.blobs, keys, 1), await makeBundle(stand.blobs, keys, 2)];
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle, shadow }));
    expect(runtime.report().shadowBundle).toBe(shadow);
    const results = await drive(runtime, 4);
    const byRole = (role: number) => results.filter((result) => result.inference.role === role);
    expect(byRole(1).length).toBeGreaterThan(5);
    expect(byRole(2).length).toBe(byRole(1).length);
    expect(byRole(2).every((result) => result.bundle === shadow)).toBe(true);
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle, shadow: null }));
    expect(runtime.report().shadowBundle).toBeNull();
    expect((await drive(runtime, 2)).every((result) => result.bundle === bundle)).toBe(true);
  });

  it('runs no model when the director names none', async () => {
    const runtime = await stand.start();
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle: await makeBundle(stand.blobs, keys, 1) }));
    await runtime.applyDirector(direct(keys.director, { counter: 2, bundle: null }));
    expect(runtime.report().activeSlot).toBeNull();
    expect(await drive(runtime, 2)).toEqual([]);
  });

  it('tries a failed download again', async () => {
    const runtime = await stand.start();
    const bundle = await makeBundle(stand.blobs, keys, 1);
    stand.blobs.failures = 1;
    await runtime.applyDirector(direct(keys.director, { counter: 1, bundle }));
    expect(activeOf(runtime)).toMatchObject({ bundle, state: 'activated' });
  });
});

describe('refusing', () => {
  async function withFormer(): Promise<{ runtime: ModelRuntime; former: string }> {
    const runtime = await stand.start();
    const former = await makeBundle(stand.blobs, keys, 1);
    await runtime.applyDirector(direct(keys.director, { counter: 5, bundle: former }));
    await drive(runtime, 6);
    await settled(runtime, 'confirmed');
    return { runtime, former };
  }
  async function expectRefused(runtime: ModelRuntime, former: string, code: string): Promise<void> {
    expect(runtime.report().refused?.code).toBe(code);
    expect(activeOf(runtime)).toMatchObject({ bundle: former, state: 'confirmed' });
    expect((await drive(runtime, 2)).every((result) => result.bundle === former)).toBe(true);
  }

  it('a director document signed by somebody else', async () => {
    const { runtime, former } = await withFormer();
    await runtime.applyDirector(
      direct(generateSigningKey(), { counter: 6, bundle: await makeBundle(stand.blobs, keys, 2) }),
    );
    await expectRefused(runtime, former, 'PACKAGE_SIGNATURE');
    expect(runtime.report().counter).toBe(5);
  });

  it('a director document signed by the image key', async () => {
    const { runtime, former } = await withFormer();
    await runtime.applyDirector(direct(keys.image, { counter: 6, bundle: null }));
    await expectRefused(runtime, former, 'PACKAGE_SIGNATURE');
  });

  it('a director document with a lower counter, or the same counter with other content', async () => {
    const { runtime, former } = await withFormer();
    for (const counter of [4, 5]) {
      await runtime.applyDirector(direct(keys.director, { counter, bundle: await makeBundle(stand.blobs, keys, 2) }));
      await expectRefused(runtime, former, 'INSTALL_COUNTER');
    }
  });

  it('a director document for another vehicle', async () => {
    const { runtime, former } = await withFormer();
    await runtime.applyDirector(direct(keys.director, { counter: 6, bundle: null, vehicleId: 'v-02' }));
    await expectRefused(runtime, former, 'INSTALL_INCOMPATIBLE');
  });

  it('a bundle with a wrong signature', async () => {
    const { runtime, former } = await withFormer();
    const forged = await makeBundle(stand.blobs, { ...keys, image: generateSigningKey() }, 2);
    await runtime.applyDirector(direct(keys.director, { counter: 6, bundle: forged }));
    await expectRefused(runtime, former, 'PACKAGE_SIGNATURE');
  });

  it('a bundle whose bytes were altered on the way', async () => {
    const { runtime, former } = await withFormer();
    const golden = { inputs: [[0, 1, 0, 1]], outputs: [[0.3, 0.3, 0.4]] };
    const before = new Set(stand.blobs.bytes.keys());
    const bundle = await makeBundle(stand.blobs, keys, 2, { golden });
    for (const digest of [...stand.blobs.bytes.keys()].filter((entry) => !before.has(entry))) {
      stand.blobs.corrupt = new Set([digest]);
      const counter = runtime.report().counter + 1;
      await runtime.applyDirector(direct(keys.director, { counter, bundle }));
      await expectRefused(runtime, former, 'PACKAGE_DIGEST');
    }
  });

  it('a bundle for other hardware', async () => {
    const { runtime, former } = await withFormer();
    const bundle = await makeBundle(stand.blobs, keys, 2, { hardwareProfiles: ['B', 'C'] });
    await runtime.applyDirector(direct(keys.director, { counter: 6, bundle }));
    await expectRefused(runtime, former, 'INSTALL_INCOMPATIBLE');
  });

  it('a model that does not give the golden outputs here', async () => {
    const { runtime, former } = await withFormer();
    const golden = {
      inputs: [
        [0, 1, 0, 1],
        [3, 1, -3, 2],
      ],
      outputs: [
        [0.01, 0.01, 0.98],
        [0.98, 0.01, 0.01],
      ],
    };
    await runtime.applyDirector(
      direct(keys.director, { counter: 6, bundle: await makeBundle(stand.blobs, keys, 2, { golden }) }),
    );
    await expectRefused(runtime, former, 'INSTALL_GOLDEN');
    expect(runtime.report().refused?.message).toMatch(/fp32.*worst difference/);
  });

  it('a model file that ONNX Runtime cannot load, but takes the other variant', async () => {
    const { runtime } = await withFormer();
    const bundle = await makeBundle(stand.blobs, keys, 2, { fp32: Buffer.from('not a model') });
    await runtime.applyDirector(direct(keys.director, { counter: 6, bundle }));
    expect(activeOf(runtime)).toMatchObject({ bundle, variant: 'int8' });
    expect(activeOf(runtime)?.reason).toMatch(/fp32 .* dropped/);
  });

  it('a bundle that is slower than its budget', async () => {
    const { runtime, former } = await withFormer();
    const bundle = await makeBundle(stand.blobs, keys, 2, { latencyBudgetMs: 0.000001 });
    await runtime.applyDirector(direct(keys.director, { counter: 6, bundle }));
    await expectRefused(runtime, former, 'INSTALL_LATENCY');
  });

  it('to start with a damaged state, rather than forget the counter', async () => {
    const { runtime } = await withFormer();
    await runtime.close();
    await writeFile(join(stand.stateDir, 'models', 'state.json'), '{"kind":"install-state","counter":');
    await expect(stand.start()).rejects.toMatchObject({ code: 'INSTALL_INCOMPATIBLE' });
  });
});
