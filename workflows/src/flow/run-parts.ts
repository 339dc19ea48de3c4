/**
 * The one pattern of all long work: a list of parts, each the work of one activity, run side by side within a bound, retried one
 * by one, visible while it runs, stopped by a cancellation, and continued in a fresh history long before Temporal's limits.
 *
 * A part is a batch: files, recordings or rows enough for seconds of work, never one row. Its result is small, a digest and
 * counts; bulk goes to the blob store.
 */
import {
  ApplicationFailure,
  condition,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { drainParts, NO_PARTS_YET, type PartsProgress, type PartsState } from './drain-parts.ts';
import { flowFailure, reasonOf } from './failure.ts';
import type { ReportStep } from './progress.ts';

/** Parts of one work; each is listed in the input of every continued run. */
export const PARTS_MAX = 10_000;
/** Activities that one workflow may keep pending is 2,000; this leaves room for whatever else it does. */
export const PARTS_AT_ONCE_MAX = 200;
/** A history is continued above this many events; Temporal ends a workflow at 51,200, and one replays faster when it is short. */
const EVENTS_PER_RUN_MAX = 8_000;
/** A history is continued above this size; Temporal ends a workflow at 50 MB. */
const HISTORY_BYTES_MAX = 8 * 1_024 * 1_024;
/** JSON text of what is handed to the continued run, with the parts; a payload may have 2 MB. */
const STATE_CHARACTERS_MAX = 1_500_000;
/** When so many parts have failed, the cause is not in the parts. */
const FAILED_PARTS_MAX = 16;
const FAILURES_NAMED_MAX = 5;
/** Of what is said of failures in the answer to the query `progress`. */
const WHY_CHARACTERS_MAX = 1_000;

/** Runs the parts that have failed once more. Answers how many. Refused while none waits for it. */
export const retryPartsUpdate = defineUpdate<number>('retryParts');

/** How parts stand, and what is wrong with the first that failed, for whoever decides whether to try them again. */
export type PartsReport = PartsProgress & { readonly waitsForRetry: boolean; readonly why?: string };

export type RunPartsOptions<Part, Result> = {
  readonly concurrency: number;
  /** One activity, whose own retry policy is the retry of the part. */
  readonly work: (part: Part, index: number) => Promise<Result>;
  /** What a person calls the part. */
  readonly nameOf?: (part: Part, index: number) => string;
  readonly onProgress?: (progress: PartsReport) => void;
  /** State in the input of a continued run; undefined in the first. */
  readonly resume: PartsState<Result> | undefined;
  /** Continues as new with the same input and this state: `(state) => continueAsNew<typeof flow>({ ...input, resume: state })`. */
  readonly continueWith: (state: PartsState<Result>) => Promise<never>;
  /** How long parts that failed wait for the update `retryParts`, after all others have ended; 0: not at all. */
  readonly retryWaitMs?: number;
  /** For work that adds much to the history by itself. */
  readonly eventsPerRunMax?: number;
};

/**
 * Runs all parts and returns their results in the order of the parts.
 * Fails with the code of the first failed part, naming the failed parts, or with WORKFLOW_LIMIT when parts or results are too
 * many for one workflow; a cancellation ends it as cancelled, after running activities have been told.
 */
export async function runParts<Part, Result>(
  parts: readonly Part[],
  options: RunPartsOptions<Part, Result>,
): Promise<readonly Result[]> {
  assertLimits(parts, options.concurrency);
  let state: PartsState<Result> = options.resume ?? NO_PARTS_YET;
  let waitsForRetry = false;
  setHandler(
    retryPartsUpdate,
    () => {
      const { length } = state.failed;
      state = { ...state, failed: [] };
      return length;
    },
    {
      validator: () => {
        if (!waitsForRetry) throw flowFailure('WORKFLOW_STATE', 'no part waits to be tried again');
      },
    },
  );
  for (;;) {
    state = await drainParts(parts, state, drainOptions(parts, options));
    if (state.finished.length === parts.length) return state.finished.map(({ result }) => result);
    if (state.failed.length === 0 || isCutShort(parts, state)) return options.continueWith(withinPayload(parts, state));
    waitsForRetry = true;
    const progress = { total: parts.length, finished: state.finished.length, failed: state.failed.length, running: 0 };
    options.onProgress?.({
      ...progress,
      waitsForRetry,
      why: nameFailures(parts, state, options).slice(0, WHY_CHARACTERS_MAX),
    });
    const isRetried = await condition(() => state.failed.length === 0, options.retryWaitMs ?? 0);
    waitsForRetry = false;
    if (!isRetried) throw failureOf(parts, state, options);
  }
}

/** Tells the query `progress` how many parts have ended. */
export function reportParts(report: ReportStep, step: string): (progress: PartsReport) => void {
  return ({ total, finished, failed, running, waitsForRetry, why = '' }) => {
    const counts = `${finished} of ${total} parts done, ${running} running`;
    const detail = failed === 0 ? counts : `${counts}, ${failed} failed`;
    if (waitsForRetry) report(step, 'waiting', `${detail}: retry them or cancel (${why})`);
    else report(step, finished === total ? 'done' : 'running', detail);
  };
}

/** Cuts a list into parts of at most `itemsPerPart`. */
export function partsOf<Item>(items: readonly Item[], itemsPerPart: number): readonly (readonly Item[])[] {
  const parts: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += itemsPerPart) parts.push(items.slice(from, from + itemsPerPart));
  return parts;
}

function assertLimits(parts: readonly unknown[], concurrency: number): void {
  if (parts.length > PARTS_MAX) {
    throw flowFailure('WORKFLOW_LIMIT', `${parts.length} parts, at most ${PARTS_MAX}: make each part larger`);
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > PARTS_AT_ONCE_MAX) {
    throw flowFailure('WORKFLOW_LIMIT', `${concurrency} parts at once, allowed are 1 to ${PARTS_AT_ONCE_MAX}`);
  }
}

function drainOptions<Part, Result>(
  parts: readonly Part[],
  options: RunPartsOptions<Part, Result>,
): Parameters<typeof drainParts<Part, Result>>[2] {
  const { concurrency, work, onProgress, eventsPerRunMax = EVENTS_PER_RUN_MAX } = options;
  return {
    concurrency: Math.min(concurrency, parts.length),
    failuresMax: FAILED_PARTS_MAX,
    work,
    isFull: () => {
      const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
      return continueAsNewSuggested || historyLength >= eventsPerRunMax || historySize >= HISTORY_BYTES_MAX;
    },
    reasonOf: (thrown) => (isCancellation(thrown) ? undefined : reasonOf(thrown)),
    onProgress: (progress) => onProgress?.({ ...progress, waitsForRetry: false }),
  };
}

/** Parts are left that may still be started: the history of this run was full. */
function isCutShort<Result>(parts: readonly unknown[], { finished, failed }: PartsState<Result>): boolean {
  return failed.length < FAILED_PARTS_MAX && finished.length + failed.length < parts.length;
}

function withinPayload<Result>(parts: readonly unknown[], state: PartsState<Result>): PartsState<Result> {
  const characters = JSON.stringify(parts).length + JSON.stringify(state).length;
  if (characters <= STATE_CHARACTERS_MAX) return state;
  throw flowFailure(
    'WORKFLOW_LIMIT',
    `parts and results take ${characters} characters, at most ${STATE_CHARACTERS_MAX}: store them as blobs and hand on digests`,
  );
}

function failureOf<Part, Result>(
  parts: readonly Part[],
  state: PartsState<Result>,
  options: RunPartsOptions<Part, Result>,
): Error {
  const { failed } = state;
  return ApplicationFailure.create({
    type: failed[0]?.reason.code ?? 'INTERNAL_UNEXPECTED',
    message: `${failed.length} of ${parts.length} parts failed: ${nameFailures(parts, state, options)}`,
    nonRetryable: true,
  });
}

function nameFailures<Part, Result>(
  parts: readonly Part[],
  { failed }: PartsState<Result>,
  { nameOf }: RunPartsOptions<Part, Result>,
): string {
  const nameOfPart = (part: number): string => nameOf?.(parts[part] as Part, part) ?? `part ${part + 1}`;
  const named = failed.slice(0, FAILURES_NAMED_MAX).map(({ part, reason }) => `${nameOfPart(part)}: ${reason.message}`);
  const more = failed.length > named.length ? `; and ${failed.length - named.length} more` : '';
  return `${named.join('; ')}${more}`;
}
