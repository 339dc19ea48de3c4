/** Why: a dataset version is asked for once and frozen for ever; this is the order of steps in between. */
import type { DatasetSpecification } from '@fleetloop/schemas';
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import { LONG_STEP, SHORT_STEP } from '../flow/activity-options.ts';
import { trackProgress } from '../flow/progress.ts';
import type { DatasetActivities, FrozenDataset } from '../ports.ts';

export type FreezeDatasetInput = { readonly specification: DatasetSpecification; readonly actor: string };

const long = proxyActivities<DatasetActivities>(LONG_STEP);
const short = proxyActivities<DatasetActivities>(SHORT_STEP);

/**
 * Selects, splits and freezes. Asking again for the same content answers with the version that is there.
 * Fails with DATASET_INVALID, DATASET_LEAKAGE, DATASET_LABEL_MISSING, DATASET_EMPTY or DATASET_EXISTS.
 */
export async function freezeDataset(input: FreezeDatasetInput): Promise<FrozenDataset> {
  const report = trackProgress();
  const name = `${input.specification.dataset}/${input.specification.version}`;
  report('select', 'running', `selecting and splitting recordings for ${name}`);
  // One time for all attempts: a permission that ends between two of them must not give two answers.
  const plan = await long.planDataset({ ...input, at: workflowInfo().startTime.toISOString() });
  report('select', 'done', `${plan.train} train and ${plan.test} test recordings, ${plan.excluded} excluded`);
  report('freeze', 'running', plan.digest);
  const frozen = await short.freezeDatasetVersion({ digest: plan.digest, actor: input.actor });
  report('freeze', 'done', frozen.created ? plan.digest : `${plan.digest} was frozen before`);
  return frozen;
}
