/** Why: the features of a fleet are hours of work over many recordings; parts of them are computed side by side into one table. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { trackProgress } from '../flow/progress.ts';
import { reportParts, runParts } from '../flow/run-parts.ts';
import type { FeatureActivities, FeaturesOutcome, FeaturesPart, FeaturesPlan } from './ports.ts';

const PARTS_AT_ONCE = 16;
/** How long parts that failed may be repaired and tried again. */
const RETRY_WAIT_MS = 60 * 60 * 1_000;

export type ComputeFeaturesInput = {
  readonly computationId: string;
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** CEL over the catalogue; null takes all of it. */
  readonly where: string | null;
  readonly actor: string;
  /** Bytes of recordings in one part; absent: what is good for the workers. The table is the same for any number. */
  readonly partBytes?: number;
  /** How long parts that failed wait to be tried again; absent: an hour. */
  readonly retryWaitMs?: number;
  /** What a former run of this workflow has done; its history was full. */
  readonly resume?: { readonly plan: FeaturesPlan; readonly parts: PartsState<FeaturesPart> };
};

const long = proxyActivities<FeatureActivities>(LONG_STEP);

/**
 * Chooses recordings, computes them in parts, and stores one table: the same bytes however many workers there are.
 * Fails with NOT_FOUND, REQUEST_INVALID, DATASET_EMPTY, FEATURE_LIMIT or the code of a part.
 */
export async function computeFeatures(input: ComputeFeaturesInput): Promise<FeaturesOutcome> {
  const report = trackProgress();
  const { computationId, featureSet, where, actor, partBytes, resume } = input;
  report('plan', 'running', where ?? 'all recordings');
  const plan =
    resume?.plan ?? (await long.planFeatures({ featureSet, where, ...(partBytes === undefined ? {} : { partBytes }) }));
  report('plan', 'done', `${plan.recordings} recordings in ${plan.parts.length} parts`);
  const parts = await runParts<string, FeaturesPart>(plan.parts, {
    concurrency: PARTS_AT_ONCE,
    work: async (part) => long.computeFeaturesPart({ featureSet: plan.featureSet, part }),
    onProgress: reportParts(report, 'compute'),
    resume: resume?.parts,
    continueWith: async (state) => continueAsNew<typeof computeFeatures>({ ...input, resume: { plan, parts: state } }),
    retryWaitMs: input.retryWaitMs ?? RETRY_WAIT_MS,
  });
  report('join', 'running', `${parts.reduce((sum, { rows }) => sum + rows, 0)} windows`);
  const outcome = await long.joinFeatures({ computationId, plan, where, parts, actor });
  report('join', 'done', `${outcome.rows} windows: ${outcome.table}`);
  return outcome;
}
