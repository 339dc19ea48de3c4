/** What the proving ground and tests may use of the agent besides its process. */
export {
  createStreamingEvaluator,
  type FeatureVector,
  type StreamingEvaluator,
} from './features/streaming-evaluator.ts';
export { loadMapping, openSource, type OpenSourceOptions } from './capture/open-source.ts';
export { EventRecorder, type RecordedEvent, type RecorderOptions } from './record/event-recorder.ts';
export { type CompiledCampaign, compileCampaign } from './trigger/compiled-campaign.ts';
export { makeTriggerEvaluator, type TriggerEvaluator } from './trigger/trigger-evaluator.ts';
export { createModelRuntime, type RuntimeParts } from './infer/model-runtime.ts';
export type { ModelSession } from './infer/model-session.ts';
export type { SlotFolders } from './install/slot-folders.ts';
export type { AgentLogger, BlobFetcher, InferenceResult, ModelRuntime } from './ports.ts';
