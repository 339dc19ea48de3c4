/** A recording on this machine gives what the control plane computes from it, and what its vehicle computed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFeatureSet, type SignalChannel, type SignalMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator } from '@fleetloop/schemas/features';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diskSourceFiles } from '../adapters/disk-source-files.ts';
import { computeFile, ENGINES } from './compute-file.ts';

const NS_PER_MS = 1_000_000n;
const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const FEATURE_SET = parseFeatureSet({
  kind: 'feature-set',
  name: 'speeds',
  version: 1,
  owner: 'features',
  validator: 'parity',
  date: '2026-11-21',
  entity: 'vehicle',
  window: { lengthMs: 100, hopMs: 100, latenessMs: 20 },
  signals: [{ name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 }],
  derived: [],
  features: [{ name: 'speed_mean', input: 'speed', transform: 'mean' }],
  tolerance: { absolute: 0, relative: 0 },
  latencyBudgetMs: 10,
});
/** Two messages come after their window has closed, one while it waits. */
const MESSAGES = [0, 50, 110, 90, 130, 70, 240, 160, 310].map((timeMs, sequence): SignalMessage => {
  const logTimeNs = 1_700_000_000_000_000_000n + BigInt(timeMs) * NS_PER_MS;
  const values = Float64Array.of(2 ** sequence);
  return { kind: 'signal', channel: SPEED, sequence, logTimeNs, publishTimeNs: logTimeNs, values };
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-compute-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function writeRecording(path: string): Promise<void> {
  const parts: Uint8Array[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => {
    parts.push(Uint8Array.from(bytes));
  };
  const writer = await RecordingWriter.open(
    { write },
    {
      vehicle: { id: 'husky-1', hardwareRevision: 'A' },
      software: { name: 'agent', version: '1.0.0' },
      session: { name: 'drive', attributes: {} },
      clock: { source: 'gnss', uncertaintyNs: '0' },
      gaps: [],
      loss: {},
    },
  );
  for (const message of MESSAGES) await writer.write(message);
  await writer.close();
  await writeFile(path, Buffer.concat(parts));
}

it.each(ENGINES)('leaves out of a recording what came too late on its vehicle, by the %s engine', async (engine) => {
  const path = join(folder, `${engine}.mcap`);
  await writeRecording(path);
  const vehicle = createStreamingEvaluator(FEATURE_SET);
  const vectors = [...MESSAGES.flatMap((message) => vehicle.push(message)), ...vehicle.endSession()];
  const computed = await computeFile(path, engine, { featureSet: FEATURE_SET, files: diskSourceFiles });
  expect(vehicle.lateSamples).toBe(2);
  expect(computed).toMatchObject({ session: 'drive', messages: MESSAGES.length, lateSamples: 2 });
  expect(computed.rows.map(({ windowStartNs, values }) => [windowStartNs, ...values])).toEqual(
    vectors.map(({ windowStartNs, values }) => [windowStartNs, ...values]),
  );
});
