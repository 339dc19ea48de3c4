/** Why: how the engines agree on each recording is counted by many workers; as plain JSON it adds up to one report, the same for any of them. */
import type { FeatureSet, JsonValue, SourceMessage } from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { readRecording } from '@fleetloop/schemas/recording';
import { computeFromMessages } from './feature-batch.ts';
import { compareEngines, type ParityReport, type WorstValue } from './parity.ts';

/** Starts of windows that only one engine gave, as far as a report names them. */
const WINDOWS_NAMED_MAX = 1_000;

/** One recording in a parity report. Times are ns as text; null stands for a number that JSON has not. */
export type RecordingComparison = {
  readonly recording: string;
  readonly withinTolerance: boolean;
  readonly onlyStreaming: readonly string[];
  readonly onlyStreamingCount: number;
  readonly onlyBatch: readonly string[];
  readonly onlyBatchCount: number;
  readonly features: readonly {
    readonly feature: string;
    readonly windows: number;
    readonly withinTolerance: boolean;
    readonly tolerance: Readonly<Record<string, string | number>>;
    readonly worstAbsolute: number | null;
    readonly worstRelative: number | null;
    readonly worst: {
      readonly windowStartNs: string;
      readonly streaming: number | null;
      readonly batch: number | null;
    } | null;
  }[];
};

export type ComparisonSum = {
  readonly windows: number;
  readonly withinTolerance: boolean;
  /** Features out of tolerance in any recording, in the order of the set. */
  readonly differing: readonly string[];
  /** Null where one engine had a value and the other had none. */
  readonly worstAbsolute: number | null;
};

/** Has both engines compute a recording from one reading of it. */
export async function compareRecording(
  featureSet: FeatureSet,
  { recording, chunks }: { readonly recording: string; readonly chunks: AsyncIterable<Uint8Array> },
  { date, signal }: { readonly date: string; readonly signal: AbortSignal },
): Promise<RecordingComparison> {
  const evaluator = createStreamingEvaluator(featureSet);
  const vectors: FeatureVector[] = [];
  async function* through(): AsyncGenerator<SourceMessage> {
    for await (const item of readRecording(chunks)) {
      signal.throwIfAborted();
      if (item.kind !== 'message') continue;
      vectors.push(...evaluator.push(item.message));
      yield item.message;
    }
    vectors.push(...evaluator.endSession());
  }
  const batch = await computeFromMessages(featureSet, through(), { signal });
  return toPlain(recording, compareEngines(featureSet, vectors, batch, date));
}

export function sumComparisons(comparisons: readonly RecordingComparison[]): ComparisonSum {
  const differs = (index: number): boolean =>
    comparisons.some(({ features }) => features[index]?.withinTolerance === false);
  const worst = comparisons.flatMap(({ features }) => features.map(({ worstAbsolute }) => worstAbsolute));
  return {
    windows: comparisons.reduce((sum, { features }) => sum + (features[0]?.windows ?? 0), 0),
    withinTolerance: comparisons.every(({ withinTolerance }) => withinTolerance),
    differing: (comparisons[0]?.features ?? []).flatMap(({ feature }, index) => (differs(index) ? [feature] : [])),
    worstAbsolute: worst.reduce((most, each) => (most === null || each === null ? null : Math.max(most, each)), 0),
  };
}

function toPlain(recording: string, report: ParityReport): RecordingComparison {
  const { withinTolerance, onlyStreaming, onlyBatch, features } = report;
  return {
    recording,
    withinTolerance,
    onlyStreaming: onlyStreaming.slice(0, WINDOWS_NAMED_MAX).map(String),
    onlyStreamingCount: onlyStreaming.length,
    onlyBatch: onlyBatch.slice(0, WINDOWS_NAMED_MAX).map(String),
    onlyBatchCount: onlyBatch.length,
    features: features.map(({ worst, worstAbsolute, worstRelative, tolerance, ...rest }) => ({
      ...rest,
      tolerance: { ...tolerance } as Record<string, string | number>,
      worstAbsolute: finite(worstAbsolute),
      worstRelative: finite(worstRelative),
      worst: worst === undefined ? null : plainWorst(worst),
    })),
  };
}

function plainWorst({ windowStartNs, streaming, batch }: WorstValue): RecordingComparison['features'][number]['worst'] {
  return { windowStartNs: String(windowStartNs), streaming: finite(streaming), batch: finite(batch) };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** The evidence of a validation: equal comparisons give equal bytes, in whatever order they come. */
export function parityReport(
  featureSet: { readonly digest: string; readonly name: string; readonly version: number },
  date: string,
  comparisons: readonly RecordingComparison[],
): JsonValue {
  const recordings = comparisons.toSorted((left, right) => (left.recording < right.recording ? -1 : 1));
  return { kind: 'parity-report', featureSet, date, recordings } as unknown as JsonValue;
}
