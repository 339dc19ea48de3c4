/** Why: a table of a fleet has thousands of partitions; each is counted by itself, and counts add up to the same bytes in any order. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { trackProgress } from '../flow/progress.ts';
import { partsOf, reportParts, runParts } from '../flow/run-parts.ts';
import type { DriftActivities, DriftOutcome, SketchedPart, WatchDocument } from './ports.ts';

/** Partitions that one activity counts at most, so that a part stays seconds and a list stays short. */
const PARTITIONS_PER_PART_MAX = 64;
const PARTS_AIMED_AT = 200;
const PARTS_AT_ONCE = 16;
/** How long parts that failed may be repaired and tried again. */
const RETRY_WAIT_MS = 60 * 60 * 1_000;

export type EvaluateDriftInput = WatchDocument & {
  readonly evaluationId: string;
  /** Digests of Parquet blobs. For a bias audit there is no reference: the groups of the table are held against each other. */
  readonly reference: readonly string[];
  readonly current: readonly string[];
  readonly actor: string;
  /** How long parts that failed wait to be tried again; absent: an hour. */
  readonly retryWaitMs?: number;
  /** Parts that are counted side by side; absent: 16. */
  readonly partsAtOnce?: number;
  /** Events after which it goes on in a fresh history; absent: what is good for Temporal. */
  readonly eventsPerRunMax?: number;
  /** What a former run of this workflow has done; its history was full. */
  readonly resume?: { readonly definition: string; readonly parts: PartsState<SketchedPart> };
};

const long = proxyActivities<DriftActivities>(LONG_STEP);

/**
 * Fits bins to the reference, counts all partitions side by side, and judges. That something has moved is a result, not a failure.
 * Fails with DRIFT_INPUT, DRIFT_MONITOR_INVALID, BLOB_NOT_FOUND or WORKFLOW_LIMIT.
 */
export async function evaluateDrift(input: EvaluateDriftInput): Promise<DriftOutcome> {
  const report = trackProgress();
  report('fit', 'running', 'taking bins from the reference');
  const definition = input.resume?.definition ?? (await fit(input));
  report('fit', 'done', definition);
  const parts = [...sideParts('reference', input.reference), ...sideParts('current', input.current)];
  const sketches = await runParts(parts, {
    concurrency: input.partsAtOnce ?? PARTS_AT_ONCE,
    work: async ({ side, partitions }) => ({ side, ...(await long.sketchPartitions({ definition, partitions })) }),
    nameOf: ({ side, partitions }) => `${side} ${partitions[0] ?? ''}`,
    onProgress: reportParts(report, 'count'),
    resume: input.resume?.parts,
    continueWith: async (state) =>
      continueAsNew<typeof evaluateDrift>({ ...input, resume: { definition, parts: state } }),
    retryWaitMs: input.retryWaitMs ?? RETRY_WAIT_MS,
    ...(input.eventsPerRunMax === undefined ? {} : { eventsPerRunMax: input.eventsPerRunMax }),
  });
  report('judge', 'running', `${sketches.reduce((sum, { rows }) => sum + rows, 0)} rows`);
  const sketchesOf = (side: SketchedPart['side']): readonly string[] =>
    sketches.filter((each) => each.side === side).map(({ sketch }) => sketch);
  const { resume: _, ...asked } = input;
  const outcome = await long.judgeDrift({
    ...asked,
    definition,
    sketches: { reference: sketchesOf('reference'), current: sketchesOf('current') },
  });
  report('judge', 'done', `${outcome.verdict}: ${outcome.report}`);
  return outcome;
}

async function fit(input: EvaluateDriftInput): Promise<string> {
  const partitions = input.reference.length > 0 ? input.reference : input.current;
  const { definition } = await long.fitDefinition({ watch: input.watch, kind: input.kind, partitions });
  return definition;
}

type Part = { readonly side: SketchedPart['side']; readonly partitions: readonly string[] };

function sideParts(side: SketchedPart['side'], partitions: readonly string[]): readonly Part[] {
  const each = Math.min(PARTITIONS_PER_PART_MAX, Math.ceil(partitions.length / PARTS_AIMED_AT));
  return partsOf(partitions, Math.max(1, each)).map((some) => ({ side, partitions: some }));
}
