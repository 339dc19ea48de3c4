/** Reads one chunk of a recording that waits. */
import { FleetError } from '@fleetloop/schemas';
import type { DurableFiles } from './durable-files.ts';
import type { SpoolEntry } from './spool-entry.ts';
import { recordingName } from './spool-layout.ts';

/** @throws FleetError SPOOL_CORRUPT when the file is shorter than it was */
export async function readRecordingChunk(files: DurableFiles, entry: SpoolEntry, index: number): Promise<Uint8Array> {
  const { eventId, generation, sizeBytes, chunkSizeBytes } = entry;
  const offset = index * chunkSizeBytes;
  const length = Math.min(chunkSizeBytes, sizeBytes - offset);
  const bytes = await files.readBytes(recordingName(eventId, generation), offset, length);
  if (bytes.length === length) return bytes;
  throw new FleetError(
    'SPOOL_CORRUPT',
    `recording ${eventId} is shorter on disk than its ${sizeBytes} bytes: the disk may be failing`,
  );
}
