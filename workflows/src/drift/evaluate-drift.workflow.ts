/** Why: a table of a fleet has thousands of partitions; each is sampled and counted by itself, and both add up to the same bytes in any order. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { type ReportStep, trackProgress } from '../flow/progress.ts';
import { partsOf, reportParts, runParts } from '../flow/run-parts.ts';
import type { DriftActivities, DriftOutcome, SampledPart, SketchedPart, WatchDocument } from './ports.ts';

/** Partitions that one activity reads at most, so that a part stays seconds and a list stays short. */
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
  /** Parts that are worked on side by side; absent: 16. */
  readonly partsAtOnce?: number;
  /** Events after which it goes on in a fresh history; absent: what is good for Temporal. */
  readonly eventsPerRunMax?: number;
  /** What a former run of this workflow has done; its history was full. */
  readonly resume?: Sampling | Counting;
};

type Sampling = { readonly stage: 'sampling'; readonly rows: number; readonly parts: PartsState<SampledPart> };
type Counting = {
  readonly stage: 'counting';
  readonly definition: string;
  readonly parts: PartsState<SketchedPart> | undefined;
};

const long = proxyActivities<DriftActivities>(LONG_STEP);

/**
 * Fits bins to a sample of the reference, counts all partitions side by side, and judges. That something has moved is a result, not
 * a failure. Fails with DRIFT_INPUT, DRIFT_MONITOR_INVALID, BLOB_NOT_FOUND or WORKFLOW_LIMIT.
 */
export async function evaluateDrift(input: EvaluateDriftInput): Promise<DriftOutcome> {
  const report = trackProgress();
  const { definition, parts } = input.resume?.stage === 'counting' ? input.resume : await fit(input, report);
  report('fit', 'done', definition);
  const sketches = await count(input, { stage: 'counting', definition, parts }, report);
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

/** Which rows are sampled depends on each row alone, and the edges on the sorted sample: parts may come in any order. */
async function fit(input: EvaluateDriftInput, report: ReportStep): Promise<Counting> {
  const { watch, kind } = input;
  const reference = input.reference.length > 0 ? input.reference : input.current;
  const resume = input.resume?.stage === 'sampling' ? input.resume : undefined;
  report('sample', 'running', 'measuring the reference');
  const { rows } = resume ?? (await long.measureReference({ watch, kind, partitions: reference }));
  const samples = rows === null ? [] : await sample(input, { reference, rows, parts: resume?.parts }, report);
  if (rows === null) report('sample', 'done', 'all bins are named');
  report('fit', 'running', 'taking bins from the sample');
  const { definition } = await long.fitDefinition({ watch, kind, samples: samples.map((each) => each.sample) });
  return { stage: 'counting', definition, parts: undefined };
}

async function sample(
  input: EvaluateDriftInput,
  {
    reference,
    rows,
    parts,
  }: {
    readonly reference: readonly string[];
    readonly rows: number;
    readonly parts: PartsState<SampledPart> | undefined;
  },
  report: ReportStep,
): Promise<readonly SampledPart[]> {
  const { watch, kind } = input;
  return runParts(cut(reference), {
    ...partsOptions(input),
    work: async (partitions) => long.sampleReference({ watch, kind, partitions, rows }),
    nameOf: (partitions) => `sample of ${partitions[0] ?? ''}`,
    onProgress: reportParts(report, 'sample'),
    resume: parts,
    continueWith: async (state) =>
      continueAsNew<typeof evaluateDrift>({ ...input, resume: { stage: 'sampling', rows, parts: state } }),
  });
}

async function count(
  input: EvaluateDriftInput,
  { definition, parts }: Counting,
  report: ReportStep,
): Promise<readonly SketchedPart[]> {
  const sides = (['reference', 'current'] as const).flatMap((side) =>
    cut(input[side]).map((partitions) => ({ side, partitions })),
  );
  return runParts(sides, {
    ...partsOptions(input),
    work: async ({ side, partitions }) => ({ side, ...(await long.sketchPartitions({ definition, partitions })) }),
    nameOf: ({ side, partitions }) => `${side} ${partitions[0] ?? ''}`,
    onProgress: reportParts(report, 'count'),
    resume: parts,
    continueWith: async (state) =>
      continueAsNew<typeof evaluateDrift>({ ...input, resume: { stage: 'counting', definition, parts: state } }),
  });
}

function partsOptions({ partsAtOnce, retryWaitMs, eventsPerRunMax }: EvaluateDriftInput): {
  readonly concurrency: number;
  readonly retryWaitMs: number;
  readonly eventsPerRunMax?: number;
} {
  return {
    concurrency: partsAtOnce ?? PARTS_AT_ONCE,
    retryWaitMs: retryWaitMs ?? RETRY_WAIT_MS,
    ...(eventsPerRunMax === undefined ? {} : { eventsPerRunMax }),
  };
}

function cut(partitions: readonly string[]): readonly (readonly string[])[] {
  const each = Math.min(PARTITIONS_PER_PART_MAX, Math.ceil(partitions.length / PARTS_AIMED_AT));
  return partsOf(partitions, Math.max(1, each));
}
