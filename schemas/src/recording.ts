/** The recording format: MCAP layout, metadata and codecs that vehicle and cloud share. */
export {
  fromMetadataRecords,
  type McapMetadataRecord,
  toMetadataRecords,
} from './record/recording-metadata.ts';
export { type RecordingItem, readRecording } from './record/recording-reader.ts';
export { type MessageVisitor, type RecordingScan, scanRecording } from './record/recording-scanner.ts';
export {
  MESSAGE_DATA_BYTES_MAX,
  MESSAGE_RECORD_HEADER_BYTES,
  type MessageRecordHeader,
  messageRecordSize,
  type RecordMemory,
  writeMessageRecord,
  writeMessageRecordHeader,
} from './record/mcap-message-record.ts';
export { ChunkCompressor } from './record/mcap-compression.ts';
export { type McapChunk } from './record/mcap-chunk-stage.ts';
export { type MessageRows } from './record/mcap-message-rows.ts';
export { type McapSink } from './record/mcap-output.ts';
export { type McapAttachment } from './record/mcap-records.ts';
export { MCAP_CHUNK_BYTES, McapWriter, type McapWriterOptions, type WrittenMcap } from './record/mcap-writer.ts';
export { type McapChannel, type McapSchema } from './record/mcap-definitions.ts';
export {
  RECORDING_LIBRARY,
  recordingChannel,
  recordingSchema,
  RecordingWriter,
} from './record/recording-writer.ts';
export {
  decodeSignalValues,
  encodeSignalValues,
  encodeSignalValuesInto,
  SIGNAL_BYTES_MAX,
  signalDescriptorSet,
  signalSchemaName,
} from './record/signal-codec.ts';
export { isOpaqueSchema } from './record/opaque-schemas.ts';
export { makeMessageDecoder, type MessageDecoder } from './capture/message-decoder.ts';
export { type McapAttachmentHead, type McapChunkIndex, type McapStatistics } from './record/mcap-fields.ts';
export { type McapBytes, memoryBytes } from './record/mcap-memory.ts';
export { describeRecording, type RecordingDescription, type DescribedChannel } from './record/describe-recording.ts';
export {
  readStoredMessages,
  type StoredChannel,
  type StoredMessage,
  type StoredMessageFilter,
} from './record/recording-messages.ts';
export { salvageRecording, type SalvageOptions } from './record/salvage.ts';
export { type SalvageLoss, type SalvageReport } from './record/salvage-tally.ts';
export { type RecordingVerdict, verifyRecording } from './record/verify.ts';
export { type RecordingFault } from './record/verify-faults.ts';
