import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SampledVectorFilter, StoredSample } from '../ports.ts';
import { ParquetSamples } from './parquet-samples.ts';

const BYTES_MAX = 1024 * 1024;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-samples-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const sample = (window: number, changed: Partial<StoredSample> = {}): StoredSample => ({
  vehicleId: 'v1',
  session: 's1',
  featureSet: 'sha256:f',
  windowStartNs: BigInt(window) * 1_000n,
  windowEndNs: BigInt(window + 1) * 1_000n,
  receivedAtMs: window,
  bytes: Uint8Array.of(window, 0, 255),
  ...changed,
});
const ALL: SampledVectorFilter = {
  featureSet: 'sha256:f',
  vehicles: [],
  sinceMs: null,
  countMax: 100,
  bytesMax: 1_000,
};
const windowsOf = async (samples: ParquetSamples, filter: Partial<SampledVectorFilter> = {}) =>
  (await samples.select({ ...ALL, ...filter })).map(({ windowStartNs }) => Number(windowStartNs) / 1_000);

describe('samples on disk', () => {
  it('come back as they were, in order of vehicle, session and time, and none before the first', async () => {
    const samples = await ParquetSamples.open(folder, BYTES_MAX);
    expect(await samples.select(ALL)).toEqual([]);
    await samples.write([sample(3), sample(2, { vehicleId: 'v2' })], 5, 9);
    await samples.write([sample(1)], 10, 10);
    const found = await samples.select(ALL);
    expect(found).toEqual([sample(1), sample(3), sample(2, { vehicleId: 'v2' })]);
  });

  it('are found by feature set, vehicle and time of arrival', async () => {
    const samples = await ParquetSamples.open(folder, BYTES_MAX);
    await samples.write([sample(1), sample(2, { vehicleId: 'v2' }), sample(3, { featureSet: 'sha256:g' })], 1, 3);
    expect(await windowsOf(samples)).toEqual([1, 2]);
    expect(await windowsOf(samples, { vehicles: ['v2'] })).toEqual([2]);
    expect(await windowsOf(samples, { sinceMs: 2 })).toEqual([2]);
  });

  it('count once when a vehicle has sent them twice, as they first came', async () => {
    const samples = await ParquetSamples.open(folder, BYTES_MAX);
    await samples.write([sample(1)], 1, 1);
    await samples.write([sample(1, { receivedAtMs: 7, bytes: Uint8Array.of(9) })], 2, 2);
    expect(await samples.select(ALL)).toEqual([sample(1)]);
  });

  it('leave with the oldest partition when there are too many bytes, and go on behind the newest', async () => {
    const probe = await ParquetSamples.open(folder, BYTES_MAX);
    await probe.write([sample(1)], 1, 1);
    const [name = ''] = await readdir(folder);
    const { size } = await stat(join(folder, name));
    const samples = await ParquetSamples.open(folder, 3 * size);
    for (let window = 2; window <= 6; window += 1) {
      await samples.write([sample(window)], window, window);
      expect((await readdir(folder)).length).toBeLessThanOrEqual(3);
    }
    expect(await windowsOf(samples)).toEqual([4, 5, 6]);
    expect((await ParquetSamples.open(folder, 1)).lastSequence).toBe(6);
  });

  it('are there, however few bytes are allowed, until the next ones are', async () => {
    const samples = await ParquetSamples.open(folder, 1);
    await samples.write([sample(1)], 1, 1);
    expect(await windowsOf(samples)).toEqual([1]);
    await samples.write([sample(2)], 2, 2);
    expect(await windowsOf(samples)).toEqual([2]);
  });

  it('are written once though others cannot leave, which the next write says before it begins', async () => {
    const samples = await ParquetSamples.open(folder, 1);
    const stuck = join(folder, 'feature-sample-000000000000-000000000000.parquet');
    await mkdir(stuck);
    await samples.write([sample(1)], 1, 1);
    await expect(samples.write([sample(2)], 2, 2)).rejects.toThrow(stuck);
    await rm(stuck, { recursive: true });
    expect(await windowsOf(samples)).toEqual([1]);
    await samples.write([sample(2)], 2, 2);
    expect(await windowsOf(samples)).toEqual([2]);
  });

  it('are read while others leave', async () => {
    const samples = await ParquetSamples.open(folder, 1);
    const other = await ParquetSamples.open(folder, 1);
    await samples.write([sample(0)], 1, 1);
    for (let window = 1; window <= 40; window += 1) {
      const next = window + 1;
      const [found] = await Promise.all([other.select(ALL), samples.write([sample(window)], next, next)]);
      // One partition, or two between the rename of the new one and the end of the old one.
      expect([1, 2]).toContain(found.length);
    }
  });

  it('are the newest where there are too many, or too many bytes', async () => {
    const samples = await ParquetSamples.open(folder, BYTES_MAX);
    await samples.write([sample(1), sample(2), sample(3)], 1, 3);
    expect(await windowsOf(samples, { countMax: 2 })).toEqual([2, 3]);
    expect(await windowsOf(samples, { bytesMax: 7 })).toEqual([2, 3]);
    expect(await windowsOf(samples, { bytesMax: 2 })).toEqual([]);
  });

  it('survive a restart with the sequence they reach, and half a partition does not', async () => {
    await (await ParquetSamples.open(folder, BYTES_MAX)).write([sample(1)], 4, 12);
    await writeFile(join(folder, 'feature-sample-000000000013-000000000014.parquet.active'), 'half');
    const again = await ParquetSamples.open(folder, BYTES_MAX);
    expect(again.lastSequence).toBe(12);
    expect(await windowsOf(again)).toEqual([1]);
    expect(await readdir(folder)).toEqual(['feature-sample-000000000004-000000000012.parquet']);
  });
});
