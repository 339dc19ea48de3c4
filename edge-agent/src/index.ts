/** What the proving ground and tests may use of the agent besides its process. */
export { parseAgentConfig } from './agent/agent-config.ts';
export { RedactionRules } from './record/redaction-rules.ts';
export { Redactor } from './record/redactor.ts';
export { SessionNotes } from './record/session-notes.ts';
export { loadMapping, openSource, type OpenSourceOptions } from './capture/open-source.ts';
export { memoryDisk, type MemoryDisk } from './adapters/memory-disk.ts';
export { DiskRing, type DiskRingOptions } from './record/disk-ring.ts';
export { EventRecorder, type RecorderOptions } from './record/event-recorder.ts';
export { recordingBytes } from './record/read-recorded.ts';
export type { ClosedRecording, RecorderEffect } from './record/recorder-effects.ts';
export { createModelRuntime, type RuntimeParts } from './infer/model-runtime.ts';
export type { ModelSession } from './infer/model-session.ts';
export type { SlotFolders } from './install/slot-folders.ts';
export { VehicleAgent, type VehicleAgentOptions } from './agent/vehicle-agent.ts';
export { RecordingKeeper } from './agent/recording-keeper.ts';
export { SessionClock } from './capture/clock-session.ts';
export type {
  AgentLogger,
  BlobFetcher,
  Drive,
  DriveSource,
  InferenceResult,
  LinkReply,
  ModelRuntime,
  VehicleLink,
} from './ports.ts';
export { NatsLink, type NatsLinkOptions } from './adapters/nats-link.ts';
export { nkeySigner } from './adapters/nkey-signer.ts';
export { systemClock } from './adapters/system-clock.ts';
export type { SpoolEntry, TombstoneEntry } from './spool/spool-entry.ts';
export { fixedNetworkClass } from './uplink/network-class.ts';
export { Uplink, type UplinkOptions } from './uplink/uplink.ts';
export { UplinkConfig } from './uplink/uplink-config.ts';
export type { UploadSpool } from './uplink/upload-item.ts';
export type { AgentClock, ByteSink, Disk, DiskFile } from './ports.ts';
export { NodeDisk } from './adapters/node-disk.ts';
export { DurableFiles } from './spool/durable-files.ts';
export { Spool, type SpoolOptions } from './spool/spool.ts';
export type { SpoolAddition } from './spool/spool-intake.ts';
export type { SpoolableRecording } from './spool/spool-entry.ts';
export { type OpenedLiveSource, openLiveSource } from './adapters/live-sources.ts';
export { LiveConfig, parseLiveConfig } from './capture/live-limits.ts';
export { askAgent } from './adapters/control-client.ts';
export type { AgentStatus } from './health/agent-status.ts';
