// Why this file exists: both engines of a feature set must give the same windows with the same numbers, whatever the data.
import { compareEngines, computeFromMessages } from '@fleetloop/control-plane';
import type { FeatureSet, SignalMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator } from '@fleetloop/schemas/features';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomDefinition } from './random-definition.ts';
import { allTransforms, longDrive, MOTION, randomDrive, sizeOf, SPEED } from './random-drive.ts';

async function parityOf(featureSet: FeatureSet, messages: readonly SignalMessage[]) {
  const evaluator = createStreamingEvaluator(featureSet);
  const streaming = [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
  const late = { streaming: evaluator.lateSamples, batch: 0 };
  const onLateSamples = (_: unknown, count: number): void => void (late.batch += count);
  const batch = await computeFromMessages(featureSet, messages, { onLateSamples });
  return { streaming, late, report: compareEngines(featureSet, streaming, batch) };
}

describe('streaming and SQL', () => {
  it('agree on windows and values of random drives with gaps, missing values and stamps out of order', async () => {
    let windows = 0;
    const window = fc.record({
      lengthMs: fc.integer({ min: 50, max: 900 }),
      hopMs: fc.integer({ min: 30, max: 1_200 }),
    });
    await fc.assert(
      fc.asyncProperty(randomDrive, window, fc.integer({ min: 1, max: 5 }), async (messages, shape, samplesMin) => {
        const featureSet = allTransforms(shape, samplesMin, sizeOf(messages));
        const { streaming, report } = await parityOf(featureSet, messages);
        windows += streaming.length;
        expect(report.onlyStreaming).toEqual([]);
        expect(report.onlyBatch).toEqual([]);
        expect(report.features.filter((feature) => !feature.withinTolerance)).toEqual([]);
      }),
      { numRuns: 60 },
    );
    expect(windows).toBeGreaterThan(20);
  });

  it('agree on every definition, and on how many samples were late, over drives with holes, repeats and values that are no numbers', async () => {
    let values = 0;
    let lateSamples = 0;
    await fc.assert(
      fc.asyncProperty(longDrive, randomDefinition, async (messages, featureSet) => {
        const { streaming, late, report } = await parityOf(featureSet, messages);
        lateSamples += late.streaming;
        expect(late.batch).toBe(late.streaming);
        values += streaming.reduce((sum, vector) => sum + vector.values.filter(Number.isFinite).length, 0);
        expect({ onlyStreaming: report.onlyStreaming, onlyBatch: report.onlyBatch }).toEqual({
          onlyStreaming: [],
          onlyBatch: [],
        });
        expect(report.features.filter((feature) => !feature.withinTolerance)).toEqual([]);
      }),
      { numRuns: Number(process.env['PARITY_RUNS'] ?? 150) },
    );
    expect(values).toBeGreaterThan(1_000);
    expect(lateSamples).toBeGreaterThan(100);
  });

  it('agree on a constant series, whose mean may round beside its values', async () => {
    const messages = Array.from({ length: 400 }, (_, index) => constantMessage(index));
    const { streaming, report } = await parityOf(allTransforms({ lengthMs: 1_000, hopMs: 500 }, 10), messages);
    expect(streaming.length).toBeGreaterThan(5);
    expect(report.withinTolerance).toBe(true);
  });

  it('show a difference when the batch side saw other units', async () => {
    const messages = Array.from({ length: 400 }, (_, index) => constantMessage(index));
    const featureSet = allTransforms({ lengthMs: 1_000, hopMs: 500 }, 10);
    const evaluator = createStreamingEvaluator(featureSet);
    const streaming = [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
    const inG = messages.map((message) => ({ ...message, values: message.values.map((value) => value / 9.80665) }));
    const report = compareEngines(featureSet, streaming, await computeFromMessages(featureSet, inG));
    expect(report.withinTolerance).toBe(false);
    expect(report.features.find((feature) => feature.feature === 'x_mean')?.withinTolerance).toBe(false);
    expect(report.features.find((feature) => feature.feature === 'x_count')?.worstAbsolute).toBe(0);
  });
});

function constantMessage(index: number): SignalMessage {
  const logTimeNs = 1_000_000_000_000n + BigInt(index) * 10_000_000n;
  const isMotion = index % 4 !== 0;
  return {
    kind: 'signal',
    channel: isMotion ? MOTION : SPEED,
    sequence: index,
    logTimeNs,
    publishTimeNs: logTimeNs,
    values: Float64Array.from(isMotion ? [0.1, 0.3, 9.81] : [36.7]),
  };
}
