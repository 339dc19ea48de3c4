// Why this file exists: a vehicle's vector is judged by computing it again from the inputs that came with it, so these must be all that
// it was made of, for every definition: each engine gives the same window with the same numbers.
import { compareEngines, computeFromMessages } from '@fleetloop/control-plane';
import type { FeatureSet, SignalMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector, sampledMessages } from '@fleetloop/schemas/features';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomDefinition } from './random-definition.ts';
import { allTransforms, longDrive } from './random-drive.ts';

/** Windows of one drive that are computed again in SQL, spread over it. */
const CHECKED_MAX = 2;

const stream = (
  featureSet: FeatureSet,
  messages: readonly SignalMessage[],
  wantsInputs?: () => boolean,
): FeatureVector[] => {
  const evaluator = createStreamingEvaluator(featureSet, undefined, wantsInputs);
  return [...messages.flatMap((message) => evaluator.push(message)), ...evaluator.endSession()];
};
const isSame = (left: Pick<FeatureVector, 'windowStartNs' | 'windowEndNs'>) => (right: typeof left) =>
  left.windowStartNs === right.windowStartNs && left.windowEndNs === right.windowEndNs;

describe('the inputs of a window', () => {
  it('give the same window with the same numbers, by both engines and for every definition', async () => {
    const seen = { taken: 0, not_comparable: 0, too_large: 0, lookedBack: 0 };
    await fc.assert(
      fc.asyncProperty(longDrive, randomDefinition, async (messages, featureSet) => {
        const vectors = stream(featureSet, messages, () => true);
        const step = Math.max(1, Math.floor(vectors.length / CHECKED_MAX));
        for (const [index, vector] of vectors.entries()) {
          const inputs = vector.inputs?.();
          if (inputs === undefined) throw new Error('a chosen window has inputs');
          seen[inputs.kind] += 1;
          if (inputs.kind !== 'taken') continue;
          if (inputs.messages.some(({ logTimeNs }) => logTimeNs < vector.windowStartNs)) seen.lookedBack += 1;
          const again = sampledMessages(featureSet, inputs);
          const streamed = stream(featureSet, again).find(isSame(vector));
          expect(streamed?.values).toEqual(vector.values);
          if (index % step !== 0) continue;
          const computed = (await computeFromMessages(featureSet, again)).filter(isSame(vector));
          const report = compareEngines(featureSet, [vector], computed);
          expect([report.onlyStreaming, report.onlyBatch]).toEqual([[], []]);
          expect(report.features.filter((feature) => !feature.withinTolerance)).toEqual([]);
        }
      }),
      { numRuns: 30 },
    );
    expect(seen.taken).toBeGreaterThan(30);
    expect(seen.lookedBack).toBeGreaterThan(5);
    expect(seen.too_large).toBe(0);
  });

  it('are refused where a session was cut: alone, these samples would give a window with another start', () => {
    const featureSet = allTransforms({ gapMs: 100, lengthMsMax: 500 }, 1);
    const kinds = stream(featureSet, steady(featureSet, 40, 30), () => true).map(({ inputs }) => inputs?.().kind);
    expect(kinds).toEqual(['taken', 'not_comparable', 'not_comparable']);
  });

  it('are not copied when they are too many, and not given when nobody asked', () => {
    const featureSet = allTransforms({ lengthMs: 60_000, hopMs: 60_000 }, 1);
    const messages = steady(featureSet, 12_000, 1);
    expect(stream(featureSet, messages, () => true).map(({ inputs }) => inputs?.())).toEqual([{ kind: 'too_large' }]);
    expect(stream(featureSet, messages).map((vector) => 'inputs' in vector)).toEqual([false]);
  });
});

/** All signals of the feature set in one topic, without a gap. */
function steady({ signals }: FeatureSet, count: number, intervalMs: number): readonly SignalMessage[] {
  const channel = {
    kind: 'signal' as const,
    topic: '/vss/all',
    signals: signals.map(({ path, unit, name }) => ({ path, unit, field: name })),
  };
  return Array.from({ length: count }, (_, sequence): SignalMessage => {
    const logTimeNs = 60_000_000_000n + BigInt(sequence * intervalMs) * 1_000_000n;
    const values = Float64Array.of(1, 2, sequence);
    return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs: logTimeNs, values };
  });
}
