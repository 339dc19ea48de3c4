/** Triggers: campaigns compiled for one vehicle, evaluated, tested and explained. Pure; the same code on the vehicle and in the cloud. */
export { assertCampaignTests, type CampaignTestResult, runCampaignTests } from './trigger/campaign-tests.ts';
export type { Hold } from './trigger/campaign-state.ts';
export { type CompiledCampaign, compileCampaign } from './trigger/compile-campaign.ts';
export type { CampaignExplanation, OperandExplanation, Suppression, TriggerStatistics } from './trigger/explain.ts';
export type { InferenceLike } from './trigger/input-node.ts';
export { type Firing, makeTriggerEvaluator, type TriggerEvaluator } from './trigger/trigger-evaluator.ts';
