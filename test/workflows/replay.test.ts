/**
 * The workflow code of today over histories that were recorded from real runs: of loop.test.ts, and for long work in parts of
 * test/features/computation.test.ts, test/features/sampled-skew.test.ts, test/drift/drift-workflow.test.ts and
 * test/ingest/import-workflow.test.ts. They are recorded again by running these with FLEETLOOP_RECORD_HISTORIES set to the folder
 * `histories` beside this file; that is right only when no workflow of the former code can still run.
 */
import { openReplay } from '@fleetloop/control-plane';
import { expect, test } from 'vitest';
import { readHistories } from './histories.ts';

const histories = await readHistories();
const replay = await openReplay();

test('histories of every workflow are there', () => {
  expect(histories.map(({ name }) => name)).toEqual([
    'close-loop',
    'compute-features',
    'compute-features-retried',
    'evaluate-drift',
    'evaluate-drift-cancelled',
    'evaluate-drift-continued',
    'evaluate-skew',
    'freeze-dataset',
    'import-runs',
    'import-runs-again',
    'promote-model',
    'roll-out-aborted',
    'roll-out-healthy',
    'roll-out-rolled-back',
    'train-model',
    'train-model-failed',
    'validate-feature-set',
  ]);
});

test.each(histories)('$name is decided as it was', async ({ history, workflowId }) => {
  await replay(history, workflowId);
});

test('a history in which another step comes first is noticed', async () => {
  const recorded = histories.find(({ name }) => name === 'freeze-dataset');
  const text = JSON.stringify(recorded?.history).replaceAll('planDataset', 'dropDataset');
  await expect(replay(JSON.parse(text), recorded?.workflowId ?? '')).rejects.toThrow(/[Nn]ondeterminism|activity/i);
});
