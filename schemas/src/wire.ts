/** Protobuf messages on the wire between vehicle and cloud; kept out of workflow bundles. */
export { type CanFrame, CanFrameSchema } from './gen/fleetloop/capture_pb.js';
export {
  type FeatureSample,
  FeatureSampleSchema,
  type WithheldSamples,
  WithheldSamplesSchema,
} from './gen/fleetloop/features_pb.js';
export { type Heartbeat, HeartbeatSchema } from './gen/fleetloop/health_pb.js';
export {
  type Inference,
  type InferenceBatch,
  InferenceBatchSchema,
  InferenceSchema,
  Role,
} from './gen/fleetloop/infer_pb.js';
export {
  type Manifest,
  ManifestSchema,
  type Missing,
  type Receipt,
  ReceiptSchema,
  type SignedManifest,
  SignedManifestSchema,
  type SignedTombstone,
  SignedTombstoneSchema,
  type Tombstone,
  TombstoneSchema,
} from './gen/fleetloop/uplink_pb.js';
export {
  type DeclareChannel,
  DeclareChannelSchema,
  PublishBatchSchema,
  type Refused,
  type SessionMark,
  type ToAgent,
  ToAgentSchema,
  type ToPublisher,
  ToPublisherSchema,
  type Welcome,
} from './gen/fleetloop/publish_pb.js';
