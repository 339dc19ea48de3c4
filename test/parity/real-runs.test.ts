// Why this file exists: parity on the drives that models are trained on, through recordings as they are stored, for the feature sets in use.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { compareEngines, createFeatureBatch, joinParity, type ParityReport } from '@fleetloop/control-plane';
import { loadMapping, openSource } from '@fleetloop/edge-agent';
import { type Digest, type FeatureSet, parseFeatureSet, type RecordingMetadata } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { readRecording, RecordingWriter } from '@fleetloop/schemas/recording';
import { borealtcRuns, type RecordedDrive } from '@fleetloop/sim';
import { beforeAll, describe, expect, it } from 'vitest';

const FEATURE_SETS = join(import.meta.dirname, '../../sim/feature-sets');
const recordings = new Map<Digest, Uint8Array>();

beforeAll(async () => {
  for (const run of borealtcRuns()) {
    const bytes = await record(run);
    recordings.set(digestOfBytes(bytes), bytes);
  }
});

/** The recording that an import of the run would store. */
async function record(run: RecordedDrive): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => {
    parts.push(Uint8Array.from(bytes));
  };
  const metadata: RecordingMetadata = {
    vehicle: { id: 'husky', hardwareRevision: 'A' },
    software: { name: 'test', version: '1' },
    session: { name: run.session, attributes: {} },
    clock: { source: 'recorder', uncertaintyNs: '0' },
    gaps: [],
    loss: {},
  };
  const writer = await RecordingWriter.open({ write }, metadata);
  const source = await openSource({ ...(await loadMapping(run.mappingPath)), sourcePath: run.sourcePath });
  for await (const batch of source.batches()) for (const message of batch) await writer.write(message);
  await writer.close();
  return Buffer.concat(parts);
}

async function stream(featureSet: FeatureSet, bytes: Uint8Array): Promise<readonly FeatureVector[]> {
  const evaluator = createStreamingEvaluator(featureSet);
  const vectors: FeatureVector[] = [];
  for await (const item of readRecording([bytes]))
    if (item.kind === 'message') vectors.push(...evaluator.push(item.message));
  return [...vectors, ...evaluator.endSession()];
}

const open = async (digest: Digest): Promise<Readable> => Readable.from([recordings.get(digest) ?? new Uint8Array()]);

describe('real runs', () => {
  it.each(['norms', 'axes'])('give the same windows and values in both engines for %s', async (name) => {
    const featureSet = parseFeatureSet(JSON.parse(await readFile(join(FEATURE_SETS, `${name}.json`), 'utf8')));
    const batch = await createFeatureBatch({ open });
    try {
      const rows = await batch.computeMany([...recordings.keys()], featureSet);
      const reports: ParityReport[] = [];
      for (const [digest, bytes] of recordings)
        reports.push(compareEngines(featureSet, await stream(featureSet, bytes), rows.get(digest) ?? []));
      const report = joinParity(reports);
      expect(report.onlyBatch).toEqual([]);
      expect(report.onlyStreaming).toEqual([]);
      expect(report.features.filter((feature) => !feature.withinTolerance)).toEqual([]);
      expect(report.features[0]?.windows).toBeGreaterThan(1_000);
      expect(Math.max(...report.features.map((feature) => feature.worstRelative))).toBeLessThan(1e-9);
    } finally {
      batch.close();
    }
  });

  it('are refused by name when a signal is missing', async () => {
    const featureSet = parseFeatureSet(JSON.parse(await readFile(join(FEATURE_SETS, 'norms.json'), 'utf8')));
    const signals = [
      ...featureSet.signals,
      { name: 'gear', path: 'Vehicle.Powertrain.Transmission.CurrentGear', unit: '', samplesMin: 1 },
    ];
    const [digest] = [...recordings.keys()];
    const batch = await createFeatureBatch({ open });
    try {
      await expect(batch.compute(digest as Digest, { ...featureSet, signals })).rejects.toMatchObject({
        code: 'FEATURE_INPUT_MISSING',
        message: expect.stringContaining('Transmission.CurrentGear'),
        details: { recording: digest },
      });
    } finally {
      batch.close();
    }
  });
});
