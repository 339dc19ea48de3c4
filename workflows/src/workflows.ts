/** Why: Temporal's bundler takes one file that names every workflow; a worker can run what is named here and nothing else. */
export { promoteModel } from './approval/promote-model.workflow.ts';
export { freezeDataset } from './dataset/freeze-dataset.workflow.ts';
export { evaluateDrift } from './drift/evaluate-drift.workflow.ts';
export { computeFeatures } from './features/compute-features.workflow.ts';
export { evaluateSkew } from './features/evaluate-skew.workflow.ts';
export { validateFeatureSet } from './features/validate-feature-set.workflow.ts';
export { closeLoop } from './feedback/close-loop.workflow.ts';
export { importRuns } from './import/import-runs.workflow.ts';
export { rollOut } from './rollout/rollout.workflow.ts';
export { trainModel } from './training/train-model.workflow.ts';
