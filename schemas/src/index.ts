/** The contract between vehicle and cloud, safe to bundle anywhere: plain types, ids, documents, subjects, error codes. */
export { compileCondition } from './campaign/condition.ts';
export type { CampaignInput } from './campaign/campaign-inputs.ts';
export type { CampaignTest, VehicleAttributes } from './campaign/campaign-trace.ts';
export {
  Campaign,
  parseCampaign,
  PRIORITIES,
  type Priority,
  WINDOW_MS_MAX,
} from './campaign/campaign.ts';
export type { Channel, OpaqueChannel, SignalChannel, SignalDefinition } from './capture/channel.ts';
export type { OpaqueMessage, SessionDescription, SignalMessage, SourceMessage } from './capture/source-message.ts';
export {
  type DatasetRecording,
  DatasetSpecification,
  DatasetVersion,
  parseDatasetSpecification,
} from './dataset/dataset-version.ts';
export {
  compileRecordingFilter,
  filterableCircumstances,
  type FilterableCircumstances,
  type FilterableRecording,
} from './dataset/recording-filter.ts';
export { canonicalJson, type JsonValue } from './digest/canonical-json.ts';
export { ERROR_TABLE, type ErrorCode } from './errors/error-codes.ts';
export { assertNever, type ErrorDetails, FleetError } from './errors/fleet-error.ts';
export { type CompiledExpression, compileExpression, type VariableType } from './expression/expression.ts';
export {
  type AgentAnswer,
  AgentQuestion,
  ANSWER_BYTES_MAX,
  parseAgentQuestion,
  parseWhySubject,
  QUESTION_BYTES_MAX,
  type WhySubject,
} from './explain/agent-question.ts';
export { statusText } from './explain/status-text.ts';
export { type Transform, TRANSFORMS } from './features/feature-definition.ts';
export { FeatureSet, parseFeatureSet } from './features/feature-set.ts';
export {
  type CampaignId,
  type Digest,
  type EventId,
  isDigest,
  parseCampaignId,
  parseDigest,
  parseEventId,
  parseVehicleId,
  type VehicleId,
} from './ids/branded.ts';
export { LOSS_SUFFIX, lossName, restOf } from './ids/loss-name.ts';
export { type Fact, type FactBody, FACTS, type FactKind } from './ledger/facts.ts';
export {
  entityOfKind,
  LEDGER_ENTRY_BYTES_MAX,
  type LedgerEntry,
  type NewFact,
  parseLedgerEntry,
} from './ledger/ledger-entry.ts';
export { GateResult } from './ledger/model-facts.ts';
export { ACTION_STATES, HEALTH_VERDICTS, HealthFinding, ROLLOUT_PHASES } from './ledger/rollout-facts.ts';
export { type BodyVersions, bodyReader, FACT_VERSIONS_MAX, factVersion, type FormerVersion } from './ledger/upcast.ts';
export { BUNDLE_PAYLOAD_TYPE, BundleManifest, GoldenVectors } from './package/bundle.ts';
export {
  DIRECTOR_PAYLOAD_TYPE,
  DesiredState,
  DirectorTargets,
  DISK_STATES,
  PullRequest,
  PULLS_PER_VEHICLE_MAX,
  ReportedState,
} from './assign/desired-state.ts';
export { Circumstances, type Permission, Synthetic, TIMES_OF_DAY, TimeOfDay } from './record/circumstances.ts';
export {
  AlignmentRecord,
  ChannelQuality,
  CLOCK_SAMPLES_PER_RECORDING_MAX,
  GapRecord,
  type RecordingClock,
  type RecordingCut,
  RecordingMetadata,
  RedactionRecord,
  TriggerRecord,
} from './record/recording-metadata.ts';
export { DsseEnvelope } from './signing/envelope.ts';
export {
  BUCKETS,
  CHUNK_DIGEST_HEADER,
  CHUNK_SIZE_BYTES_MAX,
  type Permissions,
  RELAY_HEADER,
  STREAM_SUBJECTS,
  STREAMS,
  SUBJECTS_OF_ALL,
  subjects,
  UPLINK_SUBJECTS,
  vehicleOfSubject,
  vehiclePermissions,
} from './subjects/subjects.ts';
export { CAN_FRAME_DATA_BYTES_MAX, CAN_FRAME_SCHEMA_NAME, encodeCanFrame } from './can/can-frame.ts';
export {
  canIdKey,
  type DbcDatabase,
  type DbcMessage,
  indexDbcMessages,
} from './can/dbc-database.ts';
export { parseDbc } from './can/dbc-parser.ts';
export { decodeFrame, makeSignalDecoder, type SignalDecoder } from './can/signal-decoder.ts';
export { findSignal } from './vss/catalogue.ts';
export { fieldNames, isSignalTopic } from './vss/topic.ts';
export { isUnitName, unitConversion } from './vss/units.ts';
