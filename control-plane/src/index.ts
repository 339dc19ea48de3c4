/** What other packages may use of the control plane: its HTTP client, its configuration, credentials, and batch features. */
export { APPEND_BYTES_MAX, NatsLedger, type NatsLedgerOptions } from './adapters/nats-ledger.ts';
export { openReplay } from './adapters/temporal-worker.ts';
export { ApiClient, type ApiClientOptions, type CallOptions, type WorkflowState } from './api/api-client.ts';
export type { RecordingPage, RecordingView } from './catalogue/recording-catalogue.ts';
export {
  configReference,
  ControlPlaneConfig,
  type ControlPlaneConfigInput,
  parseControlPlaneConfig,
} from './config/control-plane-config.ts';
export {
  createTrustDomain,
  issueServiceUser,
  issueVehicleUser,
  type ServiceUser,
  type ServiceUserRequest,
  type TrustDomain,
  type VehicleUserRequest,
} from './enrolment/credentials.ts';
export type { VehicleDetails, VehicleView } from './enrolment/vehicle-routes.ts';
export { parseDriftMonitor } from './drift/drift-monitor.ts';
export { evaluateFiles } from './drift/local-drift.ts';
export type { ImportOutcome } from './ingest/ports.ts';
export type { Ledger, UncheckedLedger } from './ports.ts';
export { computeFromMessages, createFeatureBatch } from './features/feature-batch.ts';
export { joinPointInTime, type JoinReport, type PointInTimeJoin } from './features/point-in-time.ts';
export { compareEngines, type FeatureParity, joinParity, type ParityReport } from './features/parity.ts';
export { type BuiltBundle, buildBundle, type BundleInput } from './package/bundle-builder.ts';
export { createBundleSigner } from './package/bundle-signer.ts';
export type { BlobStore, BundleSigner, FeatureBatch, FeatureRow } from './ports.ts';
export { DuckdbProjection, type DuckdbProjectionOptions } from './adapters/duckdb-projection.ts';
export { FolderBlobs } from './adapters/folder-blobs.ts';
export { FolderCheckpoints } from './adapters/folder-checkpoints.ts';
export { KvVehicleStates } from './adapters/kv-vehicle-states.ts';
export { readPieces } from './adapters/read-pieces.ts';
export { FolderCheckpointKeys } from './adapters/folder-checkpoint-keys.ts';
export { ThreadedEntryChecks } from './adapters/threaded-entry-checks.ts';
export { LEDGER_ORIGIN, signCheckpoint } from './ledger/checkpoint.ts';
export { decodeEntry, encodeEntry } from './ledger/entry-coding.ts';
export { type ExportSource, writeExport } from './ledger/ledger-export.ts';
export { type LedgerExport, openExport } from './ledger/read-export.ts';
export { rotateKey } from './ledger/rotate-key.ts';
export { hashLeaf } from './ledger/merkle-tree.ts';
export { Checkpointer, type CheckpointerOptions } from './ledger/checkpointer.ts';
export { parseVerifierKey, verifierKeyText } from './ledger/signed-note.ts';
export { type LedgerEvidence, type LedgerVerdict, verifyLedger } from './ledger/verify-ledger.ts';
export { sequenceAsOf } from './projection/as-of.ts';
export { FACTS_WITHOUT_LINEAGE } from './trace/lineage-of.ts';
export { type Trace, traceLineage } from './trace/trace.ts';
export type { TraceEdge } from './trace/lineage-graph.ts';
export { LineageFollower } from './trace/lineage-follower.ts';
export type { TraceNode } from './trace/trace-walk.ts';
export { renderTree } from './trace/trace-tree.ts';
export type { RelayConfigInput } from './relay/relay-config.ts';
export { relayPermissions } from './relay/relay-permissions.ts';
export { diskSourceFiles } from './adapters/disk-source-files.ts';
export { defaultStandard } from './quality/default-standard.ts';
export { type CheckReport, type Finding } from './quality/finding.ts';
export { checkFile } from './quality/check-files.ts';
export { checkRecording } from './ingest/recording-check.ts';
export { KnownForms } from './quality/known-forms.ts';
export { RecordingCheck, type RecordingFacts } from './quality/recording-check.ts';
export { parseStandard, type Standard } from './quality/standard.ts';
export { boundedForms, type TopicForm } from './quality/topic-form.ts';
