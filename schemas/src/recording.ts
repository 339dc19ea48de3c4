/** The recording format: MCAP layout, metadata and codecs that vehicle and cloud share. */
export {
  fromMetadataRecords,
  type McapMetadataRecord,
  toMetadataRecords,
} from './record/recording-metadata.ts';
export { type RecordingItem, readRecording } from './record/recording-reader.ts';
export { type RecordingScan, scanRecording } from './record/recording-scanner.ts';
export { RecordingWriter } from './record/recording-writer.ts';
export {
  decodeSignalValues,
  encodeSignalValues,
  signalDescriptorSet,
  signalSchemaName,
} from './record/signal-codec.ts';
