/** Why: a definition is worth what both engines agree on over real drives; hours of them are compared side by side, part by part. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { LONG_STEP } from '../flow/activity-options.ts';
import type { PartsState } from '../flow/drain-parts.ts';
import { trackProgress } from '../flow/progress.ts';
import { reportParts, runParts } from '../flow/run-parts.ts';
import type { ComparedPart, ValidationActivities, ValidationOutcome, ValidationPlan } from './validation-ports.ts';

const PARTS_AT_ONCE = 16;
/** How long parts that failed may be repaired and tried again. */
const RETRY_WAIT_MS = 60 * 60 * 1_000;

export type ValidateFeatureSetInput = {
  readonly validationId: string;
  /** Digest of the feature set. */
  readonly featureSet: string;
  /** Digests of recordings; a person chose them. */
  readonly recordings: readonly string[];
  /** Who validates; whoever starts this has checked that it may be this person. */
  readonly actor: string;
  readonly reason: string;
  /** Bytes of recordings in one part; absent: what is good for the workers. The report is the same for any number. */
  readonly partBytes?: number;
  /** How long parts that failed wait to be tried again; absent: an hour. */
  readonly retryWaitMs?: number;
  /** What a former run of this workflow has done; its history was full. */
  readonly resume?: { readonly plan: ValidationPlan; readonly parts: PartsState<ComparedPart> };
};

const long = proxyActivities<ValidationActivities>(LONG_STEP);

/**
 * Has both engines compute the recordings in parts, and records that they agree.
 * Fails with FEATURE_SET_REFUSED where they differ, naming the report; NOT_FOUND, FEATURE_SET_STATE, FEATURE_LIMIT or the code of a part.
 */
export async function validateFeatureSet(input: ValidateFeatureSetInput): Promise<ValidationOutcome> {
  const report = trackProgress();
  const { validationId, featureSet, recordings, actor, reason, partBytes, resume } = input;
  report('plan', 'running', `looking for ${recordings.length} recordings`);
  const size = partBytes === undefined ? {} : { partBytes };
  const plan = resume?.plan ?? (await long.planValidation({ featureSet, recordings, ...size }));
  report('plan', 'done', `${plan.recordings} recordings in ${plan.parts.length} parts`);
  const parts = await runParts<string, ComparedPart>(plan.parts, {
    concurrency: PARTS_AT_ONCE,
    work: async (part) => long.compareEngines({ featureSet: plan.featureSet, part, date: plan.date }),
    onProgress: reportParts(report, 'compare'),
    resume: resume?.parts,
    continueWith: async (state) =>
      continueAsNew<typeof validateFeatureSet>({ ...input, resume: { plan, parts: state } }),
    retryWaitMs: input.retryWaitMs ?? RETRY_WAIT_MS,
  });
  report('judge', 'running', `${parts.reduce((sum, { windows }) => sum + windows, 0)} windows compared`);
  const comparisons = parts.map(({ comparison }) => comparison);
  const outcome = await long.judgeValidation({ validationId, plan, comparisons, actor, reason });
  report('judge', 'done', `both engines agree: ${outcome.report}`);
  return outcome;
}
