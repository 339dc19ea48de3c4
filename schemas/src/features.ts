/** The feature layer that vehicle and cloud share: definitions, the streaming engine, and what the batch engine must agree with. */
export { bindChannel, type ChannelBinding, type SeriesBinding } from './features/channel-binding.ts';
export {
  type BandEnergy,
  bandFrequencies,
  CONSTANT_SHARE,
  type Correlation,
  type DerivedSeries,
  type FeatureDefinition,
  type FeatureSignal,
  type FeatureTolerance,
  type Lag,
  LAG_TIE,
  PAIRS_MIN,
  RANGE_MIN,
  SAMPLE_ABS_MAX,
  TIME_TRANSFORMS,
  ZERO_BAND_SHARE,
} from './features/feature-definition.ts';
export { type FeatureEncoding, OTHER_CATEGORY } from './features/feature-encoding.ts';
export { historyMs, transformOfConstant } from './features/feature-program.ts';
export { type FeatureWindow, isSessionWindow } from './features/feature-window.ts';
export { chooseWindows } from './features/sample-choice.ts';
export { sampledMessages } from './features/sampled-messages.ts';
export {
  createStreamingEvaluator,
  type FeatureVector,
  type InputChoice,
  SAMPLES_BUFFERED_MAX,
  type StreamingEvaluator,
  streamFeatures,
} from './features/streaming-evaluator.ts';
export {
  FEATURE_ENGINE_VERSION,
  type InputChannel,
  type InputMessage,
  WINDOW_INPUTS_MAX,
  type WindowInputs,
} from './features/window-inputs.ts';
export type { OwnFeature } from './features/window-transforms.ts';
