/** Why: what a fleet reported in a week is recomputed from as many recordings, and from the inputs that it sampled; the differences of parts add up in any order. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { trackProgress } from '../flow/progress.ts';
import { reportParts, runParts } from '../flow/run-parts.ts';
import type { FeatureActivities, SkewOutcome, SkewPlan } from './ports.ts';

const PARTS_AT_ONCE = 16;
/** How long parts that failed may be repaired and tried again. */
const RETRY_WAIT_MS = 60 * 60 * 1_000;

type TalliedPart = { readonly tally: string; readonly windows: number };

export type EvaluateSkewInput = {
  readonly evaluationId: string;
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** None: all. */
  readonly vehicles: readonly string[];
  /** Windows received from then on, ms since 1970; null: all that are kept. */
  readonly sinceMs: number | null;
  /** The day on which declared divergences are to hold (YYYY-MM-DD); null or absent: today. */
  readonly on?: string | null;
  readonly actor: string;
  /** How long parts that failed wait to be tried again; absent: an hour. */
  readonly retryWaitMs?: number;
  /** What a former run of this workflow has done; its history was full. */
  readonly resume?: { readonly plan: SkewPlan; readonly parts: PartsState<TalliedPart> };
};

const long = proxyActivities<FeatureActivities>(LONG_STEP);

/**
 * Holds reported vectors against their recomputation. That they differ is a result, not a failure.
 * Fails with NOT_FOUND, FEATURE_SKEW when there is nothing to compare, or the code of a part.
 */
export async function evaluateSkew(input: EvaluateSkewInput): Promise<SkewOutcome> {
  const report = trackProgress();
  const { evaluationId, featureSet, vehicles, sinceMs, on = null, actor, resume } = input;
  report('plan', 'running', 'looking for windows and recordings');
  const plan = resume?.plan ?? (await long.planSkew({ featureSet, vehicles, sinceMs, on }));
  report('plan', 'done', `${plan.windows} windows in ${plan.parts.length} parts`);
  const parts = await runParts<string, TalliedPart>(plan.parts, {
    concurrency: PARTS_AT_ONCE,
    work: async (part) => long.tallySkew({ featureSet: plan.featureSet, part, date: plan.date }),
    onProgress: reportParts(report, 'recompute'),
    resume: resume?.parts,
    continueWith: async (state) => continueAsNew<typeof evaluateSkew>({ ...input, resume: { plan, parts: state } }),
    retryWaitMs: input.retryWaitMs ?? RETRY_WAIT_MS,
  });
  report('judge', 'running', `${parts.reduce((sum, { windows }) => sum + windows, 0)} windows recomputed`);
  const outcome = await long.judgeSkew({ evaluationId, plan, tallies: parts.map(({ tally }) => tally), actor });
  report('judge', 'done', `${outcome.verdict}: ${outcome.report}`);
  return outcome;
}
