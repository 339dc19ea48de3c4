/** Types and pure decisions of the workflows; the workflows themselves are the entry `./workflows`, which only a worker bundles. */
export { type Approval, type ApprovedDigests, checkApproval, type Refusal } from './approval/approval-check.ts';
export type { PromoteModelInput, PromotionOutcome } from './approval/promote-model.workflow.ts';
export { type DatasetDifference, diffDatasets } from './dataset/dataset-diff.ts';
export { type CatalogueRecording, planDatasetVersion } from './dataset/dataset-plan.ts';
export type { FreezeDatasetInput } from './dataset/freeze-dataset.workflow.ts';
export { assertNoLeakage, DERIVED_FROM_ATTRIBUTE } from './dataset/split.ts';
export type { EvaluateDriftInput } from './drift/evaluate-drift.workflow.ts';
export type { DriftActivities, DriftOutcome, SampledPart, SketchedPart, WatchDocument } from './drift/ports.ts';
export { evaluateGate, type GateResult, type SliceResult } from './evaluation/evaluate-gate.ts';
export { type GatePolicy, parseGatePolicy, type PolicySlice } from './evaluation/policy.ts';
export type { Prediction } from './evaluation/prediction.ts';
export { addRegression, lostRegressions, type Regression } from './evaluation/regression.ts';
export type { ComputeFeaturesInput } from './features/compute-features.workflow.ts';
export type { EvaluateSkewInput } from './features/evaluate-skew.workflow.ts';
export type {
  FeatureActivities,
  FeaturesOutcome,
  FeaturesPart,
  FeaturesPlan,
  SkewOutcome,
  SkewPlan,
} from './features/ports.ts';
export type { ValidateFeatureSetInput } from './features/validate-feature-set.workflow.ts';
export type {
  ComparedPart,
  ValidationActivities,
  ValidationOutcome,
  ValidationPlan,
} from './features/validation-ports.ts';
export type { CloseLoopInput, CloseLoopResult, RegressionSlice } from './feedback/close-loop.workflow.ts';
export { type FailureReason, reasonOf } from './flow/failure.ts';
export type { ProgressStep, StepState } from './flow/progress.ts';
export type { ImportOrder, ImportRunsInput, ImportRunsResult } from './import/import-runs.workflow.ts';
export type {
  ApprovalActivities,
  Assignment,
  AwaitedVehicle,
  BriefCampaign,
  BriefRecordings,
  DatasetActivities,
  DatasetPlan,
  EvaluationActivities,
  FeatureTable,
  FeedbackActivities,
  FrozenDataset,
  GateOutcome,
  ImportActivities,
  ImportedPart,
  ImportPartsPlan,
  LedgerActivities,
  MlflowActivities,
  OpenAnomaly,
  Proposal,
  RolloutActivities,
  RolloutPlan,
  TrainedModel,
  TrainingActivities,
  TrainingBasis,
  TrainingRun,
  TrainModelInput,
  VehicleOutcome,
} from './ports.ts';
export { HealthRules, parseHealthRules } from './rollout/health-rules.ts';
export {
  type Exposure,
  type ExposureGroup,
  type FeatureShift,
  type HealthJudgement,
  judgeHealth,
  type WindowCounts,
} from './rollout/health-verdict.ts';
export type { RolloutStatus } from './rollout/rollout-controls.ts';
export { mayFollow, type RolloutPhase } from './rollout/rollout-phase.ts';
export type { RolloutInput, RolloutResult } from './rollout/rollout.workflow.ts';
export { checkWaves } from './rollout/wave-plan.ts';
export type { TrainModelResult } from './training/train-model.workflow.ts';
